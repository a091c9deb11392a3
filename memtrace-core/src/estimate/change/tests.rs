use super::*;
use crate::estimate::simulation::{Chance, coverage};
use proptest::prelude::*;

fn clusters(chance: &mut Chance, events_mean: f64) -> Vec<Cluster> {
    let of_weight = |weight: f64| {
        let events = chance.poisson(events_mean / 3.0);
        (0..events).map(move |_| Cluster { weight, weight_max: weight }).collect::<Vec<_>>()
    };
    [1.0, 5.0, 30.0].into_iter().flat_map(of_weight).collect()
}

#[test]
fn growth_shrinking_and_standing_still_are_held_in_93_of_100_cases() {
    for (gained_mean, lost_mean) in
        [(3.0, 0.0), (1.0, 1.0), (20.0, 20.0), (60.0, 20.0), (5.0, 100.0), (200.0, 190.0)]
    {
        let mut chance = Chance::seeded(5);
        let truth = (gained_mean - lost_mean) * 12.0;
        let held = coverage(3_000, truth, || {
            let gained = clusters(&mut chance, gained_mean);
            change(&gained, &clusters(&mut chance, lost_mean), 30.0)
        });
        assert!(held >= 0.93, "{gained_mean} gained, {lost_mean} lost: {held}");
    }
}

#[test]
fn the_interval_shrinks_like_one_over_the_root_of_what_was_seen() {
    let mut chance = Chance::seeded(6);
    let mut relative_width = |events: f64| {
        let gained = clusters(&mut chance, 3.0 * events);
        let growth = change(&gained, &clusters(&mut chance, events), 30.0);
        (growth.high - growth.low) / events
    };
    let (few, many) = (relative_width(500.0), relative_width(50_000.0));
    let exponent = (many / few).ln() / 100_f64.ln();
    assert!((exponent + 0.5).abs() < 0.03, "{exponent}");
}

#[test]
fn nothing_gained_and_nothing_lost_may_be_a_little_of_either() {
    let none = change(&[], &[], 10.0);
    assert_eq!(none.value, 0.0);
    assert!((none.high - 36.9).abs() < 0.1 && (none.low + 36.9).abs() < 0.1, "{none:?}");
}

#[test]
fn gain_and_loss_exchanged_turn_the_sign() {
    let gained = [Cluster { weight: 5.0, weight_max: 5.0 }, Cluster { weight: 9.0, weight_max: 3.0 }];
    let lost = [Cluster { weight: 2.0, weight_max: 1.0 }];
    let (there, back) = (change(&gained, &lost, 1.0), change(&lost, &gained, 1.0));
    assert_eq!(there.value, -back.value);
    assert!((there.low + back.high).abs() < 1e-9 && (there.high + back.low).abs() < 1e-9);
}

proptest! {
    #[test]
    fn no_input_breaks_the_order(
        gained in proptest::collection::vec(any::<f64>(), 0..9),
        lost in proptest::collection::vec(0.0..1e9, 0..9),
        heaviest in any::<f64>(),
    ) {
        let single = |weight: &f64| Cluster { weight: *weight, weight_max: *weight };
        let (gained, lost): (Vec<_>, Vec<_>) = (gained.iter().map(single).collect(), lost.iter().map(single).collect());
        let Interval { value, low, high } = change(&gained, &lost, heaviest);
        prop_assert!(value.is_finite() && low <= value && value <= high);
    }
}
