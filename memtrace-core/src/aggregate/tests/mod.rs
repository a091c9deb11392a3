//! Tests of the aggregator as a whole.

mod against_naive;
mod losses;
mod processes;
mod reports;
mod semantics;

use std::sync::Arc;

use memtrace_common::{Domain, DropReason};

use super::{Aggregator, Limits, ProcessFigures, Query, SiteFigures, Sort};
use crate::decode::{Allocation, Event, Free, Origin, ReallocBegin, ReallocEnd};
use crate::model::{FrameRef, Totals};

pub(super) const SECOND_NS: u64 = 1_000_000_000;
pub(super) const LIBC: Domain = Domain::Libc;
pub(super) const PYTHON: Domain = Domain::Pymalloc;

/// An aggregator that follows process 1, and short words for what happens to it. Stack `n` is line `n` of function 1.
pub(super) struct Fixture {
    pub(super) aggregator: Aggregator,
    pub(super) now_ns: u64,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        let mut aggregator = Aggregator::with_limits(0, limits);
        assert!(aggregator.add_process(1, 0));
        let mut fixture = Self { aggregator, now_ns: 0 };
        for stack_id in 1..10 {
            fixture.define(stack_id, line(stack_id as u32));
        }
        fixture
    }

    pub(super) fn define(&mut self, stack_id: u64, frames: Arc<[FrameRef]>) {
        self.aggregator.define_stack(1, stack_id, 0, frames);
    }

    pub(super) fn apply(&mut self, event: &Event<'_>) {
        self.aggregator.apply(event);
        assert_consistent(&self.aggregator, 1);
    }

    pub(super) fn alloc(&mut self, domain: Domain, address: u64, size_bytes: u64, stack_id: u64) {
        self.apply(&Event::Allocated(Allocation {
            origin: origin(1, domain),
            address,
            size_bytes,
            stack_id,
            time_ns: self.now_ns,
            rarity_log2: 0,
        }));
    }

    pub(super) fn free(&mut self, thread: u32, domain: Domain, address: u64) {
        self.apply(&Event::Freed(Free { origin: origin(thread, domain), address }));
    }

    pub(super) fn begin(&mut self, thread: u32, domain: Domain, address: u64) {
        self.apply(&Event::ReallocBegun(ReallocBegin { origin: origin(thread, domain), address }));
    }

    /// The end of a realloc, with stack 2.
    pub(super) fn end(&mut self, thread: u32, domain: Domain, old_address: u64, new: (u64, u64)) {
        self.apply(&Event::ReallocEnded(ReallocEnd {
            origin: origin(thread, domain),
            old_address,
            new_address: new.0,
            size_bytes: new.1,
            stack_id: 2,
            time_ns: self.now_ns,
            new_block_is_libc: false,
            rarity_log2: 0,
            is_unsampled: false,
        }));
    }

    /// The end of a Python realloc whose new block is libc's.
    pub(super) fn end_in_libc(&mut self, thread: u32, old_address: u64, new: (u64, u64)) {
        self.apply(&Event::ReallocEnded(ReallocEnd {
            origin: origin(thread, PYTHON),
            old_address,
            new_address: new.0,
            size_bytes: new.1,
            stack_id: 2,
            time_ns: self.now_ns,
            new_block_is_libc: true,
            rarity_log2: 0,
            is_unsampled: false,
        }));
    }

    pub(super) fn totals(&self) -> Totals {
        self.aggregator.totals(1).expect("process 1 is followed")
    }

    /// Live bytes and blocks, frees and unknown frees.
    pub(super) fn books(&self) -> (u64, u64, u64, u64) {
        let totals = self.totals();
        (totals.live_bytes, totals.live_blocks, totals.frees, totals.frees_unknown)
    }

    pub(super) fn dropped(&self, reason: DropReason) -> u64 {
        self.aggregator.drops().get(reason)
    }

    pub(super) fn report(&self, sort: Sort, top: usize) -> ProcessFigures {
        self.query(&Query { sort, top, ..Query::default() })
    }

    pub(super) fn query(&self, query: &Query) -> ProcessFigures {
        self.aggregator.figures(1, query, self.now_ns).expect("process 1 is followed")
    }
}

pub(super) const fn origin(thread: u32, domain: Domain) -> Origin {
    Origin { target: 1, thread, domain, window: 0 }
}

pub(super) fn line(line: u32) -> Arc<[FrameRef]> {
    Arc::new([FrameRef::Python { function: 1, line }])
}

pub(super) fn lines(sites: &[SiteFigures]) -> Vec<u32> {
    sites
        .iter()
        .map(|site| match site.frames[0] {
            FrameRef::Python { line, .. } => line,
            _ => 0,
        })
        .collect()
}

/// The invariant of the stage.
pub(super) fn assert_consistent(aggregator: &Aggregator, target: u32) {
    let ledger = aggregator.ledger(target);
    assert!(ledger.is_balanced(), "{:?} {:?}", ledger.totals, ledger.unfollowed);
    let live = (ledger.totals.live_bytes, ledger.totals.live_blocks);
    let add = |sum: (u64, u64), more: (u64, u64)| (sum.0.wrapping_add(more.0), sum.1 + more.1);
    let sites = ledger.sites.iter().map(|site| (site.live_bytes, site.live_blocks)).fold((0, 0), add);
    assert_eq!(sites, live, "the sum over the sites");
    let blocks = ledger.blocks.iter().chain(ledger.reallocs.blocks());
    let blocks = blocks.map(|block| (block.size_bytes, 1)).fold((0, 0), add);
    assert_eq!(blocks, live, "the sum over the blocks");
    let sites = ledger.sites.iter().map(|site| (site.allocated_bytes, site.allocations)).fold((0, 0), add);
    assert_eq!(sites, (ledger.totals.allocated_bytes, ledger.totals.allocations), "allocated by sites");
}
