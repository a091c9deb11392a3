//! What each site's live bytes were, up to a minute ago: what growth is measured against.
//!
//! In: live bytes by site, every few seconds. Out: those of a minute ago, or of as long ago as there are any.

use std::collections::VecDeque;

use super::sites::SiteNumber;

/// Growth is taken over this time.
const SPAN_NS: u64 = 60_000_000_000;

/// Moments remembered are at least this far apart: a dozen of them, with 8 bytes a site.
const STEP_NS: u64 = 5_000_000_000;

/// Over a shorter time there is no growth to speak of.
const SPAN_MIN_NS: u64 = 1_000_000_000;

/// No figure looks back further than this, where moments are entered as often as they can be.
pub(super) const REACH_NS: u64 = SPAN_NS + 2 * STEP_NS;

/// A moment, and the live bytes of each site then; sites that came later had none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub(super) time_ns: u64,
    live_bytes: Vec<u64>,
}

impl Moment {
    pub(super) fn live_bytes(&self, site: SiteNumber) -> u64 {
        self.live_bytes.get(site as usize).copied().unwrap_or(0)
    }

    /// Of all sites, modulo 2^64 as everywhere.
    pub(super) fn live_bytes_total(&self) -> u64 {
        self.live_bytes.iter().fold(0, |sum, bytes| sum.wrapping_add(*bytes))
    }
}

#[derive(Debug)]
pub(super) struct History {
    moments: VecDeque<Moment>,
}

impl History {
    /// Of a process in which nothing lived at this time.
    pub(super) fn starting(now_ns: u64) -> Self {
        Self { moments: VecDeque::from([Moment { time_ns: now_ns, live_bytes: Vec::new() }]) }
    }

    /// Remembers a moment, if the last one is long enough ago.
    pub(super) fn enter(&mut self, now_ns: u64, live_bytes: impl Iterator<Item = u64>) {
        if self.moments.back().is_some_and(|last| now_ns.saturating_sub(last.time_ns) < STEP_NS) {
            return;
        }
        self.moments.push_back(Moment { time_ns: now_ns, live_bytes: live_bytes.collect() });
        while self.moments.get(1).is_some_and(|second| now_ns.saturating_sub(second.time_ns) >= SPAN_NS) {
            self.moments.pop_front();
        }
    }

    /// The latest moment that is a minute ago, or else the earliest. `None` when that is hardly ago at all.
    pub(super) fn basis(&self, now_ns: u64) -> Option<&Moment> {
        let ago_ns = |moment: &&Moment| now_ns.saturating_sub(moment.time_ns);
        let moment = self.moments.iter().rev().find(|moment| ago_ns(moment) >= SPAN_NS);
        moment.or(self.moments.front()).filter(|moment| ago_ns(moment) >= SPAN_MIN_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn growth_is_measured_against_a_minute_ago_or_less_when_younger() {
        let mut history = History::starting(0);
        assert_eq!(history.basis(SECOND / 2), None);
        assert_eq!(history.basis(SECOND).map(|moment| moment.time_ns), Some(0));
        for second in 1..=300 {
            history.enter(second * SECOND, [second].into_iter());
            let ago = second - history.basis(second * SECOND).map_or(0, |moment| moment.time_ns / SECOND);
            assert!(ago == second.min(60) || (60..65).contains(&ago), "{ago} s ago at {second}");
            assert!(history.moments.len() <= 14);
        }
        let basis = history.basis(300 * SECOND).expect("long ago");
        assert_eq!((basis.live_bytes(0), basis.live_bytes(1)), (240, 0));
    }
}
