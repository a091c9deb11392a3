//! A bucket of tokens: nanoseconds that may be spent. It fills at a steady rate up to its depth; what is spent is taken
//! out whether it is there or not, and a debt has to fill up first.

use super::SECOND_NS;

#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    share: f64,
    depth_ns: f64,
    level_ns: f64,
    at_ns: u64,
}

impl TokenBucket {
    pub(super) const fn full(share: f64, depth_ns: f64, now_ns: u64) -> Self {
        Self { share, depth_ns, level_ns: depth_ns, at_ns: now_ns }
    }

    /// Adds what came in since. A clock that goes back adds nothing.
    pub(super) fn refill(&mut self, now_ns: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.at_ns);
        self.level_ns = (self.level_ns + elapsed_ns as f64 * self.share).min(self.depth_ns);
        self.at_ns = self.at_ns.max(now_ns);
    }

    pub(super) fn spend(&mut self, cost_ns: f64, now_ns: u64) {
        self.refill(now_ns);
        self.level_ns -= cost_ns.max(0.0);
    }

    /// Negative is a debt.
    pub(super) const fn level_ns(&self) -> f64 {
        self.level_ns
    }

    /// How full it is, from 0 (or in debt) to 1.
    pub(super) fn fill(&self) -> f64 {
        (self.level_ns / self.depth_ns.max(1.0)).clamp(0.0, 1.0)
    }

    pub(super) const fn depth_ns(&self) -> f64 {
        self.depth_ns
    }

    pub(super) const fn share(&self) -> f64 {
        self.share
    }

    /// Below this, what is exact has to end: a twentieth is left for what comes in until it has.
    pub(super) fn is_empty(&self) -> bool {
        self.level_ns < self.depth_ns * 0.05
    }

    /// How long until there is this much, if nothing is spent; more than the depth is never waited for.
    pub(super) fn wait_ns(&self, wanted_ns: f64) -> f64 {
        let missing_ns = self.affordable(wanted_ns) - self.level_ns;
        if missing_ns <= 0.0 {
            return 0.0;
        }
        (missing_ns / self.share.max(1e-9)).min(3600.0 * SECOND_NS)
    }

    /// `wanted_ns`, or nine tenths of the depth if that is less: what costs more is paid afterwards, as a debt.
    pub(super) fn affordable(&self, wanted_ns: f64) -> f64 {
        wanted_ns.min(self.depth_ns * 0.9)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_debt_is_paid_at_the_rate_before_anything_can_be_spent() {
        let mut bucket = TokenBucket::full(0.01, 100.0, 0);
        bucket.spend(150.0, 0);
        assert!((bucket.level_ns() + 50.0).abs() < 1e-9);
        assert!((bucket.wait_ns(10.0) - 6_000.0).abs() < 1e-6);
        bucket.refill(6_000);
        assert!((bucket.level_ns() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_more_than_the_depth_is_not_waited_for_forever() {
        let bucket = TokenBucket::full(0.01, 100.0, 0);
        assert!(bucket.wait_ns(1e12).abs() < 1e-9);
    }

    proptest! {
        /// Whoever spends only while the level is positive spends at most the rate, the depth, and his last bill.
        #[test]
        fn spending_is_bounded_by_rate_depth_and_one_bill(bills in prop::collection::vec((0_u64..1_000_000_000, 0.0..1e9_f64), 1..200)) {
            let (share, depth_ns) = (0.01, 1e8);
            let mut bucket = TokenBucket::full(share, depth_ns, 0);
            let (mut now_ns, mut spent_ns, mut largest_ns) = (0, 0.0, 0.0_f64);
            for (elapsed_ns, bill_ns) in bills {
                now_ns += elapsed_ns;
                bucket.refill(now_ns);
                if bucket.level_ns() > 0.0 {
                    bucket.spend(bill_ns, now_ns);
                    spent_ns += bill_ns;
                    largest_ns = largest_ns.max(bill_ns);
                }
                prop_assert!(spent_ns <= share * now_ns as f64 + depth_ns + largest_ns + 1.0);
            }
        }
    }
}
