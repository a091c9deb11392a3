//! Processes that are gone before anybody looks.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::memtrace::Memtrace;
use crate::support::{comm, compile};

/// What `brief` keeps: ten blocks of 1,000 bytes.
const BRIEF_BYTES: u64 = 10_000;

fn brief(executable: &Path, milliseconds: &str) -> Child {
    Command::new(executable)
        .args([milliseconds, "7"])
        .stdin(Stdio::null())
        .spawn()
        .expect("the program starts")
}

#[test]
fn a_hundred_processes_of_a_tenth_of_a_second_are_all_reported_and_none_is_harmed() {
    let home = tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable");
    let comm = comm::unique("brief");
    let link = home.path().join(&comm);
    symlink(compile::program("brief"), &link).expect("a new directory takes a link");
    let memtrace = Memtrace::follow_comm(&comm);
    let mut pids = Vec::new();
    for _ in 0..20 {
        let children: Vec<Child> = (0..5).map(|_| brief(&link, "100")).collect();
        for mut child in children {
            pids.push(child.id());
            assert_eq!(
                child.wait().expect("it is our child").code(),
                Some(7),
                "it ends as it would untraced"
            );
        }
    }
    memtrace.wait_for_snapshot("the last has left", |snapshot| snapshot.processes.is_empty().then_some(()));
    let report = memtrace.stop();
    let unseen: Vec<u32> = pids.iter().copied().filter(|pid| report.exits_of(*pid).is_empty()).collect();
    assert!(
        unseen.is_empty(),
        "of {} processes, these were never reported as exited: {unseen:?}",
        pids.len()
    );
}

/// The kernel hands out the number after the one in `ns_last_pid`, unless another process is quicker.
#[test]
fn a_process_that_is_given_an_old_pid_is_another_process() {
    let home = tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable");
    let comm = comm::unique("again");
    let link = home.path().join(&comm);
    symlink(compile::program("brief"), &link).expect("a new directory takes a link");
    let memtrace = Memtrace::follow_comm(&comm);
    let mut first = brief(&link, "3000");
    let pid = first.id();
    memtrace.wait_attached(pid);
    first.wait().expect("it is our child");
    let again = (0..200).any(|_| {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())
            .expect("root may choose the next pid");
        let mut next = brief(&link, "3000");
        let given = next.id() == pid;
        if given {
            memtrace.wait_attached(pid);
        }
        next.kill().expect("it runs for half a second");
        next.wait().expect("it is our child");
        given
    });
    assert!(again, "the pid {pid} was never given out again");
    let report = memtrace.stop();
    let seen = report.said.snapshots.iter().filter_map(|snapshot| snapshot.process(pid));
    let starts: BTreeSet<u64> = seen.map(|process| process.start_time_ticks).collect();
    assert_eq!(starts.len(), 2, "two processes had the pid {pid}: {starts:?}");
}

#[test]
fn a_program_that_memtrace_starts_is_traced_from_its_first_instruction() {
    let program = compile::program("brief");
    let memtrace = Memtrace::start(&["--", program.to_str().expect("a path of plain text"), "100", "0"]);
    let report = memtrace.finish();
    assert_eq!(report.status.code(), Some(0), "stderr: {}", report.said.stderr);
    let mut seen = report.said.snapshots.iter().flat_map(|snapshot| &snapshot.processes);
    let process = seen.next_back().unwrap_or_else(|| panic!("never reported: {report:?}"));
    let sum = process.innermost_of(&["allocate_ten"], "allocate_ten");
    assert_eq!((sum.live_blocks, sum.live_bytes), (10, BRIEF_BYTES), "{process:#?}");
    assert!(report.said.end.is_some(), "the end is said");
}
