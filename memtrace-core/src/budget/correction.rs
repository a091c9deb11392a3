//! By how much hits cost a target more than calibration said: its threads may contend for what a probe takes in the
//! kernel (before Linux 6.14, 16 busy threads paid ten times the price of one).
//!
//! A target that is not busy all the time needs more CPU time while it is traced than just before, and the difference
//! is what tracing took. Single windows scatter widely; only what remains after two standard errors are taken off
//! counts, so noise raises nothing. It cannot lower a price, and it sees nothing in a target that is busy all the time:
//! that one's CPU time is the same in a window, and bounds the charge instead.

/// Windows after which what was seen counts half.
const HALF_LIFE: f64 = 100.0;

/// Windows before anything is concluded.
const WINDOWS_LEAST: f64 = 10.0;

/// More than this was never measured anywhere.
const FACTOR_MAX: f64 = 32.0;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Correction {
    weight: f64,
    excess: f64,
    excess_squares: f64,
    modelled: f64,
}

impl Correction {
    /// Takes a window in: the CPU time that it took, the CPU time that the same span took on average since the window
    /// before, and what its hits cost by the prices.
    pub(super) fn see(&mut self, cpu_ns: f64, usual_cpu_ns: f64, modelled_ns: f64) {
        let decay = 0.5_f64.powf(1.0 / HALF_LIFE);
        let excess = cpu_ns - usual_cpu_ns;
        self.weight = self.weight * decay + 1.0;
        self.excess = self.excess * decay + excess;
        self.excess_squares = self.excess_squares * decay + excess * excess;
        self.modelled = self.modelled * decay + modelled_ns;
    }

    /// What charges are to be multiplied by; 1 unless there is proof of more.
    pub(super) fn factor(&self) -> f64 {
        if self.weight < WINDOWS_LEAST || self.modelled <= 0.0 {
            return 1.0;
        }
        let mean = self.excess / self.weight;
        let variance = (self.excess_squares / self.weight - mean * mean).max(0.0);
        let proven = mean - 2.0 * (variance / self.weight).sqrt();
        (proven / (self.modelled / self.weight)).clamp(1.0, FACTOR_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::jitter::Jitter;

    fn after(windows: usize, mut window: impl FnMut(&mut Jitter) -> (f64, f64, f64)) -> f64 {
        let (mut correction, mut jitter) = (Correction::default(), Jitter::new(3));
        for _ in 0..windows {
            let (cpu_ns, usual_ns, modelled_ns) = window(&mut jitter);
            correction.see(cpu_ns, usual_ns, modelled_ns);
        }
        correction.factor()
    }

    #[test]
    fn a_target_that_takes_what_the_prices_say_is_not_corrected() {
        let factor = after(500, |jitter| (1e6 * jitter.between(0.0, 2.0) + 1e5, 1e6, 1e5));
        assert!((factor - 1.0).abs() < 1e-9, "{factor}");
    }

    #[test]
    fn ten_times_the_price_is_found_through_noise() {
        let factor = after(500, |jitter| (3e5 * jitter.between(0.0, 2.0) + 1e6, 3e5, 1e5));
        assert!((8.0..10.5).contains(&factor), "{factor}");
    }

    #[test]
    fn a_busy_target_shows_nothing() {
        assert!((after(500, |_| (3e6, 3e6, 1e5)) - 1.0).abs() < 1e-9);
    }
}
