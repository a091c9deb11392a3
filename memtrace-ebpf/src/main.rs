//! memtrace's BPF programs: where each is attached, and the function that handles it.
//!
//! In: allocator calls of traced processes (uprobes) and process lifecycle (tracepoints). Out: records in one ring
//! buffer, and counters. It refuses to decide anything that the daemon can decide later: blocks, sites, names and
//! lines are the daemon's.
//!
//! Invariant: whatever a target has in its memory, a program ends after a bounded number of steps, writes only to
//! its own maps, and counts what it gave up under a [`memtrace_common::DropReason`] or a
//! [`memtrace_common::StackEnd`].
//!
//! Every entry program exists twice: one per call shape for kernels that attach probes one at a time (5.10 on), and
//! one for all shapes that takes the shape from the attach cookie (`uprobe_multi`, 6.6 on; the daemon loads it with
//! that attach type, so its section says plain `uprobe`).
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![expect(missing_docs, reason = "aya's attribute macros emit a second, undocumented item for each program")]

mod allocate;
mod block_return;
mod call_arguments;
mod emit;
mod lifecycle;
mod maps;
mod meter;
mod pending;
mod sampling;
mod stack;
mod user_memory;

use aya_ebpf::{
    EbpfContext as _,
    helpers::bpf_get_attach_cookie,
    macros::{tracepoint, uprobe, uretprobe},
    programs::{ProbeContext, RetProbeContext, TracePointContext},
};
use memtrace_common::Call;

macro_rules! entry_programs {
    ($($name:ident => $call:ident),+ $(,)?) => {
        $(
            /// Entry of the calls of one shape.
            #[uprobe]
            pub fn $name(ctx: ProbeContext) -> u32 {
                allocate::enter(&ctx, Call::$call);
                0
            }
        )+

        /// Entry of any call: the attach cookie says which shape.
        #[uprobe]
        // As a function of its own it would have a symbol whose name depends on where it was built.
        #[inline(always)]
        pub fn enter_any(ctx: ProbeContext) -> u32 {
            // SAFETY: the helper takes the program's own context, which is what `as_ptr` gives.
            let cookie = unsafe { bpf_get_attach_cookie(ctx.as_ptr()) };
            $(if cookie == Call::$call as u64 { allocate::enter(&ctx, Call::$call); })+
            0
        }
    };
}

entry_programs! {
    enter_malloc => Malloc,
    enter_calloc => Calloc,
    enter_realloc => Realloc,
    enter_reallocarray => Reallocarray,
    enter_free => Free,
    enter_posix_memalign => PosixMemalign,
    enter_aligned_alloc => AlignedAlloc,
    enter_python_malloc => PythonMalloc,
    enter_python_calloc => PythonCalloc,
    enter_python_realloc => PythonRealloc,
    enter_python_free => PythonFree,
}

/// Return of any call: what was entered is in the thread's entry of `THREADS`.
#[uretprobe]
pub fn leave(ctx: RetProbeContext) -> u32 {
    block_return::leave(&ctx);
    0
}

/// `task:task_newtask`.
#[tracepoint]
pub fn task_newtask(ctx: TracePointContext) -> u32 {
    lifecycle::forked(&ctx);
    0
}

/// `sched:sched_process_exec`.
#[tracepoint]
pub fn sched_process_exec(ctx: TracePointContext) -> u32 {
    lifecycle::executed(&ctx);
    0
}

/// `sched:sched_process_exit`, once a thread.
#[tracepoint]
pub fn sched_process_exit(_ctx: TracePointContext) -> u32 {
    lifecycle::exited();
    0
}

/// `task:task_rename`.
#[tracepoint]
pub fn task_rename(ctx: TracePointContext) -> u32 {
    lifecycle::renamed(&ctx);
    0
}

/// Attached to a function of the daemon's own: finds where the kernel keeps a thread's FS base.
#[uprobe]
pub fn find_fs_base(ctx: ProbeContext) -> u32 {
    stack::find_fs_base(&ctx);
    0
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Unreachable: nothing here can panic that the verifier would let through.
    loop {}
}

// GPL-compatible: reading user and kernel memory and the current task are GPL-only helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
