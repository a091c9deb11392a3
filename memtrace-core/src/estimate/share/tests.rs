use super::*;
use crate::estimate::simulation::Chance;
use crate::estimate::{Cluster, Interval, scaled, weighted_total};
use proptest::prelude::*;

/// A process whose allocations are proportional to its work, and the windows that watch it.
#[derive(Clone, Copy, Debug)]
struct Process {
    /// The part of windows, and of the time between, in which it works at all.
    busy: f64,
    /// Work between windows when it is busy all the time.
    between_ns: f64,
    /// CPU time in a window over work in it.
    slowed: f64,
    /// The true cost over the charged one lies within this of 1.
    cost_error: f64,
}

const WINDOW_NS: f64 = 3e6;
const ENTRY_NS: f64 = 500.0;
const ALLOCATIONS_PER_NS: f64 = 2e-6;

fn entries(entries: u64) -> Hits {
    Hits { entries, ..Hits::default() }
}

const STEADY: Process = Process { busy: 1.0, between_ns: 400e6, slowed: 1.0, cost_error: 0.0 };

/// What was allocated in all, and what the windows say was.
struct Outcome {
    truth: f64,
    estimate: Interval,
}

/// `windows` windows, pooled over `memory` of them, after as many that only fill the pool. Before the first burst of a
/// process nothing can be weighed: one that is idle nine tenths of the time loses nine windows' worth, once.
fn watched(process: &Process, windows: u32, memory: u32, chance: &mut Chance) -> Outcome {
    let true_entry_ns = ENTRY_NS * (1.0 + process.cost_error * (2.0 * chance.uniform() - 1.0));
    let costs = TrapCosts::fixed(ENTRY_NS, 0.0, 0.05);
    let mut pooled = ShareWindow::over(memory);
    let (mut truth, mut clusters, mut off) = (0.0, Vec::new(), (0.0, 0.0));
    for window in 0..memory + windows {
        let is_busy = chance.happens(process.busy);
        let work_ns = if is_busy { WINDOW_NS / process.slowed } else { 0.0 };
        let tracing_ns = work_ns * (process.slowed - 1.0);
        // Bursts are shorter than the time between windows, which sees some of them.
        let bursts = (0..20).filter(|_| chance.happens(process.busy)).count();
        let between_ns = process.between_ns * bursts as f64 / 20.0;
        let stretch = Stretch {
            cpu_in_window_ns: (work_ns + tracing_ns) as u64,
            hits: entries((tracing_ns / true_entry_ns) as u64),
            cpu_in_stretch_ns: (work_ns + tracing_ns + between_ns) as u64,
        };
        pooled.add(&stretch, &costs);
        if window < memory {
            continue;
        }
        truth += (work_ns + between_ns) * ALLOCATIONS_PER_NS;
        let seen = f64::from(chance.poisson(work_ns * ALLOCATIONS_PER_NS));
        let Some(share) = pooled.share(&costs) else { continue };
        if let Some(weight) = share.weight().filter(|_| seen > 0.0) {
            clusters.push(Cluster { weight: seen * weight, weight_max: weight });
        }
        off = share.uncertainty();
    }
    let heaviest = clusters.iter().map(|cluster| cluster.weight_max).fold(0.0, f64::max);
    Outcome { truth, estimate: scaled(weighted_total(clusters, heaviest), off.0, off.1) }
}

/// The mean of the estimates over the mean of the truths less 1, and how often the truth was held.
fn bias_and_held(process: &Process, windows: u32, memory: u32) -> (f64, f64) {
    const RUNS: u32 = 400;
    let mut chance = Chance::seeded(11);
    let outcomes: Vec<_> = (0..RUNS).map(|_| watched(process, windows, memory, &mut chance)).collect();
    let truths: f64 = outcomes.iter().map(|outcome| outcome.truth).sum();
    let estimates: f64 = outcomes.iter().map(|outcome| outcome.estimate.value).sum();
    let is_held = |o: &&Outcome| o.estimate.low <= o.truth && o.truth <= o.estimate.high;
    (estimates / truths - 1.0, outcomes.iter().filter(is_held).count() as f64 / f64::from(RUNS))
}

#[track_caller]
fn assert_unbiased_and_held(process: &Process) {
    let (bias, held) = bias_and_held(process, 500, 64);
    assert!(bias.abs() < 0.02, "{bias}");
    assert!(held >= 0.95, "{held}");
}

#[test]
fn a_steady_process_is_estimated_without_bias() {
    assert_unbiased_and_held(&STEADY);
}

#[test]
fn a_process_idle_nine_tenths_of_the_time_is_estimated_without_bias() {
    assert_unbiased_and_held(&Process { busy: 0.1, ..STEADY });
}

#[test]
fn a_process_slowed_by_tracing_is_estimated_without_bias_at_known_costs() {
    assert_unbiased_and_held(&Process { slowed: 2.5, cost_error: 0.05, ..STEADY });
    assert_unbiased_and_held(&Process { busy: 0.1, slowed: 2.5, cost_error: 0.05, ..STEADY });
}

/// Nearly all of a window is tracing, so the value is worth little, and the interval says so.
#[test]
fn a_loop_of_mallocs_is_held_by_an_interval_without_an_upper_end() {
    let process = Process { slowed: 300.0, cost_error: 0.05, ..STEADY };
    let (_, held) = bias_and_held(&process, 600, 64);
    assert_eq!(held, 1.0);
    let outcome = watched(&process, 600, 64, &mut Chance::seeded(12));
    assert_eq!(outcome.estimate.high, f64::INFINITY);
    assert!(outcome.estimate.low > 0.0, "{:?}", outcome.estimate);
}

/// Why windows are pooled: alone, those in which a bursty process slept stand for nothing.
#[test]
fn single_windows_would_miss_most_of_a_bursty_process() {
    let (bias, _) = bias_and_held(&Process { busy: 0.1, ..STEADY }, 300, 1);
    assert!(bias < -0.5, "{bias}");
}

const COSTS: TrapCosts = TrapCosts::fixed(500.0, 300.0, 0.05);

#[test]
fn tracing_is_no_work_and_its_uncertainty_bounds_the_share() {
    let stretch = Stretch {
        cpu_in_window_ns: 3_000_000,
        hits: Hits { entries: 1_800, returns: 1_000, program_ns: 300_000, ..Hits::default() },
        cpu_in_stretch_ns: 100_000_000,
    };
    let share = WorkShare::measured(&stretch, &COSTS).unwrap();
    let of_work = |work_ns: f64| work_ns / (work_ns + 97e6);
    assert!((share.value - of_work(1.5e6)).abs() < 1e-12, "{share:?}");
    assert!((share.low - of_work(1.44e6)).abs() < 1e-12 && (share.high - of_work(1.56e6)).abs() < 1e-12);
    let (low, high) = share.uncertainty();
    assert!((0.96..0.97).contains(&low) && (1.04..1.05).contains(&high), "{low} {high}");
}

#[test]
fn a_process_that_did_not_run_has_no_share_and_one_asleep_in_the_window_none_to_weigh_by() {
    assert_eq!(WorkShare::measured(&Stretch::default(), &COSTS), None);
    assert_eq!(ShareWindow::over(8).share(&COSTS), None);
    let asleep = Stretch { cpu_in_stretch_ns: 1_000_000, ..Stretch::default() };
    let share = WorkShare::measured(&asleep, &COSTS).unwrap();
    assert_eq!((share.value, share.weight(), share.uncertainty()), (0.0, None, (0.0, f64::INFINITY)));
}

#[test]
fn a_window_without_a_gap_saw_all_there_was() {
    let whole = Stretch { cpu_in_window_ns: 5_000, cpu_in_stretch_ns: 5_000, hits: entries(9) };
    let share = WorkShare::measured(&whole, &COSTS).unwrap();
    assert_eq!(share, WorkShare { value: 1.0, low: 1.0, high: 1.0 });
    assert_eq!(share.uncertainty(), (1.0, 1.0));
}

#[test]
fn old_windows_are_forgotten() {
    let window =
        |cpu_in_window_ns| Stretch { cpu_in_window_ns, cpu_in_stretch_ns: 1_000_000, ..Stretch::default() };
    let mut pooled = ShareWindow::over(2);
    for cpu_in_window_ns in [900_000, 10_000, 30_000] {
        pooled.add(&window(cpu_in_window_ns), &COSTS);
    }
    assert!((pooled.share(&COSTS).unwrap().value - 0.02).abs() < 1e-12);
}

#[test]
fn a_target_whose_gaps_are_longer_pays_more_for_its_traps() {
    let costs = TrapCosts { gap_ns: 400.0, ..COSTS };
    let hits = Hits { entries: 1_800, returns: 1_000, program_ns: 300_000, gaps: 1_000, gaps_ns: 500_000 };
    let stretch = Stretch { cpu_in_window_ns: 3_000_000, hits, cpu_in_stretch_ns: 100_000_000 };
    let mut pooled = ShareWindow::over(4);
    pooled.add(&stretch, &costs);
    assert!((pooled.tracing_ns(&hits, &costs) - (300_000.0 + 1_200_000.0 * 1.25)).abs() < 1e-6);
    let work_ns = 3e6 - 1.8e6;
    let share = pooled.share(&costs).unwrap();
    assert!((share.value - work_ns / (work_ns + 97e6)).abs() < 1e-12, "{share:?}");
}

fn any_stretch() -> impl Strategy<Value = Stretch> {
    let number = || prop_oneof![0..10_000_000_u64, any::<u64>()];
    (number(), number(), number(), number(), number(), number(), number()).prop_map(|numbers| Stretch {
        cpu_in_window_ns: numbers.0,
        cpu_in_stretch_ns: numbers.1,
        hits: Hits {
            entries: numbers.2,
            returns: numbers.3,
            program_ns: numbers.4,
            gaps: numbers.5,
            gaps_ns: numbers.6,
        },
    })
}

proptest! {
    #[test]
    fn no_input_breaks_the_order(
        stretches in proptest::collection::vec(any_stretch(), 1..9),
        entry_ns in any::<f64>(),
        return_ns in any::<f64>(),
        gap_ns in any::<f64>(),
        relative_error in prop_oneof![0.0..0.5, any::<f64>()],
    ) {
        let costs = TrapCosts { entry_ns, return_ns, gap_ns, relative_error };
        let mut pooled = ShareWindow::over(4);
        for stretch in &stretches {
            pooled.add(stretch, &costs);
        }
        if let Some(share) = pooled.share(&costs) {
            prop_assert!(0.0 <= share.low && share.low <= share.value, "{share:?}");
            prop_assert!(share.value <= share.high && share.high <= 1.0, "{share:?}");
            let (low, high) = share.uncertainty();
            prop_assert!((0.0..=1.0).contains(&low) && high >= 1.0);
        }
    }

    #[test]
    fn dearer_traps_leave_a_smaller_share(count in 0..5_000_u64, cheap_ns in 0.0..500.0, dearer_ns in 0.0..500.0) {
        let stretch =
            Stretch { cpu_in_window_ns: 3_000_000, hits: entries(count), cpu_in_stretch_ns: 90_000_000 };
        let share = |entry_ns: f64| WorkShare::measured(&stretch, &TrapCosts::fixed(entry_ns, 0.0, 0.05)).unwrap();
        let (cheap, dear) = (share(cheap_ns), share(cheap_ns + dearer_ns));
        prop_assert!(dear.low <= cheap.low && dear.value <= cheap.value && dear.high <= cheap.high);
    }
}
