//! Return of an allocator call: what was handed out, and from which stack.

use aya_ebpf::programs::RetProbeContext;
use memtrace_common::{Call, Counter, Domain, DropReason, record::flags};

use crate::{
    emit,
    maps::{count, lose},
    meter,
    pending::{self, Pending, Thread},
    sampling::UNSAMPLED,
    stack, user_memory,
};

/// Handles a return. It may be a nested call's, or one of a process that is no longer traced: then nothing matches.
#[inline(always)]
pub fn leave(ctx: &RetProbeContext) {
    let _ = try_leave(ctx);
}

#[inline(always)]
fn try_leave(ctx: &RetProbeContext) -> Option<()> {
    let thread = pending::current()?;
    count(Counter::Hits);
    // SAFETY: `regs` points to the registers after the return for as long as the program runs.
    let stack_pointer = unsafe { (*ctx.regs).rsp };
    // Where PyObject_Malloc tail-calls malloc both return with one stack pointer, malloc first.
    let (call, domain) = match thread.libc.take_returning(stack_pointer) {
        Some(call) => (call, Domain::Libc),
        None => (thread.python.take_returning(stack_pointer)?, Domain::Pymalloc),
    };
    let (target, entered_ns) = (call.target, call.entered_ns);
    // What came before is taken for part of the trap.
    thread.return_began_ns = meter::begun(call.window);
    let finished = finish(ctx, thread, call, domain);
    meter::returned(target, entered_ns, thread.return_began_ns);
    finished
}

#[inline(always)]
fn finish(ctx: &RetProbeContext, thread: &mut Thread, call: Pending, domain: Domain) -> Option<()> {
    match domain {
        Domain::Libc => libc_block(ctx.ret(), thread, call)?,
        Domain::Pymalloc => python_block(ctx.ret(), thread, call)?,
    }
    report(ctx, thread)
}

#[inline(always)]
fn libc_block(result: u64, thread: &mut Thread, call: Pending) -> Option<()> {
    let is_memalign = call.call == Call::PosixMemalign as u8;
    let address = if is_memalign {
        if result as i32 != 0 {
            return None;
        }
        let stored = user_memory::read::<u64>(call.pointer);
        if stored.is_none() {
            lose(DropReason::ResultUnreadable);
        }
        stored?
    } else {
        result
    };
    if thread.python.call != 0 {
        thread.python_inner_block = address;
    }
    let is_realloc = !is_memalign && call.pointer != 0;
    thread.returned.set(call, Domain::Libc, address, 0, is_realloc);
    Some(())
}

#[inline(always)]
fn python_block(address: u64, thread: &mut Thread, call: Pending) -> Option<()> {
    // Served by libc after all: a size of 0, no arena to be had, PYTHONMALLOC=malloc. libc's record counts it.
    let is_libc = address != 0 && address == thread.python_inner_block;
    if is_libc && call.pointer == 0 {
        return None;
    }
    let record_flags = if is_libc { flags::NEW_BLOCK_IS_LIBC } else { 0 };
    thread.returned.set(call, Domain::Pymalloc, address, record_flags, call.pointer != 0);
    Some(())
}

#[inline(always)]
fn report(ctx: &RetProbeContext, thread: &mut Thread) -> Option<()> {
    let returned = &thread.returned;
    if returned.address == 0 && returned.is_realloc == 0 {
        return None;
    }
    if returned.call.thinning == UNSAMPLED {
        if returned.is_realloc == 0 {
            emit::handed_out(returned);
        } else {
            emit::returned(returned, 0);
        }
        return Some(());
    }
    if returned.address == 0 {
        emit::returned(returned, 0);
        return Some(());
    }
    let stack_id = stack::capture(ctx, thread);
    let returned = &thread.returned;
    emit::returned(returned, stack_id);
    meter::reported(returned.call.target, returned.time_ns, emit::now());
    Some(())
}
