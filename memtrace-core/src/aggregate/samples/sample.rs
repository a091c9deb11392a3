//! A sampled block: what it is, how much it stands for, and what is known of its life.

use memtrace_common::Domain;

use crate::aggregate::sites::SiteNumber;

/// A sample of one process, counted from 1 and never reused while its book is kept.
pub type SampleNumber = u64;

/// What is known of a sample's life. Times are CLOCK_MONOTONIC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It was alive at this time.
    Alive { checked_ns: u64 },
    /// It has changed without a proof of its death; before that it was alive.
    Unknown { since_ns: u64 },
    /// It died between these times.
    Died { after_ns: u64, before_ns: u64 },
}

/// What a window's sample stands for, and how surely.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Stretch {
    /// The window; 0 for blocks of the exact ledger.
    pub(super) window: u32,
    /// How long the time is that the window stands for.
    pub(super) length_ns: u64,
    /// The truth is this many times the estimate at least, as far as the window's share of the work goes.
    pub(super) share_low: f64,
    /// And at most; infinite when nothing bounds it.
    pub(super) share_high: f64,
}

impl Stretch {
    /// Of blocks that stand for themselves, at the moment they were seen.
    pub(super) const EXACT: Self = Self { window: 0, length_ns: 1, share_low: 1.0, share_high: 1.0 };
}

/// One sampled block.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Sample {
    pub(super) number: SampleNumber,
    pub(super) address: u64,
    pub(super) size_bytes: u64,
    pub(super) born_ns: u64,
    pub(super) site: SiteNumber,
    pub(super) domain: Domain,
    pub(super) state: State,
    /// How many blocks it stands for: 1 / probability, so at least 1.
    pub(super) weight: f64,
    pub(super) stretch: Stretch,
}

const _: () = assert!(size_of::<Sample>() <= 112);

impl Sample {
    pub(super) const fn age_ns(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.born_ns)
    }

    /// The last time at which it was certainly alive.
    pub(super) const fn alive_until_ns(&self) -> u64 {
        match self.state {
            State::Alive { checked_ns } => checked_ns,
            State::Unknown { since_ns } => since_ns,
            State::Died { after_ns, .. } => after_ns,
        }
    }

    /// The part of its weight that chance had no hand in.
    ///
    /// Whoever is sampled with probability 1 varies by nothing, but a Poisson count would. So the weight `w = 1/p` is
    /// split such that only the rest, counted as Poisson, has the variance `(1 - p) / p^2` that thinning has.
    pub(super) fn certain_weight(&self) -> f64 {
        let probability = 1.0 / self.weight;
        1.0 / (1.0 + (1.0 - probability).max(0.0).sqrt())
    }

    /// Samples of one window came together; blocks of the exact ledger were drawn one by one.
    pub(super) const fn cluster(&self) -> (u32, SampleNumber) {
        match self.stretch.window {
            0 => (0, self.number),
            window => (window, 0),
        }
    }
}

#[cfg(test)]
impl Sample {
    pub(super) const fn for_test(born_ns: u64, length_ns: u64, state: State) -> Self {
        let stretch = Stretch { window: 1, length_ns, share_low: 1.0, share_high: 1.0 };
        let (site, domain) = (0, Domain::Libc);
        Self { number: 1, address: 16, size_bytes: 1, born_ns, site, domain, state, weight: 10.0, stretch }
    }
}
