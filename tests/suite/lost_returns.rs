//! Calls that never return: left by longjmp, or with the thread that made them.

use serde::Deserialize;

use crate::support::figures::Figures;
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;

#[derive(Deserialize)]
struct Books {
    #[serde(flatten)]
    figures: Figures,
    abandoned: u64,
    died_inside: u64,
}

#[test]
fn abandoned_calls_are_counted_and_leave_the_figures_right() {
    check("shallow");
}

/// A call further down the stack than an abandoned one looks like one that the abandoned one makes.
#[test]
fn calls_further_down_than_an_abandoned_one_are_not_taken_for_nested() {
    check("deep");
}

#[test]
fn threads_that_die_inside_a_call_leave_the_figures_right() {
    check("killed");
}

/// The last abandoned call need not have been noticed yet, and whether a thread that dies counts is open.
fn check(mode: &str) {
    let mut program = Target::c("abandon", &[mode]);
    let memtrace = Memtrace::follow(&program);
    program.go(300);
    let books: Books = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost_but(&["return_lost"]);
    let process = report.process(program.pid());
    assert_eq!(process.figures, books.figures, "{mode}");
    let lost = report.last().quality.dropped["return_lost"];
    assert!(
        (books.abandoned - 1..=books.abandoned + books.died_inside).contains(&lost),
        "{mode}: {lost} returns lost of {} abandoned and {} that died inside",
        books.abandoned,
        books.died_inside
    );
    assert!(program.is_alive(), "{mode}");
}
