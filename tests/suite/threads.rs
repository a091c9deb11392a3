//! Many threads, many processes of one name, and a first thread that is gone.

use std::fs;

use crate::support::comm;
use crate::support::figures::Figures;
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;

#[test]
fn fifty_threads_are_one_process_with_exact_figures() {
    let mut crowd = Target::c("threads", &["crowd"]);
    let memtrace = Memtrace::follow(&crowd);
    for _ in 0..3 {
        crowd.go(500);
    }
    let books: Figures = crowd.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_eq!(books.allocations, 3 * 50 * 500 * 2);
    assert_eq!(report.process(crowd.pid()).figures, books);
}

/// The process is a zombie to whoever looks at its first thread only; its memory is not gone.
#[test]
fn a_process_whose_first_thread_has_ended_is_followed_to_its_end() {
    for is_by_name in [false, true] {
        let mut orphans = Target::c("threads", &["orphans"]);
        let state = || fs::read_to_string(format!("/proc/{}/stat", orphans.pid())).expect("the process runs");
        crate::support::poll::wait_until(
            "the first thread has ended",
            || state().contains(") Z ").then_some(()),
            state,
        );
        let memtrace = if is_by_name {
            let memtrace = Memtrace::follow_comm(orphans.comm());
            memtrace.wait_attached(orphans.pid());
            memtrace
        } else {
            Memtrace::follow(&orphans)
        };
        orphans.go(1_000);
        let books: Figures = orphans.books();
        let report = memtrace.stop();
        report.assert_nothing_lost();
        assert_eq!(report.process(orphans.pid()).figures, books, "by name: {is_by_name}");
    }
}

#[test]
fn a_first_thread_that_ends_while_it_is_traced_does_not_end_the_process() {
    let comm = comm::unique("late");
    let memtrace = Memtrace::follow_comm(&comm);
    let mut orphans = Target::c_as(comm, "threads", &["orphans"]);
    memtrace.wait_attached(orphans.pid());
    orphans.go(1_000);
    let books: Figures = orphans.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    let figures = report.process(orphans.pid()).figures;
    // Starting its threads allocates as well, if it was seen.
    assert!(figures.allocations >= books.allocations, "{figures:?}, {books:?}");
    assert!(figures.allocations <= books.allocations + 10, "{figures:?}, {books:?}");
    assert_eq!(figures.frees, books.frees);
}

#[test]
fn processes_of_one_name_that_start_together_are_kept_apart() {
    let comm = comm::unique("many");
    let memtrace = Memtrace::follow_comm(&comm);
    let starters: Vec<_> = (0..12)
        .map(|_| {
            let comm = comm.clone();
            std::thread::spawn(move || Target::c_as(comm, "leak", &[]))
        })
        .collect();
    let mut programs: Vec<Target> =
        starters.into_iter().map(|starter| starter.join().expect("the program starts")).collect();
    for program in &programs {
        memtrace.wait_attached(program.pid());
    }
    let books: Vec<Figures> = (50..)
        .zip(&mut programs)
        .map(|(rounds, program)| {
            program.go(rounds);
            program.books()
        })
        .collect();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    for (program, books) in programs.iter().zip(&books) {
        let figures = report.process(program.pid()).figures;
        assert_eq!((figures.live_blocks, figures.live_bytes), (books.live_blocks, books.live_bytes));
    }
}

/// Such a thread becomes the process' first, and the one that was the first goes, with all that hung on it.
#[test]
fn an_exec_by_another_thread_than_the_first_is_followed() {
    for backend in ["multi", "single"] {
        let mut program = Target::c("threads", &["elsewhere"]);
        let memtrace = Memtrace::follow_with(&program, &["--attach", backend]);
        program.go(10);
        program.exec_as(&comm::unique("exec"));
        memtrace.wait_for_process(program.pid(), "the new image is traced", |process| {
            process.figures.allocations == 0 && process.probes > 0
        });
        program.go(100);
        let books: Figures = program.books();
        let report = memtrace.stop();
        report.assert_nothing_lost();
        assert_eq!(report.process(program.pid()).figures, books, "{backend}");
    }
}
