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
