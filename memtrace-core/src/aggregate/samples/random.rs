//! Random numbers that a seed decides: splitmix64 (Steele, Lea & Flood 2014). Good enough to draw samples, and of no
//! use for secrets.

#[derive(Clone, Copy, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.state)
    }

    /// Evenly in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        unit(self.next())
    }

    /// True with this probability.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// The time to the next event of a Poisson process; five means at most, so that nothing waits for ever.
    pub(super) fn gap_ns(&mut self, mean_ns: u64) -> u64 {
        let means = -(1.0 - self.unit()).ln();
        (means.min(5.0) * mean_ns as f64) as u64
    }

    /// A whole number whose mean is `amount`: sums of these stray by less than one each, and are right on average.
    pub(super) fn rounded(&mut self, amount: f64) -> u64 {
        let floor = amount.floor();
        floor as u64 + u64::from(self.happens(amount - floor))
    }
}

/// A random number as one that lies evenly in 0..1.
pub(super) const fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number that looks random and that the same input always gives.
pub(super) const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_as_asked_for() {
        let mut random = Random::new(7);
        let mean = |draw: &mut dyn FnMut() -> f64| (0..100_000).map(|_| draw()).sum::<f64>() / 100_000.0;
        assert!((mean(&mut || random.rounded(2.3) as f64) - 2.3).abs() < 0.02);
        assert!((mean(&mut || random.gap_ns(1_000) as f64) - 1_000.0).abs() < 20.0);
        assert!((mean(&mut || f64::from(u8::from(random.happens(0.25)))) - 0.25).abs() < 0.01);
    }
}
