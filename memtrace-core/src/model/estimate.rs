//! What is known of a site or a process, and how well.

use super::Interval;

/// Ages for which survival is reported, in seconds.
pub const SURVIVAL_AGES_SECONDS: [u64; 3] = [10, 60, 300];

/// Figures with their errors. In the exact tier the intervals have no width.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Estimate {
    /// Bytes live.
    pub live_bytes: Interval,
    /// Blocks live.
    pub live_blocks: Interval,
    /// Change of the live bytes a minute, over the last minute or what there is of it; `None` without a basis.
    pub growth_bytes_per_minute: Option<Interval>,
    /// Share of the blocks that reach an age of [`SURVIVAL_AGES_SECONDS`]; `None` when none was followed for so long.
    pub survival: [Option<Interval>; 3],
    /// Sampled blocks, known to live, that the figures rest on; 0 in the exact tier.
    pub sampled_blocks: u64,
    /// Bytes of sampled blocks that may live or not; `live_bytes` counts them in `high` only.
    pub unknown_bytes: u64,
}

impl Estimate {
    /// What the kernel's own figure leaves possible: no more bytes live than the process has mapped as writable and
    /// private. A figure that is exact stays as it is.
    #[must_use]
    pub fn within(mut self, data_bytes: u64) -> Self {
        if !self.live_bytes.is_exact() {
            self.live_bytes.high = self.live_bytes.high.min((data_bytes as f64).max(self.live_bytes.value));
        }
        self
    }

    /// Figures that are known.
    #[must_use]
    pub fn exact(live_bytes: u64, live_blocks: u64) -> Self {
        Self {
            live_bytes: Interval::exact(live_bytes as f64),
            live_blocks: Interval::exact(live_blocks as f64),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Interval = Interval { value: 100.0, low: 50.0, high: f64::INFINITY };

    #[test]
    fn no_more_lives_than_the_process_has_mapped() {
        let open = Estimate { live_bytes: OPEN, ..Estimate::default() };
        let bounded = open.within(400);
        assert_eq!(bounded.live_bytes, Interval { high: 400.0, ..OPEN });
        assert_eq!(open.within(70).live_bytes.high, 100.0, "a bound below the estimate is the estimate");
    }

    #[test]
    fn what_is_exact_needs_no_bound() {
        let exact = Estimate::exact(1_000, 3);
        assert_eq!(exact.within(10), exact, "a program may allocate what it never touches");
    }
}
