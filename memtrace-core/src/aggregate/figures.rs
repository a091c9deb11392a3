//! What the books of a process say at one moment.
//!
//! Reading changes nothing: rates and growth are over the interval that the last `end_interval` began, however often
//! the figures are read in it.
//!
//! Whole numbers are the best guess of exact and sampled blocks together, and those of the sites add up to that of the
//! process. Intervals say how sure they are; in the exact tier they have no width.

use std::sync::Arc;

use memtrace_common::Domain;

use crate::model::{Estimate, FrameRef, OtherSites, Rates, Totals};

/// Allocations that were counted but not followed, because the ledger was full. Live figures are without them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unfollowed {
    /// How many.
    pub allocations: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Unfollowed {
    pub(super) const fn add(&mut self, allocations: u64, bytes: u64) {
        self.allocations += allocations;
        self.bytes = self.bytes.wrapping_add(bytes);
    }
}

/// One process at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct ProcessFigures {
    /// Sums since it was added or cleared. Live bytes are allocated bytes less freed and unfollowed ones.
    pub totals: Totals,
    /// What `totals` counts as allocated and nothing follows.
    pub unfollowed: Unfollowed,
    /// Over the interval. Frees of unknown blocks are included.
    pub rates: Rates,
    /// The top sites, in the order asked for.
    pub sites: Vec<SiteFigures>,
    /// The rest of the sites that pass the filters.
    pub other_sites: OtherSites,
    /// How sure the totals are.
    pub estimate: Estimate,
}

/// One site at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct SiteFigures {
    /// Innermost first.
    pub frames: Arc<[FrameRef]>,
    /// Whose bytes.
    pub domain: Domain,
    /// Live bytes of the blocks that pass the filters.
    pub live_bytes: u64,
    /// How many those are.
    pub live_blocks: u64,
    /// Bytes allocated since the process was added or cleared.
    pub allocated_bytes: u64,
    /// Blocks allocated since then.
    pub allocations: u64,
    /// Change of all live bytes over the interval.
    pub growth_bytes: i64,
    /// Over the interval.
    pub allocations_per_second: f64,
    /// Age of the oldest block that passes the filters, to 10 ms.
    pub oldest_age_ns: Option<u64>,
    /// How sure this is.
    pub estimate: Estimate,
}

/// The interval over which rates and growth are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReportInterval {
    start_ns: u64,
    totals_before: Totals,
}

impl ReportInterval {
    pub(super) fn starting(now_ns: u64) -> Self {
        Self::beginning(now_ns, Totals::default())
    }

    pub(super) const fn beginning(now_ns: u64, totals_before: Totals) -> Self {
        Self { start_ns: now_ns, totals_before }
    }

    /// As many as were freed when the interval began, or more: estimates may fall back, what is done is done.
    pub(super) fn frees_min(&self) -> (u64, u64) {
        (self.totals_before.frees, self.totals_before.freed_bytes)
    }

    /// Per second; 0 when no time has passed.
    pub(super) fn rate(&self, count: u64, now_ns: u64) -> f64 {
        match now_ns.saturating_sub(self.start_ns) {
            0 => 0.0,
            interval_ns => count as f64 * 1e9 / interval_ns as f64,
        }
    }

    pub(super) fn rates(&self, totals: &Totals, now_ns: u64) -> Rates {
        let before = &self.totals_before;
        let frees = totals.frees + totals.frees_unknown - before.frees - before.frees_unknown;
        let allocated_bytes = totals.allocated_bytes.wrapping_sub(before.allocated_bytes);
        Rates {
            allocations_per_second: self.rate(totals.allocations - before.allocations, now_ns),
            allocated_bytes_per_second: self.rate(allocated_bytes, now_ns),
            frees_per_second: self.rate(frees, now_ns),
        }
    }
}
