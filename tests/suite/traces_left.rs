//! What memtrace leaves behind when it goes: nothing, however it goes.

use crate::support::memtrace::Memtrace;
use crate::support::poll;
use crate::support::target::Target;
use crate::support::text_segment::changed_libc_bytes;
use crate::support::traces::tracefs_events;

#[test]
fn a_stopped_memtrace_leaves_no_probe() {
    assert_no_probe_after(|memtrace| {
        let report = memtrace.stop();
        assert_eq!(report.status.code(), Some(0), "stderr: {}", report.said.stderr);
    });
}

#[test]
fn a_killed_memtrace_leaves_no_probe() {
    assert_no_probe_after(Memtrace::kill);
}

/// A probe is a changed instruction, and only in processes that are traced.
fn assert_no_probe_after(end: impl FnOnce(Memtrace)) {
    let mut program = Target::c("semantics", &["realloc_moves"]);
    let untouched = Target::c("leak", &[]);
    assert_eq!(changed_libc_bytes(program.pid()), 0);
    let memtrace = Memtrace::follow(&program);
    program.go(10);
    assert!(changed_libc_bytes(program.pid()) > 0, "the test can see a probe");
    assert_eq!(changed_libc_bytes(untouched.pid()), 0, "a process that is not traced is not touched");
    let own = memtrace.kernel_pid().as_raw_pid().cast_unsigned();
    end(memtrace);
    let clean = || (changed_libc_bytes(program.pid()) == 0).then_some(());
    poll::wait_until("libc's code is as in its file again", clean, String::new);
    assert_eq!(tracefs_events(own), "", "no tracefs event is left");
    program.go(10);
    assert!(program.is_alive());
}
