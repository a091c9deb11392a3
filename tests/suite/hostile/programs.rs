//! C programs that use stacks, signals, names, threads and system calls against a tracer.

use std::fs;
use std::time::Instant;

use serde::Deserialize;

use crate::support::comm;
use crate::support::compile;
use crate::support::figures::Figures;
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;

#[derive(Deserialize)]
struct Books {
    #[serde(flatten)]
    figures: Figures,
    interrupted: u64,
}

/// Works under a tracer, and compares everything.
fn assert_exact(mode: &str, rounds: u64) {
    let mut program = Target::c("hostile", &[mode]);
    let memtrace = Memtrace::follow(&program);
    program.go(rounds);
    let books: Books = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_eq!(report.process(program.pid()).figures, books.figures, "{mode}");
    assert!(program.is_alive(), "{mode}");
}

#[test]
fn coroutines_on_stacks_of_their_own_are_counted_exactly() {
    assert_exact("coroutines", 500);
}

#[test]
fn a_program_that_is_killed_for_any_new_system_call_survives_return_probes() {
    assert_exact("seccomp", 2_000);
}

/// A call that a signal handler's call interrupts cannot be told from an abandoned one: it is counted as lost, and
/// nothing else goes astray.
#[test]
fn calls_of_a_signal_handler_are_counted_and_the_call_that_it_interrupts_is_counted_as_lost() {
    const ROUNDS: u64 = 200;
    let mut program = Target::c("hostile", &["interrupted"]);
    let memtrace = Memtrace::follow(&program);
    program.go(ROUNDS);
    let books: Books = program.books();
    assert_eq!(books.interrupted, ROUNDS);
    let report = memtrace.stop();
    report.assert_nothing_lost_but(&["return_lost"]);
    assert_eq!(report.process(program.pid()).figures, books.figures);
    assert_eq!(report.last().quality.dropped["return_lost"], ROUNDS);
}

#[test]
fn frame_pointers_that_lead_nowhere_or_in_circles_end_the_stack_for_a_reason() {
    const ROUNDS: u64 = 60;
    let mut program = Target::c("hostile", &["pointers"]);
    let memtrace = Memtrace::follow(&program);
    program.go(ROUNDS);
    let books: Books = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_eq!(report.process(program.pid()).figures, books.figures);
    let ended = &report.last().quality.stacks_ended;
    // Those that lead nowhere leave one frame, the one that is its own caller two.
    assert!(ended["complete"] >= 1 && ended["no_frame_pointer"] >= 2 && ended["truncated"] >= 1, "{ended:?}");
}

#[test]
fn a_program_that_renames_itself_all_the_time_is_traced_and_costs_little() {
    let mut program = Target::c("hostile", &["renames"]);
    let memtrace = Memtrace::follow(&program);
    let start = Instant::now();
    program.go(200_000);
    let rate = 200_000.0 / start.elapsed().as_secs_f64();
    println!("{rate:.0} renames a second");
    let books: Books = program.books();
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    report.assert_nothing_lost_but(&["lifecycle_ring_full"]);
    let process = report.process(program.pid());
    assert_eq!(process.figures, books.figures);
    assert!(process.comm.starts_with("\u{1b}[2J"), "{:?}", process.comm);
}

#[test]
fn thousands_of_threads_are_counted_exactly() {
    const ROUNDS: u64 = 6;
    const THREADS: u64 = 500;
    let mut program = Target::c("hostile", &["threads"]);
    let memtrace = Memtrace::follow(&program);
    program.go(ROUNDS);
    let report = memtrace.stop();
    report.assert_nothing_lost();
    let kept = report.process(program.pid()).innermost_of(&["allocate_in_thread"], "allocate_in_thread");
    assert_eq!(kept.live_blocks, ROUNDS * THREADS * 8);
    assert!(report.process(program.pid()).figures.frees >= ROUNDS * THREADS);
}

#[test]
fn a_program_that_loads_very_many_libraries_is_traced_in_each() {
    const LIBRARIES: usize = 600;
    let directory = tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable");
    let library = compile::library("tiny");
    let copies: Vec<String> = (0..LIBRARIES)
        .map(|index| {
            let copy = directory.path().join(format!("libtiny{index}.so"));
            fs::copy(&library, &copy).expect("there is room for a small file");
            copy.to_str().expect("our own name").to_owned()
        })
        .collect();
    let arguments: Vec<&str> = ["libraries"].into_iter().chain(copies.iter().map(String::as_str)).collect();
    let mut program = Target::c("hostile", &arguments);
    let memtrace = Memtrace::follow(&program);
    program.go(LIBRARIES as u64 / 100);
    let report = memtrace.stop();
    report.assert_nothing_lost();
    let process = report.process(program.pid());
    let named = process.innermost_of(&["allocate"], "allocate");
    // A library that was loaded a moment after the last look at the mappings has no name in its first stack.
    let nameless = process.sum(|site| {
        site.frames.first().is_some_and(|frame| frame.reason.as_deref() == Some("not_in_a_file"))
    });
    assert_eq!(named.live_bytes + nameless.live_bytes, LIBRARIES as u64 * 4321);
    assert!(named.live_blocks > LIBRARIES as u64 / 2, "{} of {LIBRARIES} have a name", named.live_blocks);
    println!("{} of {LIBRARIES} have a name", named.live_blocks);
}

#[test]
fn a_program_that_executes_itself_in_a_loop_is_traced_when_it_rests() {
    let comm = comm::unique("exec");
    let memtrace = Memtrace::follow_comm(&comm);
    let mut program = Target::c_as(comm, "hostile", &["execs"]);
    memtrace.wait_attached(program.pid());
    // Each exec is told of; the last one clears the books.
    memtrace
        .wait_for_process(program.pid(), "the last exec is over", |process| process.figures.live_blocks == 0);
    program.go(100);
    let books: Books = program.books();
    memtrace
        .wait_for_process(program.pid(), "its books are shown", |process| process.figures == books.figures);
    assert_eq!(memtrace.stop().status.code(), Some(0));
}
