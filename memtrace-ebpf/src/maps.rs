//! Every map: who writes it, who reads it. Sizes are in `memtrace_common::limits`.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use memtrace_common::{
    Allowance, Counter, DropReason, Meter,
    limits::{CALLERS as CALLERS_MAX, SEEN_STACKS, TARGETS as TARGETS_MAX, THREADS as THREADS_MAX},
    settings::{PythonTarget, Settings, Target},
};

use crate::{
    pending::Thread,
    sampling::{Caller, CallerSamples},
};

/// Records for the daemon. The daemon sets the real size at load. One ring for all CPUs, so that the order in it is
/// the order in which things happened.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Written by the daemon before the first attach, read by every program.
#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);

/// Traced processes. Written by the daemon; vfork children are added and removed by `lifecycle`.
#[map]
pub static TARGETS: HashMap<u32, Target> = HashMap::with_max_entries(TARGETS_MAX, 0);

/// How to walk a target's Python stack. Written by the daemon, read by `stack`.
#[map]
pub static PYTHON: HashMap<u32, PythonTarget> = HashMap::with_max_entries(TARGETS_MAX, 0);

/// Allocator calls in progress. Written and read by the thread itself; removed when the thread exits.
#[map]
pub static THREADS: HashMap<u64, Thread> = HashMap::with_max_entries(THREADS_MAX, 0);

/// Stacks that the daemon has: id to check. Written and read by `stack`.
#[map]
pub static SEEN: LruHashMap<u64, u64> = LruHashMap::with_max_entries(SEEN_STACKS, 0);

/// What a target may be asked to bear, by target number. Written by the daemon, read at every entry.
#[map]
pub static ALLOWANCES: HashMap<u32, Allowance> = HashMap::with_max_entries(TARGETS_MAX, 0);

/// What a target has borne, by target number. Entries are made and removed by the daemon, written by `meter`.
#[map]
pub static METERS: HashMap<u32, Meter> = HashMap::with_max_entries(TARGETS_MAX, 0);

/// Callers that were sampled in a window. Written and read by `sampling`.
#[map]
pub static CALLERS: LruHashMap<Caller, CallerSamples> = LruHashMap::with_max_entries(CALLERS_MAX, 0);

/// Losses, then counters. Read by the daemon.
#[map]
pub static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::SLOTS, 0);

/// Result of `find_fs_base`: [what to look for, offset found + 1]. Written and read by the daemon.
#[map]
pub static FS_BASE: Array<[u64; 2]> = Array::with_max_entries(1, 0);

/// The run's settings.
#[inline(always)]
pub fn settings() -> Option<&'static Settings> {
    SETTINGS.get(0)
}

/// Counts a loss.
#[inline(always)]
pub fn lose(reason: DropReason) {
    add(reason as u32);
}

/// Counts something that happened.
#[inline(always)]
pub fn count(counter: Counter) {
    add(counter.index());
}

#[inline(always)]
fn add(index: u32) {
    if let Some(slot) = COUNTERS.get_ptr_mut(index) {
        // SAFETY: the pointer is to this CPU's slot and non-null. A program that preempts this one on the same CPU
        // between load and store can lose an increment of a counter; nothing else reads or writes it.
        unsafe { *slot += 1 }
    }
}
