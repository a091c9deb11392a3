//! Figures equal the program's own books: blocks, bytes, calls, and each allocating function by itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::support::figures::{Figures, SiteFigures};
use crate::support::memtrace::Memtrace;
use crate::support::report::Report;
use crate::support::source;
use crate::support::target::Target;

#[derive(Deserialize)]
struct ChurnBooks {
    #[serde(flatten)]
    figures: Figures,
    functions: BTreeMap<String, SiteFigures>,
}

#[test]
fn a_threaded_program_ends_with_the_live_set_of_its_own_books_on_20_runs() {
    for seed in 1..=20 {
        let mut churn = Target::c("churn", &[&seed.to_string()]);
        let memtrace = Memtrace::follow(&churn);
        churn.go(10_000);
        let books: ChurnBooks = churn.books();
        let report = memtrace.stop();
        report.assert_nothing_lost();
        assert_books(&report, &churn, &books, &format!("seed {seed}"));
    }
}

/// The way of kernels before 6.10.
#[test]
fn one_event_a_probe_counts_as_exactly_as_one_link_a_file() {
    for seed in 1..=3 {
        let mut churn = Target::c("churn", &[&seed.to_string()]);
        let memtrace = Memtrace::follow_with(&churn, &["--attach", "single"]);
        churn.go(10_000);
        let books: ChurnBooks = churn.books();
        let report = memtrace.stop();
        report.assert_nothing_lost();
        assert_books(&report, &churn, &books, &format!("seed {seed}"));
    }
}

#[test]
fn four_threaded_programs_at_once_are_kept_apart() {
    let mut programs: Vec<Target> = (100..104).map(|seed| Target::c("churn", &[&seed.to_string()])).collect();
    let pids: Vec<String> = programs.iter().map(|program| program.pid().to_string()).collect();
    let arguments: Vec<&str> = pids.iter().flat_map(|pid| ["--pid", pid]).collect();
    let memtrace = Memtrace::start(&arguments);
    for program in &programs {
        memtrace.wait_attached(program.pid());
    }
    let books: Vec<ChurnBooks> = programs
        .iter_mut()
        .map(|program| {
            program.go(5_000);
            program.books()
        })
        .collect();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    for (program, books) in programs.iter().zip(&books) {
        assert_books(&report, program, books, program.comm());
    }
}

/// A figure may lag behind while a program works, but must not go astray: it is right each time the program rests.
#[test]
fn every_rest_of_a_threaded_program_shows_its_books() {
    let mut churn = Target::c("churn", &["200"]);
    let memtrace = Memtrace::follow(&churn);
    for rest in 1..=5 {
        churn.go(2_000);
        let books: ChurnBooks = churn.books();
        memtrace.wait_for_process(churn.pid(), &format!("rest {rest} shows the books"), |process| {
            process.figures == books.figures
        });
    }
    memtrace.stop().assert_nothing_lost();
}

#[test]
fn a_leak_is_found_by_function_inlined_helper_and_line() {
    let mut program = Target::c("leak", &[]);
    let memtrace = Memtrace::follow(&program);
    program.go(500);
    let books: Figures = program.books();
    let report = memtrace.stop();
    let process = report.process(program.pid());
    assert_eq!(process.figures.live_bytes, books.live_bytes, "the churn has gone");
    assert_eq!(process.figures.allocations, 500 * 101);

    let site = process.top();
    assert_eq!((site.figures.live_bytes, site.figures.live_blocks), (books.live_bytes, books.live_blocks));
    assert_eq!((site.domain.as_str(), site.id.len()), ("libc", 16));
    assert!(site.oldest_age_ns.is_some_and(|age| age > 0), "{site:?}");
    let [inlined, caller, ..] = site.frames.as_slice() else {
        panic!("two frames at least: {site:?}");
    };
    assert!(inlined.is_in("copy_of_secret"), "{site:#?}");
    assert!(inlined.is_at("leak.c", source::line_of("c/leak.c", "// LEAK")), "{site:#?}");
    assert!(caller.is_in("leak_here"), "{site:#?}");
    assert!(caller.is_at("leak.c", source::line_of("c/leak.c", "// CALL")), "{site:#?}");
    assert_eq!((inlined.kind.as_str(), caller.kind.as_str()), ("native", "native"));
}

#[test]
fn the_sites_that_are_not_shown_are_summed() {
    let mut churn = Target::c("churn", &["300"]);
    let memtrace = Memtrace::follow_with(&churn, &["-n", "2"]);
    churn.go(5_000);
    let books: ChurnBooks = churn.books();
    let report = memtrace.stop();
    let process = report.process(churn.pid());
    assert_eq!(process.sites.len(), 2);
    assert!(process.other_sites.sites >= 7, "nine functions allocate: {:?}", process.other_sites);
    let shown = process.sum(|_| true);
    assert_eq!(shown.live_bytes + process.other_sites.live.live_bytes, books.figures.live_bytes);
    assert_eq!(shown.live_blocks + process.other_sites.live.live_blocks, books.figures.live_blocks);
}

fn assert_books(report: &Report, program: &Target, books: &ChurnBooks, run: &str) {
    let process = report.process(program.pid());
    assert_eq!(process.figures, books.figures, "{run}");
    let names: Vec<&str> = books.functions.keys().map(String::as_str).collect();
    for (name, expected) in &books.functions {
        assert_eq!(process.innermost_of(&names, name), *expected, "{run}, {name}");
    }
}
