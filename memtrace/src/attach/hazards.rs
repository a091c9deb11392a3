//! Processes that probes would harm. Better not traced, with the reason told, than harmed.
//!
//! | hazard | what happens here |
//! |---|---|
//! | a 5- or 10-byte nop as probe site (6.18: the red zone is overwritten, forked children die) | never chosen, `probe/prologue.rs` |
//! | a seccomp filter that refuses the return probe's system call | refused on the kernels concerned, `kernel/seccomp.rs` |
//! | a shadow stack whose copy of the return address stays | refused on the kernels concerned, `kernel/shadow_stack.rs` |
//! | Go, which moves and scans stacks | refused: [`go_objection`] |
//! | coroutines on stacks of their own | traced: an allocator function returns on the stack that it was called on |
//! | a debugger | traced, and told: [`debugger_note`] |
//!
//! Invariant: what is asked here is asked before the first probe goes into a process.

use std::{fs, path::PathBuf};

use super::objects::Object;
use crate::{
    host::process,
    kernel::{seccomp, shadow_stack},
};

/// Why a process is not to be probed; `None` when nothing speaks against it.
pub(super) fn objection(pid: u32) -> Option<String> {
    seccomp::objection(pid).or_else(|| shadow_stack::objection(pid))
}

/// Go's runtime copies stacks to grow them and walks them to collect garbage; where a return probe has replaced a return
/// address it crashes ("unexpected return pc", golang issue 22008). C code called by Go runs on other stacks, but a
/// signal can have the runtime walk those too.
pub(super) fn go_objection(executable: &Object) -> Option<String> {
    executable.is_go.then(|| {
        "a Go program: its runtime walks its own stacks and dies where a return probe has changed them, so it is not \
         traced; Go's own heap is in its pprof"
            .to_owned()
    })
}

/// A debugger sees the breakpoints that probes are, and can write them into dumps or back into the code.
pub(super) fn debugger_note(pid: u32) -> Option<String> {
    let status = fs::read_to_string(PathBuf::from(format!("/proc/{pid}/status"))).ok()?;
    // A thread of the debugger, for ptrace belongs to threads.
    let tracer = tracer_of(&status)?;
    let tracer = process::process_of(tracer).unwrap_or(tracer);
    Some(format!("process {tracer} debugs it: it sees memtrace's probes as breakpoints in the code"))
}

fn tracer_of(status: &str) -> Option<u32> {
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    tracer.trim().parse().ok().filter(|tracer| *tracer != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debugger_is_known_by_its_pid() {
        assert_eq!(tracer_of("Name:\tx\nTracerPid:\t4242\nUid:\t0\n"), Some(4242));
        assert_eq!(tracer_of("Name:\tx\nTracerPid:\t0\n"), None);
        assert_eq!(tracer_of(""), None);
    }
}
