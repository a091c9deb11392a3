//! What is left of windows: nothing, however memtrace ends.

use std::fs;

use crate::support::hot::{Heat, share_machine};
use crate::support::memtrace::Memtrace;
use crate::support::poll;
use crate::support::target::Target;
use crate::support::text_segment::changed_libc_bytes;
use crate::support::traces::tracefs_events;

#[test]
fn a_memtrace_that_is_stopped_while_windows_open_and_close_leaves_no_probe_and_no_event() {
    let _shared = share_machine();
    let mut program = Target::hot(1, 0, &[]);
    let memtrace = in_windows(&mut program);
    let own = memtrace.kernel_pid().as_raw_pid().cast_unsigned();
    assert_ne!(tracefs_events(own), "", "the test can see an event");
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    assert_eq!(tracefs_events(own), "");
    assert_untouched(&mut program);
}

/// Nothing can be cleaned up by who is killed: the kernel disarms, and definitions wait for the next memtrace.
#[test]
fn a_memtrace_that_is_killed_in_a_window_leaves_no_probe_and_the_next_one_removes_its_events() {
    let _shared = share_machine();
    for _ in 0..3 {
        let mut program = Target::hot(1, 0, &[]);
        let memtrace = in_windows(&mut program);
        let own = memtrace.kernel_pid().as_raw_pid().cast_unsigned();
        // Windows are short, and most of the time none is open: so when one is.
        poll::wait_until(
            "a window is open",
            || (changed_libc_bytes(program.pid()) > 0).then_some(()),
            String::new,
        );
        memtrace.kill();
        assert_untouched(&mut program);
        let mut other = Target::c("leak", &[]);
        let next = Memtrace::follow_within_budget(&other, &[]);
        assert_eq!(tracefs_events(own), "", "the next one sweeps");
        other.go(1);
        drop(next.stop());
    }
}

fn in_windows(program: &mut Target) -> Memtrace {
    let memtrace = Memtrace::follow_within_budget(program, &["--max-overhead", "5%"]);
    program.heat(Heat::Hot);
    memtrace.wait_for_windows(program.pid(), 5);
    memtrace
}

fn assert_untouched(program: &mut Target) {
    let clean = || (changed_libc_bytes(program.pid()) == 0).then_some(());
    poll::wait_until("libc's code is as in its file again", clean, String::new);
    let threads = fs::read_dir(format!("/proc/{}/task", program.pid())).expect("it runs").count();
    assert_eq!(threads, 2, "the first and a worker");
    program.heat(Heat::Cool);
    assert!(program.is_alive());
    assert!(program.quit().success());
}
