//! Whatever targets do, the limits hold.

use proptest::prelude::*;

use super::{
    model::{Load, Process, Simulation},
    *,
};

const LIMITS: [f64; 4] = [0.001, 0.005, 0.01, 0.05];

pub(super) fn limits(target_share: f64) -> Limits {
    Limits { target_share, total_share: 0.25, ceiling_share: 0.10 }
}

/// The true cost is within 5 % of the limit, and the depth of the bucket.
#[track_caller]
fn assert_holds(process: &Process, limits: &Limits, seconds: f64, what: &str) {
    let allowed_ns = limits.target_share * seconds * SECOND_NS * 1.05 + limits.target_depth_ns();
    let share = process.true_ns / seconds / SECOND_NS;
    assert!(
        process.true_ns <= allowed_ns,
        "{what}: {:.4} % of {} %",
        share * 100.0,
        limits.target_share * 100.0
    );
}

fn hold(seconds: f64, what: &str, process: impl Fn() -> Process) {
    for share in LIMITS {
        let limits = limits(share);
        let mut simulation = Simulation::of(limits, process());
        simulation.run(seconds);
        let process = &simulation.processes[&1];
        if std::env::var_os("BUDGET_FIGURES").is_some() {
            let spent = process.true_ns / seconds / SECOND_NS * 100.0;
            let report = simulation.controller.report(1, simulation.now_ns).expect("it is followed");
            eprintln!(
                "{what:<28} limit {:>5.2} %  spent {spent:>7.4} %  {:<8} changes {:>3}  windows {:>6}  armed {:>7.4} %  mean {}",
                share * 100.0,
                report.tier.name(),
                process.tier_changes,
                process.windows,
                report.armed_share * 100.0,
                report.mean_bytes,
            );
        }
        assert_holds(process, &limits, seconds, what);
    }
}

#[test]
fn at_every_rate() {
    for rate in [0.0, 100.0, 5e3, 20e3, 1e6, 100e6] {
        hold(600.0, &format!("{rate} allocations/s"), move || Process::steady(Load::of_rate(rate)));
    }
}

#[test]
fn with_many_threads() {
    for threads in [8.0, 64.0] {
        hold(1800.0, &format!("{threads} threads, 1 M/s each"), move || {
            Process::steady(Load::of_threads(threads, threads * 1e6))
        });
    }
}

#[test]
fn with_many_threads_on_stepped_probes() {
    hold(1800.0, "64 threads, stepped", || Process::steady(Load::of_threads(64.0, 64e6)).stepped(1.0));
}

#[test]
fn through_bursts_and_phases() {
    hold(1200.0, "1 s of 1 M/s each minute", || {
        Process::new(|second, _| Load::of_rate(if second % 60.0 < 1.0 { 1e6 } else { 10.0 }))
    });
    hold(1200.0, "10 minutes hot, 10 quiet", || {
        Process::new(|second, _| Load::of_rate(if second % 1200.0 < 600.0 { 1e6 } else { 100.0 }))
    });
    hold(1200.0, "50 ms of 8 threads a second", || {
        let burst = Load::of_threads(8.0, 8e6);
        Process::new(move |second, _| if second % 1.0 < 0.05 { burst } else { Load::of_rate(0.0) })
    });
}

#[test]
fn against_an_adversary_that_is_quiet_until_it_is_traced_exactly() {
    hold(1200.0, "adversary", || {
        Process::new(|_, tier| match tier {
            Tier::Exact => Load::of_threads(16.0, 64e6),
            Tier::Windows | Tier::Off => Load::of_rate(0.0),
        })
    });
}

#[test]
fn when_hits_cost_a_tenth_of_what_was_calibrated() {
    hold(600.0, "costs a tenth", || Process::steady(Load::of_rate(1e6)).costing(60.0, 45.0));
}

/// Only of a target that is not busy all the time can it be known.
#[test]
fn when_hits_cost_ten_times_what_was_calibrated() {
    for share in LIMITS {
        let limits = limits(share);
        let load = Load { threads: 16.0, busy: 0.2, allocations_per_second: 300e3 };
        let process = Process::steady(load).costing(6_000.0, 4_500.0);
        let mut simulation = Simulation::of(limits, process);
        // What it costs until it is known: ten minutes, at most ten times the limit.
        simulation.run(600.0);
        let learnt_ns = simulation.processes[&1].true_ns;
        simulation.run(1200.0);
        let spent = (simulation.processes[&1].true_ns - learnt_ns) / 1200.0 / SECOND_NS;
        assert!(spent <= share * 1.3, "{spent} of {share}");
    }
}

#[test]
fn for_fifty_targets_together() {
    for cores in [4, 64] {
        let limits = Limits::of_machine(cores);
        let hot = || Process::steady(Load::of_rate(1e6));
        let mut simulation = Simulation::new(limits, Costs::default(), (0..50).map(|_| hot()).collect());
        let seconds = 300.0;
        simulation.run(seconds);
        let sum_ns: f64 = simulation.processes.values().map(|process| process.true_ns).sum();
        let allowed_ns = limits.total_share * seconds * SECOND_NS * 1.05 + limits.total_depth_ns();
        // Each of the fifty goes on for a step and its detaching when the alarm comes.
        let overshoot_ns = 50.0 * 30e6;
        assert!(sum_ns <= allowed_ns + overshoot_ns, "{cores} cores: {}", sum_ns / seconds / SECOND_NS);
        let windows: Vec<u64> = simulation.processes.values().map(|process| process.windows).collect();
        let all = windows.iter().sum::<u64>() as f64;
        assert!(all / seconds <= 15.2, "{cores} cores: {} windows a second", all / seconds);
        assert!(all / seconds >= 7.0, "{cores} cores: {} windows a second", all / seconds);
        let least = *windows.iter().min().expect("there are fifty") as f64;
        assert!(least >= all / 50.0 * 0.6, "{cores} cores: {least} of {all}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Phases of any length and rate, on any number of threads, at any limit.
    #[test]
    fn whatever_the_rates(
        share in prop::sample::select(LIMITS.to_vec()),
        stepped_share in prop::sample::select(vec![0.0, 0.0, 0.5, 1.0]),
        phases in prop::collection::vec((0.05..120.0_f64, 0_u32..9, 1_u32..32), 1..20),
    ) {
        let seconds = 600.0;
        let limits = limits(share);
        let whole: f64 = phases.iter().map(|(length, _, _)| length).sum();
        let process = Process::new(move |second, _| {
            let mut left = second % whole;
            for &(length, magnitude, threads) in &phases {
                if left < length {
                    let rate = 10_f64.powi(magnitude as i32) - 1.0;
                    return Load { threads: f64::from(threads), ..Load::of_rate(rate) };
                }
                left -= length;
            }
            Load::default()
        });
        let mut simulation = Simulation::of(limits, process.stepped(stepped_share));
        simulation.run(seconds);
        // One bill may come after the tokens have gone: that of an exact attachment that ends, of 32 threads for 30 ms.
        let bill_ns = 32.0 * 30e6;
        let allowed_ns = limits.target_share * seconds * SECOND_NS * 1.05 + limits.target_depth_ns() + bill_ns;
        let spent_ns = simulation.processes[&1].true_ns;
        prop_assert!(spent_ns <= allowed_ns, "{spent_ns} of {allowed_ns}");
    }
}
