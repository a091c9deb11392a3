//! What the metrics know of the processes with one comm.

use std::ops::AddAssign;

use crate::model::{ProcessSnapshot, ProcessState, Tier, Totals};

/// Sums that only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counters {
    pub(super) allocated_bytes: u64,
    pub(super) allocations: u64,
    pub(super) freed_bytes: u64,
    pub(super) frees: u64,
    pub(super) frees_unknown: u64,
}

/// Figures of this moment.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Gauges {
    pub(super) processes: u64,
    pub(super) resident_bytes: u64,
    pub(super) live_bytes: u64,
    pub(super) live_blocks: u64,
    pub(super) live_low_bytes: f64,
    pub(super) live_high_bytes: f64,
    pub(super) overhead_cores: f64,
    pub(super) sampled_processes: u64,
    pub(super) untraced_processes: u64,
}

impl Counters {
    pub(super) fn of(totals: &Totals) -> Self {
        Self {
            allocated_bytes: totals.allocated_bytes,
            allocations: totals.allocations,
            freed_bytes: totals.freed_bytes,
            frees: totals.frees,
            frees_unknown: totals.frees_unknown,
        }
    }

    /// What was added since `earlier`. An exec starts a process' sums anew: then everything was.
    pub(super) fn since(self, earlier: Self) -> Self {
        let restarted = self.allocations < earlier.allocations
            || self.allocated_bytes < earlier.allocated_bytes
            || self.frees < earlier.frees
            || self.freed_bytes < earlier.freed_bytes
            || self.frees_unknown < earlier.frees_unknown;
        if restarted {
            return self;
        }
        Self {
            allocated_bytes: self.allocated_bytes - earlier.allocated_bytes,
            allocations: self.allocations - earlier.allocations,
            freed_bytes: self.freed_bytes - earlier.freed_bytes,
            frees: self.frees - earlier.frees,
            frees_unknown: self.frees_unknown - earlier.frees_unknown,
        }
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, more: Self) {
        self.allocated_bytes = self.allocated_bytes.saturating_add(more.allocated_bytes);
        self.allocations = self.allocations.saturating_add(more.allocations);
        self.freed_bytes = self.freed_bytes.saturating_add(more.freed_bytes);
        self.frees = self.frees.saturating_add(more.frees);
        self.frees_unknown = self.frees_unknown.saturating_add(more.frees_unknown);
    }
}

impl Gauges {
    /// Adds a process; one that has exited holds nothing.
    pub(super) fn add(&mut self, process: &ProcessSnapshot) {
        if process.state == ProcessState::Exited {
            return;
        }
        self.processes += 1;
        self.resident_bytes = self.resident_bytes.saturating_add(process.rss_bytes.unwrap_or(0));
        self.live_bytes = self.live_bytes.saturating_add(process.totals.live_bytes);
        self.live_blocks = self.live_blocks.saturating_add(process.totals.live_blocks);
        self.live_low_bytes += process.estimate.live_bytes.low;
        self.live_high_bytes += process.estimate.live_bytes.high;
        self.overhead_cores += process.overhead.spent_share;
        self.sampled_processes += u64::from(process.overhead.tier == Tier::Windows);
        self.untraced_processes += u64::from(process.overhead.tier == Tier::Off);
    }
}
