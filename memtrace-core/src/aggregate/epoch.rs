//! Birth times in four bytes.

/// Length of a tick. 2^32 of them are 497 days: blocks born later than that in a run count as born then, so that
/// their ages are too great, never too small.
const TICK_NS: u64 = 10_000_000;

/// The moment from which ticks are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    start_ns: u64,
}

impl Epoch {
    pub(super) const fn new(start_ns: u64) -> Self {
        Self { start_ns }
    }

    /// The tick in which `time_ns` lies.
    pub(super) fn tick(self, time_ns: u64) -> u32 {
        u32::try_from(time_ns.saturating_sub(self.start_ns) / TICK_NS).unwrap_or(u32::MAX)
    }

    /// The start of a tick: ages since then are less than a tick too great.
    pub(super) const fn time_ns(self, tick: u32) -> u64 {
        self.start_ns.saturating_add(tick as u64 * TICK_NS)
    }

    /// The last tick whose age is at least `older_ns`; `None` when the epoch is younger than that.
    pub(super) fn newest_tick(self, older_ns: u64, now_ns: u64) -> Option<u32> {
        let ticks = now_ns.saturating_sub(self.start_ns).checked_sub(older_ns)? / TICK_NS;
        Some(u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_begins_less_than_a_tick_before_its_times() {
        let epoch = Epoch::new(1_000);
        let tick = epoch.tick(1_000 + 25 * TICK_NS + 7);
        assert_eq!(epoch.time_ns(tick), 1_000 + 25 * TICK_NS);
    }

    #[test]
    fn the_newest_tick_of_an_age_is_the_last_that_is_so_old() {
        let epoch = Epoch::new(1_000);
        let now_ns = 1_000 + 30 * TICK_NS + 7;
        let newest = epoch.newest_tick(5 * TICK_NS, now_ns).expect("the epoch is old enough");
        assert!(now_ns - epoch.time_ns(newest) >= 5 * TICK_NS);
        assert!(now_ns - epoch.time_ns(newest + 1) < 5 * TICK_NS);
        assert_eq!(epoch.newest_tick(31 * TICK_NS, now_ns), None);
    }

    #[test]
    fn times_before_the_start_and_after_the_last_tick_are_clamped() {
        let epoch = Epoch::new(1_000);
        assert_eq!(epoch.tick(5), 0);
        assert_eq!(epoch.tick(u64::MAX), u32::MAX);
    }
}
