use super::*;
use crate::estimate::simulation::{Chance, coverage};
use proptest::prelude::*;

const WEIGHTS: [f64; 4] = [1.0, 3.0, 12.0, 50.0];

/// Each weight occurs as often as every other, in a window of its own.
fn scattered(chance: &mut Chance, events_mean: f64) -> Vec<Cluster> {
    let of_weight = |weight: f64| {
        let events = chance.poisson(events_mean / WEIGHTS.len() as f64);
        (0..events).map(move |_| Cluster { weight, weight_max: weight }).collect::<Vec<_>>()
    };
    WEIGHTS.into_iter().flat_map(of_weight).collect()
}

/// Windows that saw something see several, and of different weight.
fn clustered(chance: &mut Chance, windows_mean: f64) -> Vec<Cluster> {
    let windows = chance.poisson(windows_mean);
    (0..windows).map(|_| window(chance)).collect()
}

const WINDOW_SIZE_MEAN: f64 = 6.0;

fn window(chance: &mut Chance) -> Cluster {
    let mut cluster = Cluster { weight: 0.0, weight_max: 0.0 };
    for _ in 0..chance.geometric(WINDOW_SIZE_MEAN) {
        let weight = WEIGHTS[(chance.uniform() * 4.0) as usize];
        cluster.weight += weight;
        cluster.weight_max = cluster.weight_max.max(weight);
    }
    cluster
}

const WEIGHT_MEAN: f64 = 16.5;

#[test]
fn sums_of_unequal_weights_are_held_in_94_of_100_cases() {
    for events_mean in [1.0, 3.0, 10.0, 40.0, 160.0] {
        let mut chance = Chance::seeded(1);
        let truth = events_mean * WEIGHT_MEAN;
        let held = coverage(4_000, truth, || weighted_total(scattered(&mut chance, events_mean), 50.0));
        assert!(held >= 0.94, "{events_mean} events: {held}");
    }
}

#[test]
fn what_came_in_crowds_is_held_in_94_of_100_cases() {
    let usual_crowd = WINDOW_SIZE_MEAN * WEIGHT_MEAN;
    for windows_mean in [1.0, 2.0, 4.0, 6.0, 10.0, 40.0, 160.0] {
        let mut chance = Chance::seeded(2);
        let truth = windows_mean * usual_crowd;
        let held =
            coverage(3_000, truth, || weighted_total(clustered(&mut chance, windows_mean), usual_crowd));
        assert!(held >= 0.94, "{windows_mean} windows: {held}");
    }
}

/// Windows of 3 ms in which each of two thousand allocations was as likely as the other: no crowd is unlike another.
#[test]
fn a_steady_process_is_held_though_its_windows_are_no_poisson_events() {
    for in_window_mean in [0.02, 0.5, 20.0] {
        let mut chance = Chance::seeded(3);
        let (windows, weight) = (100_u32, 7.0);
        let truth = f64::from(windows) * in_window_mean * weight;
        let held = coverage(1_000, truth, || {
            let clusters: Vec<_> = (0..windows)
                .map(|_| f64::from(chance.poisson(in_window_mean)) * weight)
                .map(|total| Cluster { weight: total, weight_max: weight })
                .collect();
            weighted_total(clusters, weight)
        });
        assert!(held >= 0.94, "{in_window_mean} in a window: {held}");
    }
}

#[test]
fn nothing_seen_bounds_the_total_by_what_could_have_been_missed() {
    let none = weighted_total([], 10.0);
    assert_eq!((none.value, none.low), (0.0, 0.0));
    assert!((none.high - 36.9).abs() < 0.1, "{none:?}");
    assert_eq!(weighted_total([], f64::INFINITY).high, f64::INFINITY);
    assert_eq!(weighted_total([], f64::NAN), Interval::exact(0.0));
    // A Poisson mean of 3.6 shows nothing in 2.7 % of cases; one of 3.8 in 2.2 %.
    assert!(none.high > 36.0 && none.high < 38.0);
}

#[test]
fn one_weight_for_all_is_the_exact_interval_of_a_poisson_count() {
    let interval = weighted_total((0..10).map(|_| Cluster { weight: 2.0, weight_max: 2.0 }), 2.0);
    assert_eq!(interval.value, 20.0);
    // Garwood 1936: 4.795 and 18.39 for a count of ten.
    assert!((interval.low - 2.0 * 4.795_389).abs() < 1e-5, "{interval:?}");
    assert!((interval.high - 2.0 * 18.390_36).abs() < 1e-4, "{interval:?}");
}

#[test]
fn a_hundred_times_as_many_clusters_make_a_tenth_of_the_relative_width() {
    let mut chance = Chance::seeded(4);
    let mut relative_width = |events: f64| {
        let total = weighted_total(scattered(&mut chance, events), 50.0);
        (total.high - total.low) / total.value
    };
    let (few, many) = (relative_width(1_000.0), relative_width(100_000.0));
    let exponent = (many / few).ln() / 100_f64.ln();
    assert!((exponent + 0.5).abs() < 0.02, "{exponent}");
}

#[test]
fn what_nothing_bounds_from_above_has_a_value_and_a_lower_bound_all_the_same() {
    let interval = weighted_total([Cluster { weight: 5.0, weight_max: 5.0 }], f64::INFINITY);
    assert!(interval.low > 0.0 && interval.value == 5.0 && interval.high == f64::INFINITY);
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..1e12,
        1 => any::<f64>(),
        1 => proptest::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 5e-324, f64::MAX]),
    ]
}

fn any_cluster() -> impl Strategy<Value = Cluster> {
    (any_number(), any_number()).prop_map(|(weight, weight_max)| Cluster { weight, weight_max })
}

proptest! {
    #[test]
    fn no_input_breaks_the_order(clusters in proptest::collection::vec(any_cluster(), 0..20), heaviest in any_number()) {
        let interval = weighted_total(clusters, heaviest);
        prop_assert!(interval.value.is_finite());
        prop_assert!(0.0 <= interval.low && interval.low <= interval.value && interval.value <= interval.high);
    }

    #[test]
    fn one_cluster_more_is_more(
        weights in proptest::collection::vec(0.1..1e6, 0..20),
        more in 0.1..1e6,
        heaviest in 0.0..1e6,
    ) {
        let single = |weight: f64| Cluster { weight, weight_max: weight };
        let before = weighted_total(weights.iter().copied().map(single), heaviest);
        let after = weighted_total(weights.iter().copied().chain([more]).map(single), heaviest);
        prop_assert!(after.value > before.value);
        prop_assert!(after.high >= before.high * (1.0 - 1e-9), "{before:?} {after:?}");
    }

    #[test]
    fn the_unit_of_weight_does_not_matter(weights in proptest::collection::vec(0.1..1e6, 1..20), unit in 1e-9..1e9) {
        let total = |unit: f64| {
            let single = |weight: &f64| Cluster { weight: weight * unit, weight_max: weight * unit };
            weighted_total(weights.iter().map(single), 3.0 * unit)
        };
        let (plain, other) = (total(1.0), total(unit));
        prop_assert!((other.low / unit - plain.low).abs() <= 1e-6 * plain.value);
        prop_assert!((other.high / unit - plain.high).abs() <= 1e-6 * plain.high);
    }
}
