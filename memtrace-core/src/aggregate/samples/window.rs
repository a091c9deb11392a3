//! The window that is open: what was sampled in it, and what became of that so far.
//!
//! Weights are not known before the window closes, so its samples wait here.

use std::collections::VecDeque;

use memtrace_common::{Domain, thinning};

use super::sample::SampleNumber;
use crate::aggregate::sites::SiteNumber;
use crate::decode::Allocation;

/// What the daemon decided of a window, before it opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowStart {
    /// Its number, as in `memtrace_common::Allowance::window`; never 0.
    pub window: u32,
    /// As in `memtrace_common::Allowance::mean_bytes`.
    pub mean_bytes: u64,
    /// Before the first probe is armed, CLOCK_MONOTONIC.
    pub opens_ns: u64,
}

/// What a window turned out to be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WindowShare {
    /// Work done in the window by all work since the end of the last window that was not void: in 0..=1, not 0.
    pub share: f64,
    /// The least that the share can be; 0 when it cannot be told from nothing.
    pub share_low: f64,
    /// The most.
    pub share_high: f64,
    /// How long allocations were sampled.
    pub armed_ns: u64,
    /// When the fingerprints were read, CLOCK_MONOTONIC: what is alive now was alive then.
    pub closed_ns: u64,
}

/// A sampled block that lives as far as is known, at the end of its window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its number.
    pub sample: SampleNumber,
    /// Where it is.
    pub address: u64,
    /// Bytes asked for.
    pub size_bytes: u64,
    /// Whose bytes.
    pub domain: Domain,
}

/// What became of a block within its window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fortune {
    Alive,
    /// Between the two records of a realloc.
    Held,
    Ended,
}

/// A block sampled in the open window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Born {
    pub(super) address: u64,
    pub(super) size_bytes: u64,
    pub(super) born_ns: u64,
    /// That it was sampled in this window.
    pub(super) probability: f64,
    pub(super) site: SiteNumber,
    pub(super) domain: Domain,
    pub(super) fortune: Fortune,
    pub(super) has_print: bool,
}

const _: () = assert!(size_of::<Born>() <= 48);

/// Addresses remembered that were freed last.
const FREED_MAX: usize = 32;

#[derive(Debug)]
pub(super) struct OpenWindow {
    pub(super) start: WindowStart,
    /// The number of `born[0]`.
    pub(super) first: SampleNumber,
    pub(super) born: Vec<Born>,
    freed: VecDeque<u64>,
    /// Sampled without there being room for it.
    pub(super) overflown: u64,
}

impl OpenWindow {
    pub(super) const fn new(start: WindowStart, first: SampleNumber) -> Self {
        Self { start, first, born: Vec::new(), freed: VecDeque::new(), overflown: 0 }
    }

    pub(super) fn sampled(&mut self, allocation: &Allocation, site: SiteNumber) -> SampleNumber {
        let chance =
            thinning::chance(allocation.size_bytes, self.start.mean_bytes, u32::from(allocation.rarity_log2));
        self.born.push(Born {
            address: allocation.address,
            size_bytes: allocation.size_bytes,
            born_ns: allocation.time_ns,
            probability: chance as f64 / thinning::CERTAIN as f64,
            site,
            domain: allocation.origin.domain,
            fortune: Fortune::Alive,
            has_print: false,
        });
        self.first + self.born.len() as SampleNumber - 1
    }

    pub(super) fn get_mut(&mut self, number: SampleNumber) -> Option<&mut Born> {
        self.born.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let alive = (self.first..).zip(&self.born).filter(|(_, born)| born.fortune == Fortune::Alive);
        alive
            .map(|(sample, born)| Candidate {
                sample,
                address: born.address,
                size_bytes: born.size_bytes,
                domain: born.domain,
            })
            .collect()
    }

    pub(super) fn freed(&mut self, address: u64) {
        self.handed_out(address);
        if self.freed.len() >= FREED_MAX {
            self.freed.pop_front();
        }
        self.freed.push_back(address);
    }

    pub(super) fn handed_out(&mut self, address: u64) {
        self.freed.retain(|&freed| freed != address);
    }

    pub(super) fn just_freed(&self) -> Vec<u64> {
        self.freed.iter().rev().copied().collect()
    }
}
