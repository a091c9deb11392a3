//! What tracing a target exactly would cost, told from its windows.
//!
//! A target is slowed while it is traced, so a window sees fewer calls than the same time without probes would make.
//! What is compared is therefore work: CPU time less tracing. Calls per unit of work, times the work that the target
//! does in a second, is what the exact tier would have to record.

use std::collections::VecDeque;

use super::SECOND_NS;

/// Windows older than this say nothing of now.
const MEMORY_NS: u64 = 30 * SECOND_NS as u64;

/// Windows remembered at most: thirty seconds of the most that a target gets.
const WINDOWS: usize = 300;

/// Fewer windows say nothing at all.
const WINDOWS_LEAST: usize = 3;

/// With less than this part of a window's CPU time left for work, the work cannot be told from errors of the prices.
const WORK_LEAST: f64 = 0.05;

#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// When the window closed.
    pub(super) at_ns: u64,
    /// What the calls in it would have cost, had all been recorded.
    pub(super) exact_cost_ns: f64,
    /// CPU time in it.
    pub(super) cpu_ns: f64,
    /// CPU time in it less what tracing took.
    pub(super) work_ns: f64,
    /// CPU time from the window before to this one's beginning.
    pub(super) cpu_before_ns: f64,
    /// Time from the end of the window before to this one's end.
    pub(super) elapsed_ns: f64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Forecast {
    sights: VecDeque<Sight>,
    calm_since_ns: Option<u64>,
}

impl Forecast {
    /// Takes a window in. The target is calm while the forecast stays below `calm_share`.
    pub(super) fn see(&mut self, sight: Sight, calm_share: f64) {
        self.sights.push_back(sight);
        let oldest_ns = sight.at_ns.saturating_sub(MEMORY_NS);
        while self.sights.len() > WINDOWS || self.sights.front().is_some_and(|first| first.at_ns < oldest_ns)
        {
            self.sights.pop_front();
        }
        let is_calm = self.share().is_some_and(|share| share < calm_share);
        // What is not known yet does not end a calm, and does not begin one.
        if is_calm {
            self.calm_since_ns.get_or_insert(sight.at_ns);
        } else if self.sights.len() >= WINDOWS_LEAST {
            self.calm_since_ns = None;
        }
    }

    /// Of one core; infinite where the windows cannot tell how much work is done.
    pub(super) fn share(&self) -> Option<f64> {
        if self.sights.len() < WINDOWS_LEAST {
            return None;
        }
        let sum = |of: fn(&Sight) -> f64| -> f64 { self.sights.iter().map(of).sum() };
        let (cost_ns, work_ns, cpu_ns) =
            (sum(|it| it.exact_cost_ns), sum(|it| it.work_ns), sum(|it| it.cpu_ns));
        if cost_ns <= 0.0 {
            return Some(0.0);
        }
        if work_ns <= cpu_ns * WORK_LEAST {
            return Some(f64::INFINITY);
        }
        let work_share = (sum(|it| it.cpu_before_ns) + work_ns) / sum(|it| it.elapsed_ns).max(1.0);
        Some(cost_ns / work_ns * work_share)
    }

    /// Since when the target has been calm.
    pub(super) const fn calm_since_ns(&self) -> Option<u64> {
        self.calm_since_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(second: u64, exact_cost_ns: f64, work_ns: f64, cpu_before_ns: f64) -> Sight {
        let cpu_ns = exact_cost_ns + work_ns;
        let at_ns = second * 1_000_000_000;
        Sight { at_ns, exact_cost_ns, cpu_ns, work_ns, cpu_before_ns, elapsed_ns: 1e9 }
    }

    #[test]
    fn a_slowed_target_is_forecast_at_its_own_speed() {
        let mut forecast = Forecast::default();
        for second in 1..10 {
            // Half of each window went to tracing: untraced, the target would have made twice as many calls.
            forecast.see(sight(second, 1.5e6, 1.5e6, 0.5e9), 0.006);
        }
        let share = forecast.share().expect("there are windows");
        assert!((share - 0.5).abs() < 0.01, "{share}");
        assert_eq!(forecast.calm_since_ns(), None);
    }

    #[test]
    fn where_all_is_tracing_nothing_is_promised() {
        let mut forecast = Forecast::default();
        for second in 1..10 {
            forecast.see(sight(second, 3e6, 0.0, 1e9), 0.006);
        }
        assert_eq!(forecast.share(), Some(f64::INFINITY));
    }

    #[test]
    fn an_idle_target_is_calm_from_its_third_window_on() {
        let mut forecast = Forecast::default();
        for second in [10, 20, 30, 40] {
            forecast.see(sight(second, 0.0, 0.0, 0.0), 0.006);
        }
        assert_eq!(forecast.calm_since_ns(), Some(30_000_000_000));
    }
}
