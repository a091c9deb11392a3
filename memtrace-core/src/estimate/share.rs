//! Which share of a process's own work its windows watched.
//!
//! In: per window, the CPU time and the hits it took ([`Stretch`]), and what a trap costs ([`TrapCosts`]). Out: the
//! share, with bounds that follow from how well the costs are known ([`WorkShare`]). One over the share is what
//! a sample of the window counts for.
//!
//! A process makes allocations by working, and while it is traced it also pays for traps: work is CPU time less
//! tracing time. Where nearly all CPU time of a window is tracing, the little that remains is smaller than the error
//! of the costs; then the low bound of the share is 0, and nothing bounds from above what the samples stand for.
//!
//! One window's share is noise: a process that works in bursts is asleep in most windows, and the mean of `1 / share`
//! is not one over the mean. [`ShareWindow`] pools: work in all recent windows, by work in all recent stretches. The
//! window whose samples are weighed has to be added first: its own work belongs on both sides. All pooled windows count
//! the same. Were they forgotten exponentially, the newest would count most in the sum it is compared with: a process
//! that is busy in one window of ten came out 8 % short over 64 windows, and 2 % over 512.
//!
//! Invariant: `0 <= low <= value <= high <= 1`. Refused: costs that are not positive numbers count as 0, a relative
//! error that is not one as total ignorance, more CPU time in a window than in its stretch as all of it.

use std::collections::VecDeque;

use super::tracing::{Hits, TrapCosts};

/// One window, and the stretch of time that it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stretch {
    /// CPU time of the process while its probes were armed.
    pub cpu_in_window_ns: u64,
    /// What tracing was borne meanwhile.
    pub hits: Hits,
    /// CPU time of the process from the end of the window before to the end of this one.
    pub cpu_in_stretch_ns: u64,
}

/// The part of a process's work that was watched: 1 is all of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WorkShare {
    /// The best guess.
    pub value: f64,
    /// When traps cost as much as they may; 0 when the work cannot be told from nothing.
    pub low: f64,
    /// When they cost as little as they may.
    pub high: f64,
}

impl WorkShare {
    /// The share of one window; none when the process did not run at all in its stretch.
    #[must_use]
    pub fn measured(stretch: &Stretch, costs: &TrapCosts) -> Option<Self> {
        Sums::of(stretch, costs).share(costs)
    }

    /// What one sample stands for, if it was certain to be taken; none when no work was seen, and so no sample.
    #[must_use]
    pub fn weight(&self) -> Option<f64> {
        (self.value > 0.0).then(|| 1.0 / self.value)
    }

    /// The least and the most that estimates may be off by, as factors for [`super::scaled`].
    #[must_use]
    pub fn uncertainty(&self) -> (f64, f64) {
        if self.value <= 0.0 {
            return (0.0, f64::INFINITY);
        }
        (self.value / self.high, if self.low > 0.0 { self.value / self.low } else { f64::INFINITY })
    }
}

/// The share of the recent windows together, each as important as any other.
#[derive(Clone, PartialEq, Debug)]
pub struct ShareWindow {
    recent: VecDeque<Sums>,
    windows: usize,
}

/// 48 bytes each, so no target takes more than 200 KB.
const WINDOWS_MAX: u32 = 4_096;

impl ShareWindow {
    /// Pools this many windows: one at least, 4,096 at most. Half a minute of them is a good choice: the share follows a
    /// process that changes, and a hundred windows find a process that works a tenth of the time.
    #[must_use]
    pub fn over(windows: u32) -> Self {
        Self { recent: VecDeque::new(), windows: windows.clamp(1, WINDOWS_MAX) as usize }
    }

    /// Adds a window, in place of the oldest.
    pub fn add(&mut self, stretch: &Stretch, costs: &TrapCosts) {
        if self.recent.len() == self.windows {
            self.recent.pop_front();
        }
        self.recent.push_back(Sums::of(stretch, costs));
    }

    /// The share of what was added; none when the process did not run at all. The costs' error is that of all
    /// windows alike, so it does not average out.
    #[must_use]
    pub fn share(&self, costs: &TrapCosts) -> Option<WorkShare> {
        self.sums().share(costs)
    }

    /// What hits of the process took, by what its recent gaps say of its traps.
    #[must_use]
    pub fn tracing_ns(&self, hits: &Hits, costs: &TrapCosts) -> f64 {
        hits.program_ns as f64 + self.traps_ns(hits, costs)
    }

    /// The same, when traps cost as much as they may.
    #[must_use]
    pub fn tracing_ns_most(&self, hits: &Hits, costs: &TrapCosts) -> f64 {
        hits.program_ns as f64 + self.traps_ns(hits, costs) * (1.0 + costs.error())
    }

    fn traps_ns(&self, hits: &Hits, costs: &TrapCosts) -> f64 {
        let sums = self.sums();
        costs.traps_ns(hits) * costs.slowness(sums.gaps, sums.gaps_ns)
    }

    fn sums(&self) -> Sums {
        self.recent.iter().copied().fold(Sums::default(), Sums::plus)
    }
}

/// CPU time in windows, the tracing in it, and CPU time between windows, which is work altogether.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Sums {
    in_windows_ns: f64,
    program_ns: f64,
    /// By the prices, as they were measured.
    traps_ns: f64,
    gaps: f64,
    gaps_ns: f64,
    between_ns: f64,
}

impl Sums {
    fn of(stretch: &Stretch, costs: &TrapCosts) -> Self {
        let in_windows_ns = stretch.cpu_in_window_ns as f64;
        Self {
            in_windows_ns,
            program_ns: stretch.hits.program_ns as f64,
            traps_ns: costs.traps_ns(&stretch.hits),
            gaps: stretch.hits.gaps as f64,
            gaps_ns: stretch.hits.gaps_ns as f64,
            between_ns: stretch.cpu_in_stretch_ns.saturating_sub(stretch.cpu_in_window_ns) as f64,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            in_windows_ns: self.in_windows_ns + other.in_windows_ns,
            program_ns: self.program_ns + other.program_ns,
            traps_ns: self.traps_ns + other.traps_ns,
            gaps: self.gaps + other.gaps,
            gaps_ns: self.gaps_ns + other.gaps_ns,
            between_ns: self.between_ns + other.between_ns,
        }
    }

    fn share(self, costs: &TrapCosts) -> Option<WorkShare> {
        if self.in_windows_ns + self.between_ns <= 0.0 {
            return None;
        }
        // Tracing takes CPU time, so it cannot have taken more than there was.
        let traps_ns = self.traps_ns * costs.slowness(self.gaps, self.gaps_ns);
        let tracing_ns = (self.program_ns + traps_ns).min(self.in_windows_ns);
        let error_ns = traps_ns.min(self.in_windows_ns) * costs.error();
        let work_ns = self.in_windows_ns - tracing_ns;
        let most_ns = (work_ns + error_ns).min(self.in_windows_ns);
        let least_ns = (work_ns - error_ns).max(0.0);
        // Work that cannot be told from nothing lies between nothing and the most: the middle is as good as any, and
        // meets `work_ns` where it starts to be told.
        let value_ns = if least_ns > 0.0 { work_ns } else { work_ns.max(most_ns / 2.0) };
        Some(WorkShare {
            value: self.share_of(value_ns),
            low: self.share_of(least_ns),
            high: self.share_of(most_ns),
        })
    }

    fn share_of(self, work_ns: f64) -> f64 {
        // A window that is its whole stretch missed nothing, however little was done in it.
        if self.between_ns > 0.0 { work_ns / (work_ns + self.between_ns) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests;
