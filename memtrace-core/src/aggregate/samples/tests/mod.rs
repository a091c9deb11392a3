//! Tests of samples, through the aggregator's door.

mod limits;
mod records;
mod simulation;
mod tiers;
mod world;

use std::sync::Arc;

use memtrace_common::{Domain, DropReason};

use super::{Candidate, Verdict, WindowShare, WindowStart};
use crate::aggregate::{Aggregator, Limits, ProcessFigures, Query, SiteFigures, Sort};
use crate::decode::{Allocation, Event, Free, Origin, ReallocBegin, ReallocEnd};
use crate::model::FrameRef;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const LIBC: Domain = Domain::Libc;
const PYTHON: Domain = Domain::Pymalloc;

/// Process 1 in windows, and short words for what happens to it. Stack `n` is line `n` of function 1.
#[derive(Debug)]
struct Fixture {
    aggregator: Aggregator,
    now_ns: u64,
    /// The window that is open; 0 for records of the exact tier.
    window: u32,
    windows: u32,
    /// Costs a look at every sample.
    checks_each_record: bool,
}

impl Fixture {
    fn exact(limits: Limits) -> Self {
        let mut aggregator = Aggregator::with_limits(0, limits);
        assert!(aggregator.add_process(1, 0));
        for line in 1..10 {
            aggregator.define_stack(
                1,
                u64::from(line),
                0,
                Arc::new([FrameRef::Python { function: 1, line }]),
            );
        }
        Self { aggregator, now_ns: 0, window: 0, windows: 0, checks_each_record: true }
    }

    fn in_windows() -> Self {
        let mut fixture = Self::exact(Limits::default());
        assert!(fixture.aggregator.begin_windows(1, 0, 7).is_empty());
        fixture
    }

    const fn origin(&self, domain: Domain) -> Origin {
        Origin { target: 1, thread: 1, domain, window: self.window }
    }

    fn apply(&mut self, event: &Event<'_>) {
        self.aggregator.apply(event);
        if self.checks_each_record {
            let book = self.aggregator.ledger(1).book.as_ref();
            book.expect("in windows").assert_consistent();
        }
    }

    /// All are sampled unless `mean_bytes` is more than a few.
    fn open(&mut self, mean_bytes: u64) {
        self.windows += 1;
        self.window = self.windows;
        let start = WindowStart { window: self.window, mean_bytes, opens_ns: self.now_ns };
        self.aggregator.begin_window(1, start);
    }

    fn alloc(&mut self, domain: Domain, address: u64, size_bytes: u64, stack_id: u64) {
        let origin = self.origin(domain);
        let time_ns = self.now_ns;
        self.apply(&Event::Allocated(Allocation {
            origin,
            address,
            size_bytes,
            stack_id,
            time_ns,
            rarity_log2: 0,
        }));
    }

    fn free(&mut self, domain: Domain, address: u64) {
        let origin = self.origin(domain);
        self.apply(&Event::Freed(Free { origin, address }));
    }

    fn hand_out(&mut self, address: u64) {
        let origin = self.origin(LIBC);
        self.apply(&Event::HandedOut(Free { origin, address }));
    }

    fn begin(&mut self, address: u64) {
        let origin = self.origin(LIBC);
        self.apply(&Event::ReallocBegun(ReallocBegin { origin, address }));
    }

    /// The end of a realloc, with stack 2.
    fn end(&mut self, old_address: u64, new: (u64, u64), is_unsampled: bool) {
        let origin = self.origin(LIBC);
        let time_ns = self.now_ns;
        self.apply(&Event::ReallocEnded(ReallocEnd {
            origin,
            old_address,
            new_address: new.0,
            size_bytes: new.1,
            stack_id: 2,
            time_ns,
            new_block_is_libc: false,
            rarity_log2: 0,
            is_unsampled,
        }));
    }

    fn candidates(&self) -> Vec<Candidate> {
        self.aggregator.candidates(1, self.window)
    }

    fn addresses(&self) -> Vec<u64> {
        self.candidates().iter().map(|candidate| candidate.address).collect()
    }

    /// Closes the window, all candidates fingerprinted, and lets much time go by: stretches are over then.
    fn close(&mut self, share: f64) -> Vec<Candidate> {
        let candidates = self.candidates();
        let samples: Vec<_> = candidates.iter().map(|candidate| candidate.sample).collect();
        self.aggregator.fingerprinted(1, self.window, &samples);
        self.now_ns += 4 * MS;
        let share = WindowShare {
            share,
            share_low: share,
            share_high: share,
            armed_ns: 4 * MS,
            closed_ns: self.now_ns,
        };
        self.aggregator.close_window(1, self.window, &share);
        self.window = 0;
        self.now_ns += 20 * SECOND;
        candidates
    }

    /// Everything that is followed was looked at just now, and lives.
    fn all_live(&mut self) {
        let now_ns = self.now_ns;
        let book = self.aggregator.ledger(1).book.as_ref().expect("in windows");
        let samples: Vec<_> = book.followed.samples.keys().copied().collect();
        for sample in samples {
            self.aggregator.judged(1, sample, Verdict::Alive, now_ns);
        }
    }

    fn figures(&self, sort: Sort) -> ProcessFigures {
        let query = Query { top: 99, sort, ..Query::default() };
        self.aggregator.figures(1, &query, self.now_ns).expect("process 1 is followed")
    }

    /// Live bytes and blocks.
    fn live(&self) -> (u64, u64) {
        let figures = self.figures(Sort::Live);
        assert_adds_up(&figures);
        (figures.totals.live_bytes, figures.totals.live_blocks)
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.aggregator.drops().get(reason)
    }
}

/// The invariant: the sites' point estimates add up to the process', and every interval holds its own.
fn assert_adds_up(figures: &ProcessFigures) {
    let sites = figures.sites.iter().map(|site| (site.live_bytes, site.live_blocks));
    let sum = sites.fold((0, 0), |sum, site| (sum.0 + site.0, sum.1 + site.1));
    let other = figures.other_sites;
    let live = (figures.totals.live_bytes, figures.totals.live_blocks);
    assert_eq!((sum.0 + other.live_bytes, sum.1 + other.live_blocks), live);
    let all = figures.sites.iter().map(|site| &site.estimate).chain([&figures.estimate]);
    for interval in all.flat_map(|estimate| {
        let intervals = [estimate.live_bytes, estimate.live_blocks].map(Some).into_iter();
        intervals.chain([estimate.growth_bytes_per_minute]).chain(estimate.survival).flatten()
    }) {
        let (low, high) =
            (interval.low - 1e-6 * interval.low.abs(), interval.high + 1e-6 * interval.high.abs());
        assert!(low <= interval.value && interval.value <= high, "{interval:?}");
    }
    let off = (figures.estimate.live_bytes.value - figures.totals.live_bytes as f64).abs();
    assert!(off <= 1.0 + (figures.sites.len() as f64 + other.sites as f64), "rounding only: {off}");
}

fn line(site: &SiteFigures) -> u32 {
    match site.frames[0] {
        FrameRef::Python { line, .. } => line,
        _ => 0,
    }
}
