//! Processes of odd shapes, and those that change theirs, while windows open and close in them.

use std::time::Duration;

use serde_json::Value;

use crate::support::hot::{Books, Heat, share_machine};
use crate::support::memtrace::Memtrace;
use crate::support::report::Report;
use crate::support::target::Target;
use crate::support::{comm, poll};

/// A hot program in windows, of which a few have closed.
fn in_windows(program: &mut Target) -> Memtrace {
    let memtrace = Memtrace::follow_within_budget(program, &["--max-overhead", "5%"]);
    program.heat(Heat::Hot);
    memtrace.wait_for_windows(program.pid(), 5);
    memtrace
}

fn stop_well(memtrace: Memtrace, program: &mut Target) -> Report {
    assert!(program.is_alive());
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    assert!(!report.said.stderr.contains("panicked"), "{}", report.said.stderr);
    program.heat(Heat::Cool);
    assert!(program.quit().success());
    report
}

#[test]
fn a_program_that_executes_another_between_windows_is_traced_anew() {
    let _shared = share_machine();
    let mut program = Target::hot(1, 0, &[]);
    let memtrace = in_windows(&mut program);
    for _ in 0..3 {
        program.exec_as(&comm::unique("exec"));
        let new = memtrace.wait_for_process(program.pid(), "the new image is traced exactly", |process| {
            process.overhead.tier == "exact" && process.probes > 0 && process.figures.live_blocks < 10
        });
        assert_eq!(new.overhead.windows, 0, "what was spent on the old image is not told of the new");
        program.heat(Heat::Plant);
        memtrace.wait_for_process(program.pid(), "its blocks are seen", |process| {
            process.site_of("plant_here").is_some_and(|site| site.figures.live_bytes == 1_000_000)
        });
        program.heat(Heat::Hot);
        memtrace.wait_for_windows(program.pid(), 3);
    }
    stop_well(memtrace, &mut program);
}

/// A child that is forked while probes are armed has breakpoints in its memory, and no one to ask for them.
#[test]
fn children_that_are_born_between_and_in_windows_live_and_end_well() {
    let _shared = share_machine();
    let mut program = Target::hot(1, 0, &[]);
    let memtrace = in_windows(&mut program);
    let before = memtrace.wait_for_windows(program.pid(), 1).overhead.windows;
    let mut children = 0;
    // Until windows have opened among them.
    while memtrace.wait_for_windows(program.pid(), 1).overhead.windows < before + 20 {
        for how in [Heat::Fork, Heat::Vfork, Heat::Spawn] {
            program.heat(how);
            children += 30;
        }
    }
    let after = memtrace.wait_for_windows(program.pid(), before + 20);
    let books: Books = program.books();
    assert!(books.children == children && children > 0, "{books:?}");
    assert!(after.figures.live_bytes < 50_000_000, "nothing is kept: {:?}", after.figures);
    stop_well(memtrace, &mut program);
}

#[test]
fn eight_threads_are_watched_in_windows() {
    let _shared = share_machine();
    let mut program = Target::hot(8, 50, &[]);
    let memtrace = in_windows(&mut program);
    program.heat(Heat::Leaking);
    memtrace.wait_for_process(program.pid(), "the leak is seen among the threads", |process| {
        process.site_of("leak_here").is_some_and(|site| site.sampled_blocks > 0)
    });
    let report = stop_well(memtrace, &mut program);
    let overhead = &report.process(program.pid()).overhead;
    assert!(overhead.spent_share < 0.05 * 1.3, "{overhead:?}");
}

#[test]
fn a_process_whose_first_thread_has_ended_is_watched_in_windows() {
    let _shared = share_machine();
    let mut program = Target::hot(2, 0, &["orphans"]);
    let state =
        || std::fs::read_to_string(format!("/proc/{}/stat", program.pid())).expect("the process runs");
    poll::wait_until("the first thread has ended", || state().contains(") Z ").then_some(()), state);
    let memtrace = in_windows(&mut program);
    stop_well(memtrace, &mut program);
}

#[test]
fn a_process_under_a_debugger_that_stops_it_all_the_time_is_watched_in_windows() {
    let _shared = share_machine();
    let mut program = Target::hot(1, 0, &[]);
    let mut debugger = Target::c("debugger", &[&program.pid().to_string()]);
    let memtrace = in_windows(&mut program);
    let before = memtrace.wait_for_windows(program.pid(), 1).overhead.windows;
    let mut stops = 0;
    while stops <= 20 || memtrace.wait_for_windows(program.pid(), 1).overhead.windows < before + 20 {
        // Signals that are pending are one.
        debugger.go(50);
        stops = debugger.books::<Value>()["stops"].as_u64().expect("a number");
    }
    stop_well(memtrace, &mut program);
}

/// Probes are written under the lock that it holds, and its memory is read under the same.
#[test]
fn a_process_that_holds_the_lock_of_its_address_space_does_not_hold_up_reports() {
    let _shared = share_machine();
    let mut program = Target::hot(1, 100, &["maps"]);
    let memtrace = in_windows(&mut program);
    let before: Books = program.books();
    memtrace.wait_for_windows(program.pid(), 15);
    let after: Books = program.books();
    assert!(after.maps > before.maps, "it maps all the time");
    let report = stop_well(memtrace, &mut program);
    let gaps = report.said.snapshots.windows(2).map(|pair| pair[1].elapsed_ns - pair[0].elapsed_ns);
    let longest = Duration::from_nanos(gaps.max().expect("there are snapshots"));
    assert!(longest < Duration::from_secs(2), "reports come every 200 ms; the longest gap was {longest:?}");
}
