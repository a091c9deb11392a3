//! The stack of the current thread: walked, hashed, and sent when the daemon does not have it yet.
//!
//! A stack is walked once to be hashed, with nothing stored: BPF's own stack holds 512 bytes, and a per-CPU buffer
//! is not safe, because uprobe programs are preempted by others on the same CPU (since 6.0 they run with preemption
//! enabled). A stack that is new is walked again, straight into the record. It cannot have changed in between, the
//! thread that owns it is in the probe; memory that a hostile target changes meanwhile shows as another hash.

mod fs_base;
mod hash;
mod native;
mod python;
mod sink;

use core::ptr::addr_of_mut;

use aya_ebpf::programs::RetProbeContext;
pub use fs_base::find_fs_base;
use memtrace_common::{
    Counter, DropReason, StackEnd,
    limits::{NATIVE_FRAMES, PYTHON_FRAMES, SHORT_NATIVE_FRAMES, SHORT_PYTHON_FRAMES},
    record::{RecordKind, Stack},
    settings::PythonTarget,
};

use self::{
    hash::Hash,
    sink::{Frames, Sink},
};
use crate::{
    emit,
    maps::{EVENTS, PYTHON, SEEN, count, lose, settings},
    pending::Thread,
};

/// The id of the stack from which the allocator was called; 0 when there is none to give.
#[inline(always)]
pub fn capture(ctx: &RetProbeContext, thread: &mut Thread) -> u64 {
    try_capture(ctx, thread).unwrap_or(0)
}

#[inline(always)]
fn try_capture(ctx: &RetProbeContext, thread: &mut Thread) -> Option<u64> {
    let settings = settings()?;
    count(Counter::Walks);
    let target = thread.returned.call.target;
    // SAFETY: the value is written whole by the daemon before and between calls; a torn read of it during an update
    // makes one stack end early.
    let python = unsafe { PYTHON.get(&target) };
    let generation = python.map_or(0, |python| python.generation);
    python::start(python, settings, &mut thread.returned);
    let registers = native::Registers::of(ctx);

    let epoch = (u64::from(target) << 32) | u64::from(thread.returned.call.execs);
    let seed = settings.hash_seed ^ epoch.wrapping_add(generation << 48);
    let mut hash = Hash::new(seed, addr_of_mut!(thread.lengths));
    walk(python, &registers, thread, &mut hash);
    let (id, check) = hash.finish();

    let stack_id = match seen(id) {
        Some(seen) if seen == check => return Some(id),
        // Between lookup and read the entry may have been recycled for another stack (an LRU map does not wait for its
        // readers, and this program can be preempted there), so a difference is believed when it is seen twice.
        Some(_) => match seen(id) {
            Some(seen) if seen == check => return Some(id),
            // The second stack with this id goes by its check, and so stays apart.
            Some(_) => {
                lose(DropReason::StackIdCollision);
                check | 1
            }
            None => id,
        },
        None => id,
    };
    let named = Named { target, stack_id, check };
    let is_short = thread.lengths.python <= SHORT_PYTHON_FRAMES as u32
        && thread.lengths.native <= SHORT_NATIVE_FRAMES as u32;
    if is_short {
        send::<SHORT_PYTHON_FRAMES, SHORT_NATIVE_FRAMES>(python, &registers, thread, named)?;
    } else {
        send::<PYTHON_FRAMES, NATIVE_FRAMES>(python, &registers, thread, named)?;
    }
    // LRU: the insertion makes room for itself.
    let _ = SEEN.insert(&stack_id, &check, 0);
    Some(stack_id)
}

/// The check of the stack with this id, if it was sent.
#[inline(always)]
fn seen(id: u64) -> Option<u64> {
    // SAFETY: the value is one integer.
    let seen = unsafe { SEEN.get(&id) }?;
    // Volatile, or the second of two looks might be taken for the first.
    // SAFETY: the reference is to a map value, which lives as long as the program runs.
    Some(unsafe { core::ptr::from_ref(seen).read_volatile() })
}

/// Whose stack it is, and what it goes by.
struct Named {
    target: u32,
    stack_id: u64,
    check: u64,
}

#[inline(always)]
fn send<const PYTHON: usize, const NATIVE: usize>(
    python: Option<&PythonTarget>,
    registers: &native::Registers,
    thread: &mut Thread,
    named: Named,
) -> Option<()> {
    let Some(mut entry) = EVENTS.reserve::<Stack<PYTHON, NATIVE>>(0) else {
        lose(DropReason::StackRingFull);
        return None;
    };
    let header = emit::header(RecordKind::Stack, 0, 0, named.target, 0);
    let mut frames = Frames::new(entry.as_mut_ptr(), header, named.stack_id, named.check);
    walk(python, registers, thread, &mut frames);
    emit::submit(entry);
    Some(())
}

#[inline(always)]
fn walk<S: Sink>(
    python: Option<&PythonTarget>,
    registers: &native::Registers,
    thread: &mut Thread,
    sink: &mut S,
) {
    if let Some(python) = python {
        python::walk(python, thread, sink);
    } else {
        sink.python_end(StackEnd::Absent as u8);
    }
    native::walk(registers, sink);
}
