//! What tracing costs a process, and what memtrace says of that.

use std::thread::sleep;
use std::time::Duration;

use crate::support::command::{run, stderr};
use crate::support::figures::Figures;
use crate::support::hot::{Books, Heat, have_machine, share_machine};
use crate::support::memtrace::Memtrace;
use crate::support::snapshot::Overhead;
use crate::support::target::Target;
use crate::support::{comm, root};

/// Over which progress is measured.
const STRETCH: Duration = Duration::from_secs(8);

/// Blocks taken and given back in a second of processor time.
fn speed(program: &mut Target) -> f64 {
    let before: Books = program.books();
    sleep(STRETCH);
    let after: Books = program.books();
    (after.turns - before.turns) as f64 / ((after.cpu_ns - before.cpu_ns) as f64 / 1e9)
}

#[test]
fn a_program_that_allocates_little_is_traced_exactly_by_default() {
    let _shared = share_machine();
    let mut program = Target::c("churn", &["7"]);
    let memtrace = Memtrace::follow_within_budget(&program, &[]);
    for _ in 0..5 {
        program.go(100);
        memtrace.wait_for_snapshot("a later report", |_| Some(()));
    }
    let books: Figures = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    let process = report.process(program.pid());
    assert_eq!(process.figures, books);
    let Overhead { tier, reason, limit_share, spent_share, armed_share, windows } = &process.overhead;
    assert_eq!((tier.as_str(), reason, *limit_share, *windows), ("exact", &None, Some(0.01), 0));
    assert!(*spent_share > 0.0 && *spent_share <= 0.01, "{spent_share}");
    assert!((armed_share - 1.0).abs() < 1e-9, "{armed_share}");
    let certainty = process.certainty;
    assert!((certainty.live_bytes_low - books.live_bytes as f64).abs() < 0.5, "{certainty:?}");
    assert_eq!(certainty.live_bytes_high, Some(certainty.live_bytes_low), "nothing is guessed");
}

/// Its trial of exact tracing ends in overdraft, which it saves for before its first window; and it has to look cool
/// for a while before it is traced exactly again.
#[test]
fn a_loop_of_malloc_and_free_is_watched_in_windows_within_its_limit_and_exactly_when_it_has_cooled() {
    let _alone = have_machine();
    let comm = comm::unique("loop");
    let memtrace = Memtrace::start_within_budget(&["--comm", &comm]);
    memtrace.wait_for_snapshot("memtrace has begun", |_| Some(()));
    let mut program = Target::c_as(comm, "hot", &["1", "0"]);
    let pid = program.pid();
    memtrace.wait_attached(pid);
    program.heat(Heat::Hot);
    memtrace.wait_for_tier(pid, "windows", Duration::from_secs(10));
    memtrace.wait_for_windows(pid, 5);
    let traced = speed(&mut program);
    let process = memtrace.wait_for_process(pid, "it is watched still", |process| process.probes > 0);
    assert_eq!(process.overhead.tier, "windows");
    assert!(process.overhead.spent_share <= 0.0115, "{:?}", process.overhead);
    assert!(process.overhead.armed_share < 0.5, "{:?}", process.overhead);
    assert!(process.overhead.reason.is_some(), "{:?}", process.overhead);
    program.heat(Heat::Cool);
    let cooled = memtrace.wait_for_tier(pid, "exact", Duration::from_secs(90));
    assert_eq!(cooled.overhead.reason, None);
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    program.heat(Heat::Hot);
    let untraced = speed(&mut program);
    assert!(
        traced >= untraced * 0.9,
        "{traced} blocks a second of its time when traced, {untraced} when not"
    );
}

#[test]
fn exact_tracing_of_a_hot_loop_has_no_limit_and_says_what_it_costs() {
    let _shared = share_machine();
    let mut program = Target::hot(1, 0, &[]);
    let memtrace = Memtrace::follow(&program);
    program.heat(Heat::Hot);
    let process = memtrace
        .wait_for_process(program.pid(), "the cost shows", |process| process.overhead.spent_share > 0.2);
    let overhead = &process.overhead;
    assert_eq!((overhead.tier.as_str(), overhead.limit_share, overhead.windows), ("exact", None, 0));
    assert!((overhead.armed_share - 1.0).abs() < 1e-9, "{overhead:?}");
    program.heat(Heat::Cool);
    assert!(program.is_alive());
    drop(memtrace.stop());
}

#[test]
fn other_limits_are_taken_and_kept() {
    let _shared = share_machine();
    for (limit, share) in [("0.1%", 0.001), ("5%", 0.05)] {
        let mut program = Target::hot(1, 100, &[]);
        program.heat(Heat::Hot);
        let memtrace = Memtrace::follow_within_budget(&program, &["--max-overhead", limit]);
        memtrace.wait_for_windows(program.pid(), 3);
        // What the trial of exact tracing has cost is ten seconds ago then.
        memtrace.wait_for_process(program.pid(), "it costs what it may", |process| {
            process.overhead.spent_share <= share * 1.15
        });
        memtrace.wait_for_snapshot("a later report", |_| Some(()));
        let report = memtrace.stop();
        let overhead = &report.process(program.pid()).overhead;
        assert_eq!((overhead.tier.as_str(), overhead.limit_share), ("windows", Some(share)));
        assert!(overhead.spent_share > 0.0 && overhead.spent_share <= share * 1.15, "{limit}: {overhead:?}");
    }
}

#[test]
fn limits_that_make_no_sense_are_refused_with_a_reason() {
    root::require();
    let refused = [
        (&["--max-overhead", "0"][..], "--max-overhead"),
        (&["--max-overhead", "abc"], "--max-overhead"),
        (&["--max-overhead=-1%"], "--max-overhead"),
        (&["--max-overhead", "nan"], "--max-overhead"),
        (&["--max-total-overhead", "0%"], "--max-total-overhead"),
        (&["--exact", "--max-overhead", "1%"], "cannot be used with"),
        (&["--exact", "--max-total-overhead", "1%"], "cannot be used with"),
    ];
    for (arguments, words) in refused {
        let output = run(&[arguments, &["--pid", "1", "--duration", "1s"]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
}
