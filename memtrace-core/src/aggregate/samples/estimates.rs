//! What the samples say at one moment, of each site and of the process.
//!
//! In: a book, a moment, and one in the past for growth. Out: [`SampleEstimate`]s. One pass over the samples and a sort.

use super::book::SampleBook;
use super::presence::Presence;
use super::sample::{Sample, State};
use super::sums::{Part, difference, total};
use crate::aggregate::sites::SiteNumber;
use crate::estimate::{Interval, survival};

/// Survival is told at these ages.
const SURVIVAL_AGES_NS: [u64; 3] = [10_000_000_000, 60_000_000_000, 300_000_000_000];

/// What is said of a site, or of all of them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::aggregate) struct SampleEstimate {
    pub(in crate::aggregate) live_bytes: Interval,
    pub(in crate::aggregate) live_blocks: Interval,
    /// Since the moment that growth is measured against.
    pub(in crate::aggregate) growth_bytes: Option<Interval>,
    /// Samples that are alive.
    pub(in crate::aggregate) sampled_blocks: u64,
    /// Bytes of the blocks that may be alive or dead.
    pub(in crate::aggregate) unknown_bytes: u64,
    /// Birth of the oldest sample that is alive.
    pub(in crate::aggregate) oldest_born_ns: Option<u64>,
}

/// Which samples count, by birth and size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::aggregate) struct Passes {
    /// `None` when none is old enough.
    pub(in crate::aggregate) born_max_ns: Option<u64>,
    pub(in crate::aggregate) size_bytes_min: u64,
}

impl Passes {
    pub(in crate::aggregate) const ALL: Self = Self { born_max_ns: Some(u64::MAX), size_bytes_min: 0 };

    fn passes(&self, sample: &Sample) -> bool {
        self.born_max_ns.is_some_and(|born_max_ns| sample.born_ns <= born_max_ns)
            && sample.size_bytes >= self.size_bytes_min
    }
}

/// A sample, and how much of it there is.
#[derive(Clone, Copy, Debug)]
struct Seen<'a> {
    sample: &'a Sample,
    now: Presence,
    /// At the moment that growth is measured against.
    then: Option<Presence>,
}

/// All that the samples of a process say, site by site.
#[derive(Debug)]
pub(in crate::aggregate) struct Estimates<'a> {
    book: &'a SampleBook,
    /// By site, then by window.
    seen: Vec<Seen<'a>>,
    /// There may be blocks of which no window has told: nothing is an upper bound.
    is_blind: bool,
}

impl<'a> Estimates<'a> {
    /// `then_ns` is the moment that growth is measured against.
    pub(in crate::aggregate) fn new(
        book: &'a SampleBook,
        passes: Passes,
        then_ns: Option<u64>,
        now_ns: u64,
    ) -> Self {
        let declines = &book.followed.declines;
        let samples = book.followed.samples.values().chain(&book.followed.ended);
        let mut seen: Vec<_> = samples
            .filter(|sample| passes.passes(sample))
            .map(|sample| Seen {
                sample,
                now: Presence::of(sample, now_ns, declines),
                then: then_ns.map(|then_ns| Presence::of(sample, then_ns, declines)),
            })
            .filter(Seen::is_there)
            .collect();
        seen.sort_unstable_by_key(|seen| (seen.sample.site, seen.sample.cluster(), seen.sample.number));
        Self { book, seen, is_blind: book.is_blind(now_ns) }
    }

    /// Every site of which there is something to say, in order.
    pub(in crate::aggregate) fn sites(&self) -> impl Iterator<Item = (SiteNumber, SampleEstimate)> + '_ {
        let by_site = self.seen.chunk_by(|left, right| left.sample.site == right.sample.site);
        by_site.map(|seen| (seen[0].sample.site, self.estimate(seen)))
    }

    /// The process as a whole.
    pub(in crate::aggregate) fn process(&self) -> SampleEstimate {
        let mut seen = self.seen.clone();
        seen.sort_unstable_by_key(|seen| (seen.sample.cluster(), seen.sample.number));
        self.estimate(&seen)
    }

    fn estimate(&self, seen: &[Seen<'_>]) -> SampleEstimate {
        let estimate = estimate(seen);
        if !self.is_blind {
            return estimate;
        }
        let unbounded = |interval: Interval| Interval { high: f64::INFINITY, ..interval };
        SampleEstimate {
            live_bytes: unbounded(estimate.live_bytes),
            live_blocks: unbounded(estimate.live_blocks),
            growth_bytes: estimate.growth_bytes.map(unbounded),
            ..estimate
        }
    }

    /// The shares of a site's blocks, or of all, that reach the ages of [`SURVIVAL_AGES_NS`].
    pub(in crate::aggregate) fn survival(&self, site: Option<SiteNumber>) -> [Option<Interval>; 3] {
        let lives = self.book.followed.cohorts.lives(site, &self.book.followed.samples);
        SURVIVAL_AGES_NS.map(|age_ns| survival(&lives, age_ns))
    }
}

impl Seen<'_> {
    fn is_there(&self) -> bool {
        self.now.possible > 0.0 || self.then.is_some_and(|then| then.possible > 0.0)
    }

    const fn is_alive(&self) -> bool {
        matches!(self.sample.state, State::Alive { .. })
    }
}

/// A sum of those that live for certain, and as its upper bound that of those which may.
fn bounded(certain: Interval, possible: Interval) -> Interval {
    Interval { value: certain.value, low: certain.low, high: certain.high.max(possible.high) }
}

fn estimate(seen: &[Seen<'_>]) -> SampleEstimate {
    let heaviest_blocks = heaviest(seen, |_| 1.0);
    let heaviest_bytes = heaviest(seen, bytes);
    let sum = |heaviest: f64, amount: fn(&Seen<'_>) -> f64| total(&parts(seen, amount), heaviest);
    let live_bytes = bounded(
        sum(heaviest_bytes, |seen| bytes(seen) * seen.now.certain),
        sum(heaviest_bytes, |seen| bytes(seen) * seen.now.possible),
    );
    let live_blocks = bounded(
        sum(heaviest_blocks, |seen| seen.now.certain),
        sum(heaviest_blocks, |seen| seen.now.possible),
    );
    let alive = seen.iter().filter(|seen| seen.is_alive());
    let unknown = seen.iter().filter(|seen| !seen.is_alive());
    let unknown =
        unknown.map(|seen| seen.sample.weight * bytes(seen) * (seen.now.possible - seen.now.certain));
    SampleEstimate {
        live_bytes,
        live_blocks,
        growth_bytes: growth(seen, heaviest_bytes),
        sampled_blocks: alive.clone().count() as u64,
        unknown_bytes: unknown.sum::<f64>().round() as u64,
        oldest_born_ns: alive.map(|seen| seen.sample.born_ns).min(),
    }
}

/// What one sample more could weigh: as much as the heaviest one that was seen. What was not left to chance cannot have
/// been missed.
fn heaviest(seen: &[Seen<'_>], amount: fn(&Seen<'_>) -> f64) -> f64 {
    let drawn = seen.iter().map(|seen| (seen.sample.weight - seen.sample.certain_weight()) * amount(seen));
    drawn.fold(0.0, f64::max)
}

fn growth(seen: &[Seen<'_>], heaviest_bytes: f64) -> Option<Interval> {
    if seen.iter().any(|seen| seen.then.is_none()) {
        return None;
    }
    let changes = |now: fn(&Presence) -> f64| {
        let then = |seen: &Seen<'_>| seen.then.map_or(0.0, |then| then.certain);
        let changed = parts(seen, |seen| bytes(seen) * (now(&seen.now) - then(seen)));
        difference(&changed, heaviest_bytes)
    };
    Some(bounded(changes(|now| now.certain), changes(|now| now.possible)))
}

fn parts<'a>(seen: &[Seen<'a>], amount: impl Fn(&Seen<'_>) -> f64) -> Vec<Part<'a>> {
    seen.iter().map(|seen| Part { sample: seen.sample, amount: amount(seen) }).collect()
}

const fn bytes(seen: &Seen<'_>) -> f64 {
    seen.sample.size_bytes as f64
}
