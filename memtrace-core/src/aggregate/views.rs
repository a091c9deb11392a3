//! One site as a report sees it: exact and sampled blocks together.

use std::cmp::{Ordering, Reverse};

use super::blocks::Block;
use super::epoch::Epoch;
use super::query::{Query, Sort};
use super::samples::{Passes, SampleEstimate};
use super::sites::{Site, SiteNumber};
use crate::estimate::Interval;
use crate::model::OtherSites;

/// Which blocks of the ledger count.
pub(super) struct Filter {
    /// The last tick in which a block may be born; -1 when none may.
    born_max: i64,
    size_bytes_min: u64,
}

impl Filter {
    pub(super) fn new(query: &Query, epoch: Epoch, now_ns: u64) -> Self {
        let born_max = match query.older_ns {
            None | Some(0) => i64::MAX,
            Some(older_ns) => epoch.newest_tick(older_ns, now_ns).map_or(-1, i64::from),
        };
        Self { born_max, size_bytes_min: query.min_size_bytes.unwrap_or(0) }
    }

    pub(super) fn passes(&self, block: &Block) -> bool {
        i64::from(block.born) <= self.born_max && block.size_bytes >= self.size_bytes_min
    }
}

/// Which samples count.
pub(super) fn sample_filter(query: &Query, now_ns: u64) -> Passes {
    Passes {
        born_max_ns: match query.older_ns {
            None | Some(0) => Some(u64::MAX),
            Some(older_ns) => now_ns.checked_sub(older_ns),
        },
        size_bytes_min: query.min_size_bytes.unwrap_or(0),
    }
}

/// What passes the filter of one site's blocks in the ledger.
#[derive(Clone, Copy)]
pub(super) struct Passing {
    pub(super) live_bytes: u64,
    pub(super) live_blocks: u64,
    /// Of the oldest; of no block when there is none.
    pub(super) born_min: u32,
}

impl Passing {
    pub(super) const NONE: Self = Self { live_bytes: 0, live_blocks: 0, born_min: u32::MAX };

    pub(super) fn add(&mut self, block: &Block) {
        self.live_bytes = self.live_bytes.wrapping_add(block.size_bytes);
        self.live_blocks += 1;
        self.born_min = self.born_min.min(block.born);
    }
}

/// A site, and what is known of it at the moment of the report.
#[derive(Clone, Copy)]
pub(super) struct SiteView<'a> {
    pub(super) number: SiteNumber,
    pub(super) site: &'a Site,
    /// Of the ledger's blocks.
    pub(super) passing: Passing,
    /// Of the samples that pass the filter.
    pub(super) sampled_passing: Option<&'a SampleEstimate>,
    /// Of all samples.
    pub(super) sampled: Option<&'a SampleEstimate>,
    /// The ledger's growth a minute and the samples' together.
    pub(super) growth_per_minute: Option<Interval>,
    /// Birth of the oldest block that passes; `u64::MAX` when there is none.
    pub(super) born_min_ns: u64,
}

impl SiteView<'_> {
    pub(super) fn live_bytes(&self) -> u64 {
        self.passing
            .live_bytes
            .wrapping_add(self.sampled_passing.map_or(0, |sampled| whole(sampled.live_bytes)))
    }

    pub(super) fn live_blocks(&self) -> u64 {
        self.passing
            .live_blocks
            .saturating_add(self.sampled_passing.map_or(0, |sampled| whole(sampled.live_blocks)))
    }

    pub(super) fn growth_bytes(&self) -> i64 {
        let sampled_bytes = self.sampled.map_or(0, |sampled| whole(sampled.live_bytes));
        let live_bytes = self.site.live_bytes.wrapping_add(sampled_bytes);
        live_bytes.wrapping_sub(self.site.live_bytes_before).cast_signed()
    }

    pub(super) const fn allocations(&self) -> u64 {
        self.site.allocations - self.site.allocations_before
    }

    /// What samples say is ranked by what is certain of it: of many sites that may grow, some seem to.
    fn growth_rank(&self, has_samples: bool) -> i128 {
        match self.growth_per_minute {
            Some(growth) if has_samples => growth.low as i128,
            _ => i128::from(self.growth_bytes()),
        }
    }
}

/// The best guess, in whole bytes or blocks.
pub(super) fn whole(interval: Interval) -> u64 {
    interval.value.round() as u64
}

/// Leaves the top sites, in order, and sums the rest.
pub(super) fn keep_top(views: &mut Vec<SiteView<'_>>, query: &Query, has_samples: bool) -> OtherSites {
    let compare = |left: &SiteView<'_>, right: &SiteView<'_>| compare(left, right, query.sort, has_samples);
    let mut other_sites = OtherSites::default();
    if views.len() > query.top {
        views.select_nth_unstable_by(query.top, compare);
        for view in views.drain(query.top..) {
            other_sites.sites += 1;
            other_sites.live_bytes = other_sites.live_bytes.wrapping_add(view.live_bytes());
            other_sites.live_blocks = other_sites.live_blocks.saturating_add(view.live_blocks());
        }
    }
    views.sort_unstable_by(compare);
    other_sites
}

fn compare(left: &SiteView<'_>, right: &SiteView<'_>, sort: Sort, has_samples: bool) -> Ordering {
    let key = |view: &SiteView<'_>| {
        let first = match sort {
            Sort::Live => i128::from(view.live_bytes()),
            Sort::Growth => view.growth_rank(has_samples),
            Sort::Rate => i128::from(view.allocations()),
            Sort::Count => i128::from(view.live_blocks()),
            Sort::Age => -i128::from(view.born_min_ns),
        };
        (Reverse(first), Reverse(view.live_bytes()), view.number)
    };
    key(left).cmp(&key(right))
}
