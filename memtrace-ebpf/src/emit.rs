//! The only writer of the ring. A record that finds it full is counted and gone.
//!
//! Waking the daemon costs the target 660 ns, writing 32: it is woken once, by the record that crosses the
//! watermark, and otherwise reads on its own timer.

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    maps::ring_buf::RingBufEntry,
};
use memtrace_common::{
    Counter, DropReason,
    record::{Allocated, Freed, Header, Lifecycle, OverAllowance, ReallocEnded, RecordKind, flags},
};

use crate::{
    maps::{EVENTS, count, lose, settings},
    pending::Returned,
    sampling::{Thinning, UNSAMPLED},
};

/// A record's first 16 bytes.
#[inline(always)]
pub fn header(kind: RecordKind, domain: u8, flags: u16, target: u32, window: u32) -> Header {
    let thread = bpf_get_current_pid_tgid() as u32;
    Header { kind: kind as u8, domain, flags, thread, target, window }
}

/// `Freed`, `HandedOut` or `ReallocBegun`: a header and an address.
#[inline(always)]
pub fn address(header: Header, address: u64) {
    write(Freed { header, address });
}

/// A call that returned: an allocation that succeeded, or a realloc with whatever result.
#[inline(always)]
pub fn returned(returned: &Returned, stack_id: u64) {
    let call = &returned.call;
    let flags = returned.flags | thinning_flags(call.thinning);
    let header = |kind| header(kind, returned.domain, flags, call.target, call.window);
    if returned.is_realloc == 0 {
        write(Allocated {
            header: header(RecordKind::Allocated),
            address: returned.address,
            size_bytes: call.size_bytes,
            stack_id,
            time_ns: returned.time_ns,
        });
    } else {
        write(ReallocEnded {
            header: header(RecordKind::ReallocEnded),
            old_address: call.pointer,
            new_address: returned.address,
            size_bytes: call.size_bytes,
            stack_id,
            time_ns: returned.time_ns,
        });
    }
}

/// In a window, an allocation that was not sampled.
#[inline(always)]
pub fn handed_out(returned: &Returned) {
    let call = &returned.call;
    let header = header(RecordKind::HandedOut, returned.domain, 0, call.target, call.window);
    address(header, returned.address);
}

#[inline(always)]
fn thinning_flags(thinning: Thinning) -> u16 {
    if thinning == UNSAMPLED { flags::UNSAMPLED } else { u16::from(thinning) << flags::RARITY_SHIFT }
}

/// A target has exceeded its allowance; the daemon is woken, to take the probes away. A record that finds the ring full
/// is no loss of its own: the daemon is behind, and reads the meter when it comes.
#[inline(always)]
pub fn over_allowance(target: u32, window: u32, entries: u64) {
    if let Some(mut entry) = EVENTS.reserve::<OverAllowance>(0) {
        let header = header(RecordKind::OverAllowance, 0, 0, target, window);
        entry.write(OverAllowance { header, entries });
        entry.submit(u64::from(BPF_RB_FORCE_WAKEUP));
        count(Counter::Records);
    }
}

/// A lifecycle record; the daemon is woken at once, for it may have to attach to the process.
#[inline(always)]
pub fn lifecycle(record: Lifecycle) {
    if let Some(mut entry) = EVENTS.reserve::<Lifecycle>(0) {
        entry.write(record);
        entry.submit(u64::from(BPF_RB_FORCE_WAKEUP));
        count(Counter::Records);
    } else {
        lose(DropReason::LifecycleRingFull);
    }
}

/// Submits a reserved record.
#[inline(always)]
pub fn submit<T: 'static>(entry: RingBufEntry<T>) {
    entry.submit(wake_flags(size_of::<T>() as u64));
    count(Counter::Records);
}

#[inline(always)]
fn write<T: Copy + 'static>(record: T) {
    let Some(mut entry) = EVENTS.reserve::<T>(0) else {
        lose(DropReason::RingFull);
        return;
    };
    entry.write(record);
    submit(entry);
}

/// Wakes the daemon when this record is the one that crosses the watermark. `BPF_RB_AVAIL_DATA` counts what is
/// reserved, this record included.
#[inline(always)]
fn wake_flags(record_bytes: u64) -> u64 {
    let filled = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA));
    let mark = settings().map_or(0, |settings| settings.wake_bytes);
    // 8 for the ring's own header in front of each record (kernel/bpf/ringbuf.c, BPF_RINGBUF_HDR_SZ).
    let crosses = filled >= mark && filled.wrapping_sub(record_bytes + 8) < mark;
    u64::from(if crosses { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP })
}

/// CLOCK_MONOTONIC.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes nothing and reads a clock.
    unsafe { bpf_ktime_get_ns() }
}
