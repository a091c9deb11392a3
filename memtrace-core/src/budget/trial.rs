//! When to try again what failed: after a while, then after twice as long, up to ten minutes. What then lasts for ten
//! minutes has not failed, and the next wait is short again.

const SECOND: u64 = 1_000_000_000;

const WAIT_MAX_NS: u64 = 600 * SECOND;

#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    first_wait_ns: u64,
    wait_ns: u64,
    began_ns: u64,
}

impl Trial {
    /// Begins now; the first wait after a failure is this long.
    pub(super) const fn begun(first_wait_ns: u64, now_ns: u64) -> Self {
        Self { first_wait_ns, wait_ns: 0, began_ns: now_ns }
    }

    pub(super) const fn begin(&mut self, now_ns: u64) {
        self.began_ns = now_ns;
    }

    /// It has failed; how long to wait is now told by [`Trial::wait_ns`].
    pub(super) fn fail(&mut self, now_ns: u64) {
        let lasted_ns = now_ns.saturating_sub(self.began_ns);
        self.wait_ns = if self.wait_ns == 0 {
            self.first_wait_ns
        } else if lasted_ns >= WAIT_MAX_NS {
            REPEATED_WAIT_NS
        } else {
            (self.wait_ns * 2).clamp(REPEATED_WAIT_NS, WAIT_MAX_NS)
        };
    }

    pub(super) const fn wait_ns(&self) -> u64 {
        self.wait_ns
    }
}

/// The least wait after the first.
const REPEATED_WAIT_NS: u64 = 30 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_minutes_and_begin_anew_after_a_success() {
        let mut trial = Trial::begun(10 * SECOND, 0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            trial.begin(0);
            trial.fail(SECOND);
            waits.push(trial.wait_ns() / SECOND);
        }
        assert_eq!(waits, [10, 30, 60, 120, 240, 480, 600, 600]);
        trial.fail(WAIT_MAX_NS);
        assert_eq!(trial.wait_ns(), 30 * SECOND);
    }
}
