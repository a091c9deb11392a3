//! What the books of a process say at one moment.
//!
//! Reading changes nothing: rates and growth are over the interval that the last `end_interval` began, however often
//! the figures are read in it.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use memtrace_common::Domain;

use super::blocks::Block;
use super::epoch::Epoch;
use super::ledger::ProcessLedger;
use super::query::{Query, Sort};
use super::sites::Site;
use crate::model::{FrameRef, OtherSites, Rates, Totals};

/// Allocations that were counted but not followed, because the ledger was full. Live figures are without them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unfollowed {
    /// How many.
    pub allocations: u64,
    /// Their bytes.
    pub bytes: u64,
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
}

/// The interval over which rates and growth are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    start_ns: u64,
    totals_before: Totals,
}

impl Interval {
    pub(super) fn starting(now_ns: u64) -> Self {
        Self { start_ns: now_ns, totals_before: Totals::default() }
    }

    /// Per second; 0 when no time has passed.
    fn rate(&self, count: u64, now_ns: u64) -> f64 {
        match now_ns.saturating_sub(self.start_ns) {
            0 => 0.0,
            interval_ns => count as f64 * 1e9 / interval_ns as f64,
        }
    }

    fn rates(&self, totals: &Totals, now_ns: u64) -> Rates {
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

/// Which blocks count.
struct Filter {
    /// The last tick in which a block may be born; -1 when none may.
    born_max: i64,
    size_bytes_min: u64,
}

impl Filter {
    fn new(query: &Query, epoch: Epoch, now_ns: u64) -> Self {
        let born_max = match query.older_ns {
            None | Some(0) => i64::MAX,
            Some(older_ns) => epoch.newest_tick(older_ns, now_ns).map_or(-1, i64::from),
        };
        Self { born_max, size_bytes_min: query.min_size_bytes.unwrap_or(0) }
    }

    fn passes(&self, block: &Block) -> bool {
        i64::from(block.born) <= self.born_max && block.size_bytes >= self.size_bytes_min
    }
}

/// What passes the filter of one site's blocks.
#[derive(Clone, Copy)]
struct Passing {
    live_bytes: u64,
    live_blocks: u64,
    /// Of the oldest; of no block when there is none.
    born_min: u32,
}

impl Passing {
    const NONE: Self = Self { live_bytes: 0, live_blocks: 0, born_min: u32::MAX };
}

impl ProcessLedger {
    pub(super) fn figures(&self, query: &Query, epoch: Epoch, now_ns: u64) -> ProcessFigures {
        let passing = self.passing(&Filter::new(query, epoch, now_ns));
        let lists_idle = query.sort == Sort::Rate && query.is_unfiltered();
        let mut listed: Vec<_> = self
            .sites
            .iter()
            .zip(passing)
            .filter(|(site, passing)| {
                passing.live_blocks > 0 || (lists_idle && site.allocations > site.allocations_before)
            })
            .enumerate()
            .collect();
        let other_sites = keep_top(&mut listed, query);
        let sites = listed
            .into_iter()
            .map(|(_, (site, passing))| self.site_figures(site, passing, epoch, now_ns))
            .collect();
        ProcessFigures {
            totals: self.totals,
            unfollowed: self.unfollowed,
            rates: self.interval.rates(&self.totals, now_ns),
            sites,
            other_sites,
        }
    }

    pub(super) fn end_interval(&mut self, now_ns: u64) {
        self.interval = Interval { start_ns: now_ns, totals_before: self.totals };
        self.sites.end_interval();
    }

    /// For each site, what of its blocks passes: one pass over all blocks.
    fn passing(&self, filter: &Filter) -> Vec<Passing> {
        let mut passing = vec![Passing::NONE; self.sites.len()];
        for block in self.blocks.iter().chain(self.reallocs.blocks()) {
            if filter.passes(block) {
                let site = &mut passing[block.site as usize];
                site.live_bytes = site.live_bytes.wrapping_add(block.size_bytes);
                site.live_blocks += 1;
                site.born_min = site.born_min.min(block.born);
            }
        }
        passing
    }

    fn site_figures(&self, site: &Site, passing: Passing, epoch: Epoch, now_ns: u64) -> SiteFigures {
        SiteFigures {
            frames: Arc::clone(&site.frames),
            domain: site.domain,
            live_bytes: passing.live_bytes,
            live_blocks: passing.live_blocks,
            allocated_bytes: site.allocated_bytes,
            allocations: site.allocations,
            growth_bytes: growth_bytes(site),
            allocations_per_second: self.interval.rate(site.allocations - site.allocations_before, now_ns),
            oldest_age_ns: (passing.live_blocks > 0).then(|| epoch.age_ns(passing.born_min, now_ns)),
        }
    }
}

type Listed<'a> = (usize, (&'a Site, Passing));

/// Leaves the top sites, in order, and sums the rest.
fn keep_top(listed: &mut Vec<Listed<'_>>, query: &Query) -> OtherSites {
    let compare = |left: &Listed<'_>, right: &Listed<'_>| compare(left, right, query.sort);
    let mut other_sites = OtherSites::default();
    if listed.len() > query.top {
        listed.select_nth_unstable_by(query.top, compare);
        for (_, (_, passing)) in listed.drain(query.top..) {
            other_sites.sites += 1;
            other_sites.live_bytes = other_sites.live_bytes.wrapping_add(passing.live_bytes);
            other_sites.live_blocks += passing.live_blocks;
        }
    }
    listed.sort_unstable_by(compare);
    other_sites
}

fn compare(left: &Listed<'_>, right: &Listed<'_>, sort: Sort) -> Ordering {
    let key = |&(order, (site, passing)): &Listed<'_>| {
        let first = match sort {
            Sort::Live => i128::from(passing.live_bytes),
            Sort::Growth => i128::from(growth_bytes(site)),
            Sort::Rate => i128::from(site.allocations - site.allocations_before),
            Sort::Count => i128::from(passing.live_blocks),
            Sort::Age => -i128::from(passing.born_min),
        };
        (Reverse(first), Reverse(passing.live_bytes), order)
    };
    key(left).cmp(&key(right))
}

const fn growth_bytes(site: &Site) -> i64 {
    site.live_bytes.wrapping_sub(site.live_bytes_before).cast_signed()
}
