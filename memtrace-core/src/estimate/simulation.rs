//! Chance for tests, the same in every run, and how often intervals hold a truth that is known.

use super::interval::Interval;

/// Marsaglia's xorshift with a multiplication at the end: fit for simulations, and ten lines.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform, inside 0..1 and neither of them.
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -self.uniform().ln() * mean
    }

    /// How many events of a Poisson process of rate 1 fall into `mean`.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        let mut at = self.exponential(1.0);
        let mut events = 0;
        while at < mean {
            at += self.exponential(1.0);
            events += 1;
        }
        events
    }

    /// How many tries it takes, 1 at least.
    pub(super) fn geometric(&mut self, mean: f64) -> u32 {
        let mut tries = 1;
        while !self.happens(1.0 / mean) {
            tries += 1;
        }
        tries
    }
}

/// The part of `runs` in which the interval holds the truth.
pub(super) fn coverage(runs: u32, truth: f64, mut run: impl FnMut() -> Interval) -> f64 {
    let held = (0..runs).map(|_| run()).filter(|interval| interval.low <= truth && truth <= interval.high);
    held.count() as f64 / f64::from(runs)
}
