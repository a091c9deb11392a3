//! What may be spent.

/// Shares of one core: 0.01 is 1 %. No limits at all (`--exact`) is the absence of this.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limits {
    /// Of each target.
    pub target_share: f64,
    /// Of all targets together.
    pub total_share: f64,
    /// Of each target in any single second, while it spends what it had saved.
    pub ceiling_share: f64,
}

/// What one target may cost: `--max-overhead`.
const TARGET_SHARE: f64 = 0.01;

/// How much of the machine all targets may cost together: `--max-total-overhead`.
const MACHINE_SHARE: f64 = 0.01;

/// On a small machine, what all targets together may always cost: three of them at their limits.
const TOTAL_SHARE_LEAST: f64 = 0.03;

/// A tenth of a second of one core, spent within a second, is about what a request may notice.
const CEILING_SHARE: f64 = 0.10;

/// Savings of this long may be spent at once.
const SAVED_SECONDS: f64 = 10.0;

impl Limits {
    /// 1 % of a core for each target, and 1 % of all cores for all of them.
    ///
    /// Who traces 50 processes expects of the machine what is said of each process: that it keeps 99 % of its time.
    /// On 64 cores that is 0.64 of one: all 50 can be at their own limit. On 4 cores it is 0.04 of one, so 50 hot
    /// processes get 0.08 % of a core each, one window in about four seconds; 0.5 of a core would take an eighth of
    /// that machine.
    #[must_use]
    pub fn of_machine(cores: usize) -> Self {
        Self {
            target_share: TARGET_SHARE,
            total_share: (MACHINE_SHARE * cores as f64).max(TOTAL_SHARE_LEAST),
            ceiling_share: CEILING_SHARE,
        }
    }

    /// What a target may save up, and so spend at once, in nanoseconds.
    pub(super) fn target_depth_ns(&self) -> f64 {
        let of_a_second = self.ceiling_share.max(self.target_share);
        (self.target_share * SAVED_SECONDS).min(of_a_second) * super::SECOND_NS
    }

    /// What all may save up. The ceiling is each target's own.
    pub(super) fn total_depth_ns(&self) -> f64 {
        self.total_share * SAVED_SECONDS * super::SECOND_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_targets_may_cost_a_hundredth_of_the_machine_but_at_least_three_limits() {
        assert!((Limits::of_machine(64).total_share - 0.64).abs() < 1e-9);
        assert!((Limits::of_machine(4).total_share - 0.04).abs() < 1e-9);
        assert!((Limits::of_machine(1).total_share - 0.03).abs() < 1e-9);
    }

    #[test]
    fn savings_are_ten_seconds_but_no_more_than_the_ceiling_of_one() {
        let depth = |target_share| {
            Limits { target_share, ..Limits::of_machine(4) }.target_depth_ns() / crate::budget::SECOND_NS
        };
        assert!((depth(0.001) - 0.01).abs() < 1e-9);
        assert!((depth(0.01) - 0.10).abs() < 1e-9);
        assert!((depth(0.05) - 0.10).abs() < 1e-9);
        assert!((depth(0.50) - 0.50).abs() < 1e-9, "a limit above the ceiling is meant");
    }
}
