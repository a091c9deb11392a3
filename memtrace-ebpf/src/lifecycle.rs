//! Processes that come, change and go.
//!
//! Fork, exec and rename are reported for every process of the machine, because the daemon looks for names; exit
//! only for traced ones. Nothing is read from kernel structures: the current task and the tracepoint's own fields
//! say it all, and the daemon passes the fields' offsets, which differ between kernels.

use aya_ebpf::{
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    programs::TracePointContext,
};
use aya_log_ebpf::debug;
use memtrace_common::{
    record::{Lifecycle, RecordKind, flags},
    settings::{
        Target,
        target_flags::{BORROWS_MEMORY, EXEC_SHIFT},
    },
};

use crate::{
    emit,
    maps::{TARGETS, THREADS, settings},
};

/// From `include/uapi/linux/sched.h`.
const CLONE_VM: u64 = 0x0000_0100;
const CLONE_THREAD: u64 = 0x0001_0000;

/// A task was created. Threads are nothing new; a process is, and one that borrows its parent's memory works for
/// its parent until it execs or exits.
#[inline(always)]
pub fn forked(ctx: &TracePointContext) {
    let _ = try_forked(ctx);
}

#[inline(always)]
fn try_forked(ctx: &TracePointContext) -> Option<()> {
    let settings = settings()?;
    // SAFETY: both offsets are within the tracepoint's record, the daemon took them from its format file.
    let flags_of_clone: u64 = unsafe { ctx.read_at(usize::from(settings.newtask_flags_offset)) }.ok()?;
    if flags_of_clone & CLONE_THREAD != 0 {
        return None;
    }
    // SAFETY: as above.
    let child: u32 = unsafe { ctx.read_at(usize::from(settings.newtask_pid_offset)) }.ok()?;
    let parent = (bpf_get_current_pid_tgid() >> 32) as u32;
    let target = target_of(parent).map_or(0, |target| target.target);
    let shares_memory = flags_of_clone & CLONE_VM != 0;
    if shares_memory && target != 0 {
        debug!(ctx, "process {} borrows the memory of {}", child, parent);
        // When the map is full the child's few calls are not seen: no worse than not knowing it.
        let _ = TARGETS.insert(&child, &Target { target, flags: BORROWS_MEMORY }, 0);
    }
    report(RecordKind::Forked, if shares_memory { flags::SHARES_MEMORY } else { 0 }, target, child, parent);
    Some(())
}

/// A process replaced its image.
#[inline(always)]
pub fn executed(ctx: &TracePointContext) {
    let process = (bpf_get_current_pid_tgid() >> 32) as u32;
    let target = release_borrower(process);
    if let Some(entry) = TARGETS.get_ptr_mut(&process) {
        // SAFETY: the entry of the current process, which does one thing at a time: it is in its exec.
        unsafe { (*entry).flags = (*entry).flags.wrapping_add(1 << EXEC_SHIFT) }
    }
    debug!(ctx, "process {} executed, target {}", process, target);
    let _ = THREADS.remove(&bpf_get_current_pid_tgid());
    let is_other_thread = forget_former_thread(ctx, process);
    let flags = if is_other_thread { flags::BY_OTHER_THREAD } else { 0 };
    report(RecordKind::Executed, flags, target, process, 0);
}

/// A thread that executes becomes the main thread (`de_thread`, fs/exec.c), and no exit is told of the id that it had.
/// True when it was another thread.
#[inline(always)]
fn forget_former_thread(ctx: &TracePointContext, process: u32) -> bool {
    let Some(settings) = settings() else { return false };
    // SAFETY: the offset is within the tracepoint's record, the daemon took it from its format file.
    let former = unsafe { ctx.read_at::<u32>(usize::from(settings.exec_old_pid_offset)) };
    let Ok(former) = former else { return false };
    let _ = THREADS.remove(&(u64::from(process) << 32 | u64::from(former)));
    former != process
}

/// A thread exited.
#[inline(always)]
pub fn exited() {
    let id = bpf_get_current_pid_tgid();
    let (process, thread) = ((id >> 32) as u32, id as u32);
    let _ = THREADS.remove(&id);
    let target = if process == thread {
        release_borrower(process)
    } else {
        target_of(process).map_or(0, |target| target.target)
    };
    if target != 0 {
        report(RecordKind::Exited, 0, target, process, 0);
    }
}

/// A task's comm changed, by itself or through /proc.
#[inline(always)]
pub fn renamed(ctx: &TracePointContext) {
    let Some(settings) = settings() else { return };
    // SAFETY: the offset is within the tracepoint's record, the daemon took it from its format file.
    let Ok(task) = (unsafe { ctx.read_at::<u32>(usize::from(settings.rename_pid_offset)) }) else { return };
    report(RecordKind::Renamed, 0, 0, task, 0);
}

/// The target that a process is, or 0: a borrower was none of its own, and is forgotten.
#[inline(always)]
fn release_borrower(process: u32) -> u32 {
    match target_of(process) {
        Some(target) if target.flags & BORROWS_MEMORY != 0 => {
            let _ = TARGETS.remove(&process);
            0
        }
        Some(target) => target.target,
        None => 0,
    }
}

#[inline(always)]
fn target_of(process: u32) -> Option<Target> {
    // SAFETY: values are two integers, written once per key.
    unsafe { TARGETS.get(&process) }.copied()
}

#[inline(always)]
fn report(kind: RecordKind, flags: u16, target: u32, process: u32, parent: u32) {
    let comm = bpf_get_current_comm().unwrap_or([0; 16]);
    emit::lifecycle(Lifecycle { header: emit::header(kind, 0, flags, target, 0), process, parent, comm });
}
