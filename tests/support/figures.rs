//! The figures that a program's own books and memtrace's snapshot have in common.

use serde::Deserialize;

/// Sums since attach. Two sets of figures either agree in everything or the test fails with both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub(crate) struct Figures {
    pub(crate) live_blocks: u64,
    pub(crate) live_bytes: u64,
    pub(crate) allocations: u64,
    pub(crate) allocated_bytes: u64,
    pub(crate) frees: u64,
    pub(crate) freed_bytes: u64,
    pub(crate) frees_unknown: u64,
}

/// What a site says, and a function of a program's books.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub(crate) struct SiteFigures {
    pub(crate) live_blocks: u64,
    pub(crate) live_bytes: u64,
    pub(crate) allocations: u64,
    pub(crate) allocated_bytes: u64,
}

impl SiteFigures {
    /// Adds another site's.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { live_blocks, live_bytes, allocations, allocated_bytes } = other;
        self.live_blocks += live_blocks;
        self.live_bytes += live_bytes;
        self.allocations += allocations;
        self.allocated_bytes += allocated_bytes;
    }
}

/// What is live, where books say no more than that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub(crate) struct Live {
    pub(crate) live_blocks: u64,
    pub(crate) live_bytes: u64,
}
