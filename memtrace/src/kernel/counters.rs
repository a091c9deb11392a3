//! The kernel side's losses and counts, summed over CPUs.

use aya::maps::{Map, MapData, PerCpuArray};
use memtrace_common::{Counter, DropReason};

/// Reads map `COUNTERS`.
pub struct KernelCounters {
    map: PerCpuArray<MapData, u64>,
}

impl KernelCounters {
    pub(super) fn new(map: Map) -> Option<Self> {
        Some(Self { map: PerCpuArray::try_from(map).ok()? })
    }

    /// How often this was lost in the kernel since the start.
    #[must_use]
    pub fn lost(&self, reason: DropReason) -> u64 {
        self.sum(reason as u32)
    }

    /// How often this happened since the start.
    #[must_use]
    pub fn count(&self, counter: Counter) -> u64 {
        self.sum(counter.index())
    }

    fn sum(&self, index: u32) -> u64 {
        self.map.get(&index, 0).map_or(0, |values| values.iter().sum())
    }
}
