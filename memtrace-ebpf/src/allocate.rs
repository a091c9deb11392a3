//! Entry of an allocator call: a free is reported at once, everything else is kept until it returns.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, programs::ProbeContext};
use memtrace_common::{
    Allowance, Call, Counter, Domain, Meter,
    record::RecordKind,
    settings::{Target, target_flags::EXEC_SHIFT},
};

use crate::{
    call_arguments::Arguments,
    emit,
    maps::{TARGETS, count},
    meter,
    pending::{self, Entry, FRAME_WORDS_MAX, Pending, Thread},
    sampling,
};

/// Handles the entry of `call`.
#[inline(always)]
pub fn enter(ctx: &ProbeContext, call: Call) {
    let _ = try_enter(ctx, call);
}

#[inline(always)]
fn try_enter(ctx: &ProbeContext, call: Call) -> Option<()> {
    let process = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: entries are written by the daemon and by `lifecycle`; a torn read of two aligned integers that are
    // written once per key is not possible.
    let Target { target, flags } = *unsafe { TARGETS.get(&process) }?;
    count(Counter::Hits);
    let meter = meter::of(target);
    let allowance = meter::entered(target, meter, call);
    // What came before is taken for part of the trap.
    let began_ns = meter::begun(allowance.window);
    let pending = begin(ctx, call, Target { target, flags }, meter, &allowance);
    let ended_ns = meter::ran(meter, began_ns);
    if let Some(pending) = pending {
        pending.entered_ns = ended_ns;
    }
    Some(())
}

/// Gives back what waits for its return.
#[inline(always)]
fn begin(
    ctx: &ProbeContext,
    call: Call,
    Target { target, flags }: Target,
    meter: Option<*mut Meter>,
    allowance: &Allowance,
) -> Option<&'static mut Pending> {
    let arguments = Arguments::of(ctx, call)?;
    // SAFETY: `regs` points to the registers at the probe for as long as the program runs.
    let registers = unsafe { &*ctx.regs };
    let frame_words = if call.has_result() { 1 } else { FRAME_WORDS_MAX };
    let entry = Entry { stack_pointer: registers.rsp, instruction: registers.rip, frame_words };

    if !call.has_result() {
        free(call, entry, target, allowance.window, arguments.pointer);
        return None;
    }
    if arguments.is_left_to_libc(call) {
        return None;
    }
    let thread = pending::current_or_new()?;
    if slot(thread, call).encloses(entry) {
        return None;
    }
    if call.domain() as u8 == Domain::Pymalloc as u8 {
        thread.python_inner_block = 0;
    }
    let slot = slot(thread, call);
    let thinning = sampling::decide(target, allowance, meter, arguments.size_bytes, entry.stack_pointer);
    *slot = Pending {
        stack_pointer: entry.stack_pointer,
        pointer: arguments.pointer,
        size_bytes: arguments.size_bytes,
        target,
        execs: flags >> EXEC_SHIFT,
        call: call as u8,
        thinning,
        nested: 0,
        window: allowance.window,
        entered_ns: 0,
    };
    let is_realloc = matches!(call, Call::Realloc | Call::Reallocarray | Call::PythonRealloc);
    if is_realloc && arguments.pointer != 0 {
        let begun = emit::header(RecordKind::ReallocBegun, call.domain() as u8, 0, target, allowance.window);
        emit::address(begun, arguments.pointer);
    }
    Some(slot)
}

#[inline(always)]
fn free(call: Call, entry: Entry, target: u32, window: u32, address: u64) {
    if address == 0 {
        return;
    }
    // A free inside an allocator call is part of that call: musl's realloc frees the old block.
    if let Some(thread) = pending::current()
        && slot(thread, call).encloses(entry)
    {
        return;
    }
    emit::address(emit::header(RecordKind::Freed, call.domain() as u8, 0, target, window), address);
}

#[inline(always)]
fn slot(thread: &mut Thread, call: Call) -> &mut Pending {
    match call.domain() {
        Domain::Libc => &mut thread.libc,
        Domain::Pymalloc => &mut thread.python,
    }
}
