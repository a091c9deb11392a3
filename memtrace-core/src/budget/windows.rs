//! How long a target's next window is, how often there are windows, and how thinly they sample: all of it follows from
//! what the windows before have cost.

use super::{Costs, SECOND_NS, Spending, WindowReport, bucket::TokenBucket, jitter::Jitter};

/// A window's length: long enough to see blocks come and go, short enough to close on time. What is armed for longer
/// than about 4 ms is disarmed up to 8 ms late, because the kernel's locks have gone cold.
const LENGTH_NS: (f64, f64) = (2e6, 4e6);

/// The mean of these.
const LENGTH_MEAN_NS: f64 = 3e6;

/// The first look at a target whose rate is not known.
const FIRST_LENGTH_NS: (f64, f64) = (0.5e6, 1e6);

/// No window is shorter.
const LENGTH_LEAST_NS: f64 = 0.5e6;

/// A window whose probable cost is more than the budget of this long is not worth it.
const WORTH_SECONDS: f64 = 60.0;

/// Windows a second of one target at most, when it is busy all the time.
const PER_SECOND_MAX: f64 = 15.0;

/// And at least, when it is idle: it may wake up.
const PER_SECOND_LEAST: f64 = 0.1;

/// Windows a second for each second of CPU time that a target takes in one: a hundredth of a core is worth one a
/// second, in which 30 us of its work are seen.
const PER_CPU_SECOND: f64 = 100.0;

/// Stacks that a window ought to have: its estimates get better with the square root of this, its cost with it.
const SAMPLES_WANTED: f64 = 200.0;

/// Stacks that a window ought to have even where they are dear.
const SAMPLES_LEAST: f64 = 20.0;

/// How much a new window counts against those before.
const NEWEST: f64 = 0.2;

/// The smallest mean that is worth telling from 0, which samples everything.
const MEAN_BYTES_LEAST: f64 = 16.0;

#[derive(Clone, Debug)]
pub(super) struct Planner {
    /// Cost of hits for each nanosecond armed.
    hits_rate: f64,
    /// Cost of arming and disarming.
    toggles_ns: f64,
    /// Cost of one entry, its share of returns and stacks included.
    entry_ns: f64,
    /// Cost of one sampled stack.
    stack_ns: f64,
    /// Of one core, between windows.
    cpu_share: f64,
    mean_bytes: u64,
    is_first: bool,
}

/// What a window is to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) length_ns: f64,
    pub(super) expected_ns: f64,
    pub(super) entries_more: u64,
    pub(super) sampled_max: u32,
}

impl Planner {
    /// Of a target whose hits took this share of a core while it was last armed.
    pub(super) fn new(costs: &Costs, stepped_share: f64, hits_rate: f64) -> Self {
        Self {
            hits_rate,
            toggles_ns: 0.0,
            entry_ns: costs.entry_of(stepped_share) * costs.margin(),
            stack_ns: 2_000.0,
            cpu_share: 1.0,
            mean_bytes: 0,
            is_first: true,
        }
    }

    pub(super) const fn mean_bytes(&self) -> u64 {
        self.mean_bytes
    }

    /// The next window is a first one again: nothing is known any more of how often the target allocates.
    pub(super) const fn forget_rate(&mut self) {
        self.hits_rate = 1.0;
        self.is_first = true;
    }

    fn expected_ns(&self, length_ns: f64) -> f64 {
        self.hits_rate * length_ns + self.toggles_ns
    }

    /// False when even the shortest window costs more than the budget of a minute.
    pub(super) fn is_worth_it(&self, share: f64) -> bool {
        self.expected_ns(LENGTH_LEAST_NS) <= WORTH_SECONDS * share * SECOND_NS
    }

    /// Windows a second that the target's CPU time is worth.
    pub(super) fn per_second_max(&self) -> f64 {
        (self.cpu_share * PER_CPU_SECOND).clamp(PER_SECOND_LEAST, PER_SECOND_MAX)
    }

    /// What the next window probably costs.
    pub(super) fn probable_ns(&self, bucket: &TokenBucket) -> f64 {
        let length_ns = if self.is_first { FIRST_LENGTH_NS.1 } else { LENGTH_MEAN_NS };
        self.expected_ns(self.shortened(length_ns, bucket))
    }

    /// A window takes at most half of what the bucket holds, if that leaves it a length.
    fn shortened(&self, length_ns: f64, bucket: &TokenBucket) -> f64 {
        let comfortable_ns = bucket.depth_ns() * 0.5;
        let expected_ns = self.expected_ns(length_ns);
        if expected_ns <= comfortable_ns {
            return length_ns;
        }
        (length_ns * comfortable_ns / expected_ns).max(LENGTH_LEAST_NS)
    }

    pub(super) fn shape(&self, bucket: &TokenBucket, jitter: &mut Jitter) -> Shape {
        let (shortest, longest) = if self.is_first { FIRST_LENGTH_NS } else { LENGTH_NS };
        let length_ns = self.shortened(jitter.between(shortest, longest), bucket);
        let expected_ns = self.expected_ns(length_ns);
        // More than was expected is borne, but no more than a minute can pay.
        let most_ns = (expected_ns * 4.0).max(length_ns).min(WORTH_SECONDS * bucket.share() * SECOND_NS);
        Shape {
            length_ns,
            expected_ns,
            entries_more: ((most_ns / self.entry_ns.max(1.0)) as u64).max(100),
            sampled_max: (SAMPLES_WANTED * 4.0) as u32,
        }
    }

    /// Learns from a window: what its hits and its toggles were charged, and whether the budget is what keeps windows
    /// apart.
    pub(super) fn learn(
        &mut self,
        report: &WindowReport,
        hits_ns: f64,
        toggles_ns: f64,
        is_budget_scarce: bool,
    ) {
        if report.armed_ns == 0 {
            return;
        }
        let Spending { entries, reporting_ns, .. } = report.spending;
        let rate = hits_ns / report.armed_ns as f64;
        // A rate far above what was known is believed sooner: the next window is paid by it.
        let newest = if rate > self.hits_rate * 4.0 { 0.5 } else { NEWEST };
        self.hits_rate = if self.is_first { rate } else { self.hits_rate + (rate - self.hits_rate) * newest };
        self.toggles_ns = toggles_ns;
        if entries >= 50 {
            self.entry_ns += (hits_ns / entries as f64 - self.entry_ns) * newest;
        }
        if report.sampled > 0 {
            let stack_ns = reporting_ns as f64 / report.sampled as f64;
            self.stack_ns += (stack_ns - self.stack_ns) * NEWEST;
        }
        self.is_first = false;
        self.adapt_mean(report, is_budget_scarce);
    }

    /// How much CPU time the target takes when nothing is armed.
    pub(super) fn learn_cpu(&mut self, cpu_share: f64) {
        self.cpu_share += (cpu_share.max(0.0) - self.cpu_share) * NEWEST;
    }

    pub(super) const fn stack_ns(&self) -> f64 {
        self.stack_ns
    }

    /// As many stacks as wanted; where the budget is scarce, no more than the hits themselves cost.
    fn samples_wanted(&self, is_budget_scarce: bool) -> f64 {
        if !is_budget_scarce {
            return SAMPLES_WANTED;
        }
        let affordable = 0.5 * self.expected_ns(LENGTH_MEAN_NS) / self.stack_ns.max(1.0);
        affordable.clamp(SAMPLES_LEAST, SAMPLES_WANTED)
    }

    fn adapt_mean(&mut self, report: &WindowReport, is_budget_scarce: bool) {
        let wanted = self.samples_wanted(is_budget_scarce);
        let seen = report.sampled as f64 * LENGTH_MEAN_NS / report.armed_ns as f64;
        let is_too_many = seen > wanted * 1.5;
        // A window in which hardly anything happened says little about the next.
        let is_too_few = seen < wanted * 0.5 && report.spending.entries > 100;
        if !is_too_many && !is_too_few {
            return;
        }
        let factor = (seen / wanted).clamp(0.25, 8.0);
        let mean = (self.mean_bytes as f64).max(if is_too_many { MEAN_BYTES_LEAST } else { 0.0 }) * factor;
        let mean = mean.min(memtrace_common::thinning::MEAN_BYTES_MAX as f64);
        self.mean_bytes = if mean < MEAN_BYTES_LEAST { 0 } else { mean as u64 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(armed_ns: u64, entries: u64, sampled: u64) -> WindowReport {
        let spending =
            Spending { entries, returns: entries / 2, reporting_ns: sampled * 2_000, ..Spending::default() };
        WindowReport { armed_ns, spending, sampled, ..WindowReport::default() }
    }

    fn planner() -> Planner {
        Planner::new(&Costs::default(), 0.0, 0.0)
    }

    #[test]
    fn sampling_settles_at_the_number_of_stacks_wanted() {
        let mut planner = planner();
        // 3,000 allocations of 100 bytes in a window, each sampled with the chance that the mean gives.
        for _ in 0..50 {
            let chance = memtrace_common::thinning::chance(100, planner.mean_bytes(), 0) as f64
                / memtrace_common::thinning::CERTAIN as f64;
            planner.learn(&report(3_000_000, 6_000, (3_000.0 * chance) as u64), 2.4e6, 0.0, true);
        }
        let chance = 100.0 / planner.mean_bytes() as f64;
        assert!((100.0..=300.0).contains(&(3_000.0 * chance)), "mean of {} bytes", planner.mean_bytes());
    }

    #[test]
    fn a_calm_target_is_sampled_whole() {
        let mut planner = planner();
        for _ in 0..10 {
            planner.learn(&report(3_000_000, 5_000, 2_500), 2.4e6, 0.0, true);
        }
        assert!(planner.mean_bytes() > 0);
        for _ in 0..30 {
            planner.learn(&report(3_000_000, 110, 1), 5e4, 0.0, false);
        }
        assert_eq!(planner.mean_bytes(), 0);
    }

    #[test]
    fn dear_windows_are_shorter_and_the_dearest_are_not_worth_it() {
        let bucket = TokenBucket::full(0.001, 1e7, 0);
        let mut jitter = Jitter::new(1);
        let of_threads = |threads: f64| {
            let mut planner = planner();
            planner.learn(&report(1_000_000, 1_000, 10), threads * 1e6, 0.0, true);
            planner
        };
        let one = of_threads(1.0).shape(&bucket, &mut jitter);
        assert!(one.length_ns >= LENGTH_NS.0);
        let eight = of_threads(8.0).shape(&bucket, &mut jitter);
        assert!(eight.length_ns < LENGTH_NS.0 && eight.length_ns >= LENGTH_LEAST_NS);
        assert!(of_threads(64.0).is_worth_it(0.001) && !of_threads(200.0).is_worth_it(0.001));
    }
}
