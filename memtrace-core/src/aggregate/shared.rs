//! What the ledgers of all processes have in common.

use memtrace_common::DropReason;

use super::drops::DropCounts;
use super::epoch::Epoch;
use crate::limits;

/// How much the aggregator keeps. The defaults, with their arithmetic, are in [`crate::limits`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Live blocks over all processes.
    pub live_blocks: usize,
    /// Sites of one process.
    pub sites: usize,
    /// Stack ids of one process.
    pub stacks: usize,
    /// Reallocs in progress in one process.
    pub reallocs: usize,
    /// Processes.
    pub processes: usize,
    /// Samples followed of one process.
    pub samples: usize,
    /// Samples followed over all processes.
    pub samples_all: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            live_blocks: limits::LIVE_BLOCKS,
            sites: limits::SITES,
            stacks: limits::STACKS,
            reallocs: limits::REALLOCS,
            processes: limits::PROCESSES,
            samples: limits::SAMPLES,
            samples_all: limits::SAMPLES_ALL,
        }
    }
}

/// The common room in the ledgers, and the common list of losses.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) epoch: Epoch,
    pub(super) drops: DropCounts,
    /// Live blocks of all processes.
    pub(super) live_blocks: usize,
    /// Processes that have samples.
    pub(super) books: usize,
}

impl Shared {
    pub(super) fn new(limits: Limits, start_ns: u64) -> Self {
        Self { limits, epoch: Epoch::new(start_ns), drops: DropCounts::default(), live_blocks: 0, books: 0 }
    }

    #[inline]
    pub(super) const fn is_full(&self) -> bool {
        self.live_blocks >= self.limits.live_blocks
    }

    /// How many samples one process may follow: its own limit, or an even part of the common one.
    pub(super) fn samples_max(&self) -> usize {
        self.limits.samples.min(self.limits.samples_all / self.books.max(1))
    }

    #[inline]
    pub(super) const fn count(&mut self, reason: DropReason) {
        self.drops.count(reason);
    }
}
