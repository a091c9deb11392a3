//! Processes that probes could harm, or that others watch as well.

use serde::Deserialize;
use serde_json::Value;

use crate::support::figures::SiteFigures;
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;

#[derive(Deserialize)]
struct Books {
    #[serde(flatten)]
    leaked: SiteFigures,
    churned: u64,
}

#[derive(Deserialize)]
struct DebuggerBooks {
    stops: u64,
}

/// Where a debugger is, its stops fall between the calls of the allocator and their returns.
#[test]
fn a_process_under_a_debugger_that_stops_it_all_the_time_is_counted_exactly_and_the_debugger_is_named() {
    let mut program = Target::c("leak", &[]);
    let pid = program.pid().to_string();
    let mut debugger = Target::c("debugger", &[&pid]);
    let memtrace = Memtrace::follow(&program);
    for _ in 0..20 {
        debugger.go(50);
        program.go(20);
    }
    let books: Books = program.books();
    let stops: DebuggerBooks = debugger.books();
    assert!(stops.stops > 20, "the debugger held it: {}", stops.stops);
    let report = memtrace.stop();
    report.assert_nothing_lost();
    let figures = &report.process(program.pid()).figures;
    assert_eq!(
        (figures.live_blocks, figures.live_bytes),
        (books.leaked.live_blocks, books.leaked.live_bytes)
    );
    assert_eq!(figures.allocations, books.leaked.allocations + books.churned);
    assert!(program.is_alive());
    assert_told(&report.said.warnings, program.pid(), &format!("process {} debugs it", debugger.pid()));
}

#[test]
fn a_go_program_is_left_alone_and_the_reason_is_told() {
    let mut program = Target::c("gopher", &[]);
    let memtrace = Memtrace::start(&["--pid", &program.pid().to_string()]);
    memtrace.wait_for_process(program.pid(), "it is shown all the same", |_| true);
    memtrace.wait_for_snapshot("a later look", |_| Some(()));
    program.go(1_000);
    let report = memtrace.stop();
    let process = report.process(program.pid());
    assert_eq!((process.probes, process.figures.allocations), (0, 0));
    assert_told(&report.said.warnings, program.pid(), "a Go program");
}

fn assert_told(warnings: &[Value], pid: u32, words: &str) {
    let told = warnings.iter().filter(|warning| warning["pid"] == pid);
    assert!(told.clone().any(|warning| warning.to_string().contains(words)), "{words}: {warnings:?}");
}
