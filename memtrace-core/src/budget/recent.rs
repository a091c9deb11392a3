//! What was spent in the last ten seconds, in slots of one.

use super::SECOND_NS;

const SLOTS: usize = 10;

#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    slots_ns: [f64; SLOTS],
    /// The second, counted from the clock's zero, of the newest slot.
    second: u64,
    since_ns: u64,
    total_ns: f64,
}

impl Recent {
    pub(super) const fn new(now_ns: u64) -> Self {
        Self { slots_ns: [0.0; SLOTS], second: now_ns / SECOND_NS as u64, since_ns: now_ns, total_ns: 0.0 }
    }

    pub(super) fn add(&mut self, amount_ns: f64, now_ns: u64) {
        self.advance(now_ns);
        self.slots_ns[(self.second % SLOTS as u64) as usize] += amount_ns;
        self.total_ns += amount_ns;
    }

    /// Forgets what is older than ten seconds.
    pub(super) fn advance(&mut self, now_ns: u64) {
        let second = now_ns / SECOND_NS as u64;
        for passed in self.second + 1..=second.min(self.second + SLOTS as u64) {
            self.slots_ns[(passed % SLOTS as u64) as usize] = 0.0;
        }
        self.second = self.second.max(second);
    }

    /// Of one core, over the last ten seconds, or since the beginning if that is less.
    pub(super) fn share(&self, now_ns: u64) -> f64 {
        // The newest slot covers only the part of its second that has passed.
        let newest_ns = now_ns.saturating_sub(self.second * SECOND_NS as u64) as f64;
        let covered_ns = (SLOTS - 1) as f64 * SECOND_NS + newest_ns.min(SECOND_NS);
        let age_ns = now_ns.saturating_sub(self.since_ns) as f64;
        self.slots_ns.iter().sum::<f64>() / covered_ns.min(age_ns).max(SECOND_NS)
    }

    /// Of one core, since the beginning.
    pub(super) fn share_total(&self, now_ns: u64) -> f64 {
        self.total_ns / (now_ns.saturating_sub(self.since_ns) as f64).max(SECOND_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_steady_spender_has_the_share_that_it_spends() {
        let mut recent = Recent::new(5 * SECOND);
        for tenth in 0..400 {
            recent.add(0.001 * SECOND_NS, 5 * SECOND + tenth * SECOND / 10);
        }
        let now_ns = 45 * SECOND;
        recent.advance(now_ns);
        assert!((recent.share(now_ns) - 0.01).abs() < 0.001, "{}", recent.share(now_ns));
        assert!((recent.share_total(now_ns) - 0.01).abs() < 0.001);
    }

    #[test]
    fn what_is_older_than_ten_seconds_counts_in_the_total_only() {
        let mut recent = Recent::new(0);
        recent.add(SECOND_NS, 0);
        recent.advance(3600 * SECOND);
        assert!(recent.share(3600 * SECOND).abs() < 1e-12);
        assert!((recent.share_total(3600 * SECOND) - 1.0 / 3600.0).abs() < 1e-9);
    }
}
