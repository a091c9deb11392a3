//! Who ends in which tier, how often that changes, and what windows are like.

use super::{
    budget_holds::limits,
    model::{Load, Process, Simulation},
    *,
};

const SECOND: u64 = SECOND_NS as u64;

#[test]
fn quiet_targets_are_traced_exactly_and_stay_so() {
    for rate in [0.0, 100.0, 2_000.0] {
        let mut simulation = Simulation::of(limits(0.01), Process::steady(Load::of_rate(rate)));
        simulation.run(1800.0);
        assert_eq!(simulation.tier(1), Tier::Exact, "{rate} allocations a second");
        assert_eq!(simulation.processes[&1].tier_changes, 0, "{rate} allocations a second");
    }
}

#[test]
fn a_target_that_has_calmed_down_is_traced_exactly_again() {
    let process = Process::new(|second, _| Load::of_rate(if second < 177.0 { 1e6 } else { 500.0 }));
    let mut simulation = Simulation::of(limits(0.01), process);
    simulation.run(60.0);
    assert_eq!(simulation.tier(1), Tier::Windows);
    simulation.run(240.0);
    assert_eq!(simulation.tier(1), Tier::Exact);
    assert_eq!(simulation.processes[&1].tier_changes, 2);
}

#[test]
fn hot_targets_use_at_least_half_of_their_budget() {
    for share in [0.001, 0.005, 0.01, 0.05] {
        for load in [Load::of_rate(1e6), Load::of_rate(100e6), Load::of_threads(64.0, 64e6)] {
            let mut simulation = Simulation::of(limits(share), Process::steady(load));
            simulation.run(1200.0);
            let spent = simulation.processes[&1].true_ns / 1200.0 / SECOND_NS;
            assert!(spent >= share * 0.5, "{load:?}: {spent} of {share}");
        }
    }
}

#[test]
fn an_allowance_is_said_anew_when_prices_turn_out_higher() {
    let mut controller = Controller::new(Some(limits(0.01)), Costs::default(), 1, 0);
    controller.add(1, 0, true);
    let allowed = |decisions: Vec<Decision>| {
        decisions.into_iter().find_map(|decision| match decision {
            Decision::SetAllowance { entries_more, .. } => Some(entries_more),
            _ => None,
        })
    };
    let first = allowed(controller.tick(0)).expect("it is told at once");
    assert_eq!(allowed(controller.tick(1_000_000)), None, "nothing is new");
    controller.set_stepped_share(1, 1.0);
    let stepped = allowed(controller.tick(2_000_000)).expect("it is told anew");
    assert!(stepped < first, "{stepped} {first}");
    let default = Costs::default();
    controller.set_costs(Costs { stepped_entry_ns: default.stepped_entry_ns * 10.0, ..default });
    let dearer = allowed(controller.tick(3_000_000)).expect("it is told anew");
    assert!(dearer < stepped, "{dearer} {stepped}");
}

#[test]
fn tiers_do_not_flap() {
    let programs: [fn(f64, Tier) -> Load; 4] = [
        |second, _| Load::of_rate(if second % 60.0 < 1.0 { 1e6 } else { 10.0 }),
        |second, _| Load::of_rate(if second % 120.0 < 20.0 { 1e6 } else { 10.0 }),
        |second, _| Load::of_rate(5_000.0 + 4_000.0 * (second / 20.0).sin()),
        |_, tier| Load::of_rate(if tier == Tier::Exact { 1e6 } else { 0.0 }),
    ];
    for (index, program) in programs.into_iter().enumerate() {
        let mut simulation = Simulation::of(limits(0.01), Process::new(program));
        simulation.run(3600.0);
        let changes = simulation.processes[&1].tier_changes;
        assert!(changes <= 24, "program {index}: {changes} changes in an hour");
    }
}

#[test]
fn windows_of_different_targets_do_not_come_together() {
    let hot = || Process::steady(Load::of_rate(1e6));
    let mut simulation = Simulation::new(limits(0.01), Costs::default(), (0..10).map(|_| hot()).collect());
    simulation.run(600.0);
    let mut opened_ns: Vec<u64> =
        simulation.processes.values().flat_map(|process| process.opened_ns.iter().copied()).collect();
    opened_ns.sort_unstable();
    let count = opened_ns.len() as f64;
    let rate = count / 600.0;
    let close = opened_ns.windows(2).filter(|pair| pair[1] - pair[0] < SECOND / 500).count() as f64;
    // Of independent windows at this rate, so many follow another within 2 ms.
    let expected = count * (1.0 - (-rate * 0.002).exp());
    assert!(close < expected * 2.0 + 10.0, "{close} of {count}, {expected} by chance");
}

#[test]
fn gaps_between_windows_are_not_regular() {
    let mut simulation = Simulation::of(limits(0.01), Process::steady(Load::of_rate(1e6)));
    simulation.run(600.0);
    let opened_ns = &simulation.processes[&1].opened_ns;
    let gaps: Vec<f64> = opened_ns.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!(variance.sqrt() > mean * 0.4, "deviation {} of {mean}", variance.sqrt());
}

#[test]
fn an_idle_target_in_windows_gets_few_of_them() {
    let process = Process::new(|second, _| {
        if second < 87.0 { Load::of_rate(1e6) } else { Load { threads: 1.0, busy: 0.0, ..Load::default() } }
    });
    // Without a chance of exact tracing it stays in windows.
    let never = Limits { total_share: 0.01, ..limits(0.01) };
    let mut simulation = Simulation::of(never, process);
    simulation.run(40.0);
    let before = simulation.processes[&1].windows;
    simulation.run(30.0);
    assert!(simulation.processes[&1].windows - before <= 30);
}

#[test]
fn sampling_is_thinned_until_a_window_has_some_hundred_stacks() {
    let mut simulation = Simulation::of(limits(0.01), Process::steady(Load::of_threads(8.0, 40e6)));
    simulation.run(120.0);
    let report = simulation.controller.report(1, simulation.now_ns).expect("it is followed");
    assert!(report.mean_bytes > 500, "{} bytes", report.mean_bytes);
}

#[test]
fn what_costs_more_than_a_minutes_budget_is_off_and_tried_again() {
    let process = Process::steady(Load::of_threads(300.0, 300e6));
    let mut simulation = Simulation::of(limits(0.001), process);
    simulation.run(60.0);
    assert_eq!(simulation.tier(1), Tier::Off);
    let report = simulation.controller.report(1, simulation.now_ns).expect("it is followed");
    assert!(report.reason.expect("a reason").contains("minute"), "it says why");
    simulation.run(3.0 * 3600.0);
    let windows = simulation.processes[&1].windows;
    assert!((1..40).contains(&windows), "{windows} tries");
}

#[test]
fn where_there_are_no_windows_a_hot_target_is_off_and_tried_exactly_now_and_then() {
    let mut simulation = Simulation::of(limits(0.01), Process::steady(Load::of_rate(1e6)));
    simulation.controller.without_windows("the kernel has no tracefs".to_owned());
    simulation.run(20.0);
    assert_eq!(simulation.tier(1), Tier::Off);
    let report = simulation.controller.report(1, simulation.now_ns).expect("it is followed");
    assert!(report.reason.expect("a reason").contains("no tracefs"));
    simulation.run(3600.0);
    let process = &simulation.processes[&1];
    assert!((4..40).contains(&process.tier_changes), "{} changes", process.tier_changes);
    assert!(process.true_ns <= 0.01 * 3620.0 * SECOND_NS * 1.05 + 1e8);
}

#[test]
fn windows_that_fail_again_and_again_end_in_off_with_their_reason() {
    let mut controller = Controller::new(Some(limits(0.01)), Costs::default(), 1, 0);
    controller.add(7, 0, false);
    assert_eq!(controller.tick(0)[0], Decision::AttachExact { target: 7 });
    controller.spent(7, Spending { entries: 1_000_000, ..Spending::default() }, SECOND);
    controller.over_allowance(7, SECOND);
    assert_eq!(controller.tick(SECOND)[0], Decision::DetachExact { target: 7 });
    let (mut now_ns, mut opened) = (SECOND, 0);
    while now_ns < 600 * SECOND {
        now_ns += SECOND / 10;
        for decision in controller.tick(now_ns) {
            match decision {
                Decision::OpenWindow(_) => {
                    opened += 1;
                    controller.window_failed(7, "no such event", now_ns);
                }
                Decision::Off { target, reason } => {
                    assert_eq!((target, &reason[..], opened), (7, "no such event", 3));
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    panic!("it was never switched off");
}

#[test]
fn without_limits_nothing_is_ever_asked_but_to_attach() {
    let mut controller = Controller::new(None, Costs::default(), 1, 0);
    controller.add(1, 0, false);
    assert_eq!(controller.tick(0), [Decision::AttachExact { target: 1 }]);
    for second in 1..100 {
        controller.spent(1, Spending { entries: 100_000_000, ..Spending::default() }, second * SECOND);
        controller.over_allowance(1, second * SECOND);
        assert_eq!(controller.tick(second * SECOND), []);
    }
    let report = controller.report(1, 100 * SECOND).expect("it is followed");
    assert_eq!((report.tier, report.limit_share), (Tier::Exact, None));
    assert!(report.spent_share > 1.0, "what it costs is shown all the same");
}

#[test]
fn a_target_seen_from_its_start_is_exact_even_when_nothing_is_left() {
    let few = Limits { total_share: 0.01, ..limits(0.01) };
    let mut controller = Controller::new(Some(few), Costs::default(), 1, 0);
    controller.add(1, 0, false);
    controller.spent(1, Spending { entries: 10_000_000, ..Spending::default() }, SECOND);
    let first = controller.tick(SECOND);
    assert!(first.contains(&Decision::DetachExact { target: 1 }), "{first:?}");
    controller.add(2, SECOND, true);
    controller.add(3, SECOND, false);
    let attached = controller.tick(SECOND);
    assert!(attached.contains(&Decision::AttachExact { target: 2 }), "{attached:?}");
    assert!(!attached.contains(&Decision::AttachExact { target: 3 }), "{attached:?}");
}

#[test]
fn what_is_gone_is_not_decided_upon() {
    let mut controller = Controller::new(Some(limits(0.01)), Costs::default(), 1, 0);
    controller.add(1, 0, true);
    controller.remove(1);
    controller.spent(1, Spending { entries: 1, ..Spending::default() }, SECOND);
    controller.window_closed(1, &WindowReport::default(), SECOND);
    assert_eq!(controller.tick(SECOND), []);
    assert_eq!(controller.report(1, SECOND), None);
}
