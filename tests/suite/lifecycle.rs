//! Processes that come, change and go, and what they leave behind.

use serde::Deserialize;

use crate::support::comm;
use crate::support::figures::Figures;
use crate::support::memtrace::Memtrace;
use crate::support::snapshot::State;
use crate::support::target::Target;

const ROUNDS: u64 = 100;

#[derive(Deserialize)]
struct ForkBooks {
    #[serde(flatten)]
    figures: Figures,
    child: ChildBooks,
}

#[derive(Deserialize)]
struct ChildBooks {
    pid: u32,
    #[serde(flatten)]
    figures: Figures,
}

/// Works and compares: the process must be attached to, and have allocated nothing since.
fn assert_exact(memtrace: Memtrace, program: &mut Target) {
    program.go(ROUNDS);
    let books: Figures = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_eq!(report.process(program.pid()).figures, books);
    assert!(program.is_alive());
}

#[test]
fn a_process_that_starts_later_is_picked_up() {
    let comm = comm::unique("late");
    let memtrace = Memtrace::follow_comm(&comm);
    let mut program = Target::c_as(comm, "leak", &[]);
    memtrace.wait_attached(program.pid());
    program.go(ROUNDS);
    let books: Figures = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_eq!(report.process(program.pid()).figures.live_bytes, books.live_bytes);
}

#[test]
fn a_process_that_takes_the_name_is_picked_up() {
    let comm = comm::unique("took");
    let memtrace = Memtrace::follow_comm(&comm);
    let mut program = Target::c("semantics", &["realloc_moves"]);
    program.take_comm(&comm);
    memtrace.wait_attached(program.pid());
    assert_exact(memtrace, &mut program);
}

#[test]
fn a_process_that_execs_into_the_name_is_picked_up() {
    let comm = comm::unique("exec");
    let memtrace = Memtrace::follow_comm(&comm);
    let mut program = Target::c("leak", &[]);
    program.exec_as(&comm);
    memtrace.wait_attached(program.pid());
    program.go(ROUNDS);
    let books: Figures = program.books();
    let report = memtrace.stop();
    assert_eq!(report.process(program.pid()).figures.live_bytes, books.live_bytes);
    assert_eq!(report.process(program.pid()).comm, comm);
}

#[test]
fn a_snapshot_says_who_a_process_is() {
    let program = Target::c("leak", &["and", "an argument"]);
    let memtrace = Memtrace::follow(&program);
    let report = memtrace.stop();
    let process = report.process(program.pid());
    assert_eq!(process.comm, program.comm());
    assert_eq!(process.cmdline[1..], ["and", "an argument"]);
    assert!(process.exe.as_deref().is_some_and(|exe| exe.ends_with("/leak")), "{:?}", process.exe);
    assert!(process.rss_bytes.is_some_and(|bytes| bytes > 0));
    assert_eq!(process.start_time_ticks, start_time_ticks(program.pid()));
}

/// Field 22 of `/proc/PID/stat`, counted after the comm, which may hold anything.
fn start_time_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let (_, fields) = stat.rsplit_once(") ").expect("stat has the comm in brackets");
    fields.split(' ').nth(22 - 3).and_then(|ticks| ticks.parse().ok()).expect("stat has 22 fields")
}

/// What an image held is gone with it: each begins at nothing.
#[test]
fn a_chain_of_execs_ends_with_the_last_images_books() {
    let mut program = Target::c("leak", &[]);
    let memtrace = Memtrace::follow(&program);
    for link in 0..20 {
        program.go(ROUNDS);
        program.exec_as(&comm::unique(&format!("x{link}")));
    }
    memtrace.wait_for_process(program.pid(), "the last image is traced and empty", |process| {
        process.probes > 0 && process.figures.live_blocks == 0 && process.comm == program.comm()
    });
    program.go(ROUNDS);
    let books: Figures = program.books();
    let report = memtrace.stop();
    let figures = report.process(program.pid()).figures;
    assert_eq!((figures.live_blocks, figures.live_bytes), (books.live_blocks, books.live_bytes));
    assert!(program.is_alive());
}

#[test]
fn a_forked_child_starts_empty_and_its_frees_of_inherited_blocks_are_counted_apart() {
    let mut parent = Target::c("forks", &["child"]);
    let memtrace = Memtrace::follow_comm(parent.comm());
    memtrace.wait_attached(parent.pid());
    parent.go(1);
    let child = parent.books::<ForkBooks>().child.pid;
    memtrace.wait_attached(child);
    parent.go(10);
    let books: ForkBooks = parent.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_eq!(report.process(child).figures, books.child.figures);
    assert_eq!(report.process(parent.pid()).figures, books.figures);
    assert_eq!(books.child.figures.frees_unknown, 10, "the child freed what it inherited");
}

/// A child that lives for less than a millisecond may go unseen; the parent's figures may not suffer from it.
#[test]
fn a_fork_storm_leaves_the_parents_figures_right_and_kills_nobody() {
    let mut parent = Target::c("forks", &["storm"]);
    let memtrace = Memtrace::follow_comm(parent.comm());
    memtrace.wait_attached(parent.pid());
    parent.go(500);
    let books: Figures = parent.books();
    let report = memtrace.stop();
    assert_eq!(report.process(parent.pid()).figures, books);
    assert!(parent.is_alive());
}

#[test]
fn a_vfork_child_works_in_its_parents_memory() {
    let mut parent = Target::c("forks", &["vfork"]);
    let memtrace = Memtrace::follow_with(&parent, &["--attach", "single"]);
    assert_exact(memtrace, &mut parent);
}

/// From Linux 6.12 on `uprobe_multi` filters by thread group: what a vfork child allocates and frees is not seen, and
/// shows when the parent is given the same addresses again.
#[test]
fn what_a_vfork_child_does_unseen_is_counted_once_it_shows() {
    let mut parent = Target::c("forks", &["vfork"]);
    let memtrace = Memtrace::follow(&parent);
    parent.go(ROUNDS);
    let books: Figures = parent.books();
    let report = memtrace.stop();
    report.assert_nothing_lost_but(&["free_inferred"]);
    let process = report.process(parent.pid());
    let unseen = books.allocations - process.figures.allocations;
    assert!(unseen < books.allocations, "the parent's own calls are seen: {process:?}");
    let Figures { live_blocks, allocations, frees, .. } = process.figures;
    assert_eq!(live_blocks, allocations - frees, "{process:?}");
}

#[test]
fn spawned_programs_leave_their_parents_figures_right() {
    let mut parent = Target::c("forks", &["spawn"]);
    let memtrace = Memtrace::follow(&parent);
    assert_exact(memtrace, &mut parent);
}

#[test]
fn an_exit_keeps_the_final_figures_for_one_report() {
    let mut program = Target::c("semantics", &["failed_realloc"]);
    let bystander = Target::c("leak", &[]);
    let memtrace = Memtrace::follow_with(&program, &["--pid", &bystander.pid().to_string()]);
    program.go(ROUNDS);
    let books: Figures = program.books();
    assert_eq!(program.quit().code(), Some(0));
    memtrace.wait_for_snapshot("the exited process is no longer reported", |snapshot| {
        (snapshot.process(program.pid()).is_none() && snapshot.process(bystander.pid()).is_some())
            .then_some(())
    });
    let report = memtrace.stop();
    let exits = report.exits_of(program.pid());
    assert_eq!(exits.len(), 1, "{exits:?}");
    assert_eq!(exits[0].figures, books);
    assert_eq!(exits[0].rss_bytes, None);
}

#[test]
fn a_comm_that_no_longer_matches_is_no_longer_picked_up_anew() {
    let comm = comm::unique("once");
    let mut program = Target::c("leak", &[]);
    let memtrace = Memtrace::follow_comm(&comm);
    program.take_comm(&comm);
    memtrace.wait_attached(program.pid());
    program.exec_as(&comm::unique("else"));
    memtrace.wait_for_snapshot("the process under another name is left alone", |snapshot| {
        let running = snapshot.process(program.pid()).filter(|process| process.state == State::Running);
        running.is_none().then_some(())
    });
    memtrace.stop();
    assert!(program.is_alive());
}
