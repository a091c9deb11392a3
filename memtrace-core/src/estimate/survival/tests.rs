use super::*;
use crate::estimate::simulation::{Chance, coverage};
use proptest::prelude::*;

const SECOND_NS: f64 = 1e9;
const AGES_NS: [u64; 3] = [10_000_000_000, 60_000_000_000, 300_000_000_000];

/// A process that is watched for a time, and whose sampled blocks are looked at again and again.
#[derive(Clone, Copy, Debug)]
struct Study {
    lives: u32,
    watched_s: f64,
    looks_every_s: f64,
    /// Of lives, that change without proof at some look before their end.
    lost_alive: f64,
    /// Of deaths, that leave no proof.
    lost_dying: f64,
    /// How much more often the lasting ones are weighed.
    lasting_weight: f64,
}

const STUDY: Study = Study {
    lives: 150,
    watched_s: 600.0,
    looks_every_s: 4.0,
    lost_alive: 0.0,
    lost_dying: 0.0,
    lasting_weight: 1.0,
};

/// A mixture: some live for ever, others exponentially.
#[derive(Clone, Copy, Debug)]
struct Kind {
    lasting: f64,
    mean_s: f64,
}

impl Kind {
    fn truth(self, study: &Study, age_ns: u64) -> f64 {
        let lasting = self.lasting * study.lasting_weight;
        let passing = 1.0 - self.lasting;
        (lasting + passing * (-(age_ns as f64) / SECOND_NS / self.mean_s).exp()) / (lasting + passing)
    }

    fn life(self, study: &Study, chance: &mut Chance) -> Life {
        let lasts = chance.happens(self.lasting);
        let death_s = if lasts { f64::INFINITY } else { chance.exponential(self.mean_s) };
        let until_s = chance.uniform() * study.watched_s;
        let weight = (1.0 + 3.0 * chance.uniform()) * if lasts { study.lasting_weight } else { 1.0 };
        let lost_s =
            if chance.happens(study.lost_alive) { chance.uniform() * until_s } else { f64::INFINITY };
        let is_lost_dying = chance.happens(study.lost_dying);
        Life { weight, fate: looked_at(study, chance, &Ends { death_s, until_s, lost_s, is_lost_dying }) }
    }
}

struct Ends {
    death_s: f64,
    until_s: f64,
    lost_s: f64,
    is_lost_dying: bool,
}

fn looked_at(study: &Study, chance: &mut Chance, ends: &Ends) -> Fate {
    let ns = |seconds: f64| (seconds * SECOND_NS) as u64;
    let mut seen_s = 0.0;
    loop {
        let look_s = seen_s + chance.exponential(study.looks_every_s);
        if look_s > ends.until_s {
            return Fate::Alive { checked_ns: ns(seen_s) };
        }
        if look_s > ends.death_s && ends.death_s <= ends.lost_s && !ends.is_lost_dying {
            return Fate::Died { after_ns: ns(seen_s), before_ns: ns(look_s) };
        }
        if look_s > ends.death_s.min(ends.lost_s) {
            return Fate::Unknown { since_ns: ns(seen_s) };
        }
        seen_s = look_s;
    }
}

/// How often the truth is held, of the runs in which the share could be told.
fn held(study: &Study, kind: Kind, age_ns: u64) -> f64 {
    const RUNS: u32 = 200;
    let mut chance = Chance::seeded(7);
    let mut untold = 0;
    coverage(RUNS, kind.truth(study, age_ns), || {
        loop {
            let lives: Vec<_> = (0..study.lives).map(|_| kind.life(study, &mut chance)).collect();
            if let Some(interval) = survival(&lives, age_ns) {
                return interval;
            }
            untold += 1;
            assert!(untold < RUNS, "hardly ever told");
        }
    })
}

const EXPONENTIAL: Kind = Kind { lasting: 0.0, mean_s: 20.0 };
const MOSTLY_BRIEF: Kind = Kind { lasting: 0.02, mean_s: 1.0 };

fn assert_held(study: &Study) {
    let [young, grown, old] = AGES_NS;
    let questions = [(EXPONENTIAL, young), (EXPONENTIAL, grown), (MOSTLY_BRIEF, grown), (MOSTLY_BRIEF, old)];
    for (kind, age_ns) in questions {
        let held = held(study, kind, age_ns);
        assert!(held >= 0.93, "{kind:?} at {age_ns}: {held}");
    }
}

#[test]
fn ends_seen_between_looks_are_held_in_93_of_100_cases() {
    assert_held(&STUDY);
}

#[test]
fn a_fifth_lost_from_sight_leaves_the_truth_held() {
    assert_held(&Study { lost_alive: 0.2, ..STUDY });
}

#[test]
fn a_fifth_of_deaths_without_proof_leaves_the_truth_held() {
    assert_held(&Study { lost_dying: 0.2, ..STUDY });
}

#[test]
fn looks_rarer_than_deaths_leave_the_truth_held() {
    let rare = Study { looks_every_s: 30.0, ..STUDY };
    let held = held(&rare, EXPONENTIAL, AGES_NS[0]);
    assert!(held >= 0.93, "{held}");
}

/// Six of them are expected. Of three, none is seen in one run of twenty, and nothing tells that it would be heavy.
#[test]
fn heavy_blocks_that_last_longer_leave_the_truth_held() {
    let held = held(&Study { lives: 300, lasting_weight: 5.0, ..STUDY }, MOSTLY_BRIEF, AGES_NS[1]);
    assert!(held >= 0.93, "{held}");
}

#[test]
fn ten_times_as_many_lives_make_the_interval_a_root_of_ten_narrower() {
    let mut chance = Chance::seeded(8);
    let kind = Kind { lasting: 0.5, mean_s: 5.0 };
    let mut width = |lives: u32| {
        let lives: Vec<_> = (0..lives).map(|_| kind.life(&STUDY, &mut chance)).collect();
        let interval = survival(&lives, AGES_NS[1]).unwrap();
        interval.high - interval.low
    };
    let exponent = (width(4_000) / width(400)).log10();
    assert!((exponent + 0.5).abs() < 0.05, "{exponent}");
}

fn equal(fates: &[(Fate, usize)]) -> Vec<Life> {
    let lives = |(fate, count): &(Fate, usize)| vec![Life { weight: 3.0, fate: *fate }; *count];
    fates.iter().flat_map(lives).collect()
}

#[test]
fn without_gaps_the_share_is_a_proportion_and_its_interval_clopper_and_pearsons() {
    let lives = equal(&[
        (Fate::Died { after_ns: 10, before_ns: 20 }, 6),
        (Fate::Died { after_ns: 150, before_ns: 160 }, 1),
        (Fate::Alive { checked_ns: 200 }, 3),
    ]);
    let interval = survival(&lives, 100).unwrap();
    assert!((interval.value - 0.4).abs() < 1e-6, "{interval:?}");
    assert!((interval.low - 0.1216).abs() < 1e-3 && (interval.high - 0.7376).abs() < 1e-3, "{interval:?}");
}

/// Kaplan and Meier by hand: 10 at risk, 5 die; 2 of 5 are lost; 1 of 3 dies: 1/2 * 2/3.
#[test]
fn lives_lost_before_the_age_count_up_to_then() {
    let lives = equal(&[
        (Fate::Died { after_ns: 10, before_ns: 10 }, 5),
        (Fate::Alive { checked_ns: 20 }, 2),
        (Fate::Died { after_ns: 30, before_ns: 30 }, 1),
        (Fate::Alive { checked_ns: 200 }, 2),
    ]);
    let interval = survival(&lives, 100).unwrap();
    assert!((interval.value - 1.0 / 3.0).abs() < 1e-3, "{interval:?}");
}

#[test]
fn what_changed_without_proof_is_dead_below_and_alive_above() {
    let known = [(Fate::Died { after_ns: 10, before_ns: 20 }, 50), (Fate::Alive { checked_ns: 200 }, 50)];
    let unknown = (Fate::Unknown { since_ns: 15 }, 100);
    let without = survival(&equal(&known), 100).unwrap();
    let with = survival(&equal(&[known[0], known[1], unknown]), 100).unwrap();
    assert!(with.low < 0.25 && with.high > 0.75, "{with:?}");
    assert!(with.low < without.low && with.high > without.high);
    assert!((with.value - without.value).abs() < 0.2, "{with:?}");
}

#[test]
fn nobody_watched_to_the_age_is_no_answer() {
    assert_eq!(survival(&[], 100), None);
    let young = equal(&[(Fate::Died { after_ns: 1, before_ns: 2 }, 9), (Fate::Alive { checked_ns: 50 }, 9)]);
    assert_eq!(survival(&young, 100), None);
    assert!(survival(&young, 50).is_some());
    let refused = [Life { weight: f64::NAN, fate: Fate::Alive { checked_ns: 200 } }];
    assert_eq!(survival(&refused, 100), None);
}

#[test]
fn all_dead_before_the_age_is_nearly_nothing_and_not_nothing() {
    let dead = equal(&[(Fate::Alive { checked_ns: 3 }, 5), (Fate::Died { after_ns: 10, before_ns: 20 }, 36)]);
    let interval = survival(&dead, 100).unwrap();
    assert!(interval.value < 1e-3 && interval.low == 0.0, "{interval:?}");
    assert!(interval.high > 0.08 && interval.high < 0.12, "{interval:?}");
}

#[test]
fn deaths_known_only_to_lie_around_the_age_say_nothing_of_it() {
    let interval = survival(&equal(&[(Fate::Died { after_ns: 0, before_ns: 1000 }, 100)]), 500).unwrap();
    assert!(interval.low == 0.0 && interval.high == 1.0, "{interval:?}");
}

#[test]
fn everything_lives_at_birth() {
    let lives = equal(&[(Fate::Died { after_ns: 0, before_ns: 9 }, 3), (Fate::Unknown { since_ns: 0 }, 2)]);
    assert_eq!(survival(&lives, 0), Some(Interval::exact(1.0)));
}

fn any_life() -> impl Strategy<Value = Life> {
    let weight = prop_oneof![4 => 0.1..100.0, 1 => any::<f64>()];
    let time = || prop_oneof![4 => 0..1000_u64, 1 => any::<u64>()];
    let fate = prop_oneof![
        time().prop_map(|checked_ns| Fate::Alive { checked_ns }),
        (time(), time()).prop_map(|(after_ns, before_ns)| Fate::Died { after_ns, before_ns }),
        time().prop_map(|since_ns| Fate::Unknown { since_ns }),
    ];
    (weight, fate).prop_map(|(weight, fate)| Life { weight, fate })
}

proptest! {
    #[test]
    fn no_input_breaks_the_order(
        lives in proptest::collection::vec(any_life(), 0..40),
        age_ns in prop_oneof![0..1000_u64, any::<u64>()],
    ) {
        if let Some(Interval { value, low, high }) = survival(&lives, age_ns) {
            prop_assert!(0.0 <= low && low <= value && value <= high && high <= 1.0, "{low} {value} {high}");
        }
    }

    #[test]
    fn with_no_gaps_fewer_live_to_an_older_age(
        ends_ns in proptest::collection::vec(1..1000_u64, 1..40),
        younger_ns in 1..500_u64,
        later_ns in 0..500_u64,
    ) {
        let died = |end_ns: &u64| Life { weight: 1.0, fate: Fate::Died { after_ns: end_ns - 1, before_ns: *end_ns } };
        let lives: Vec<_> = ends_ns.iter().map(died).collect();
        let younger = survival(&lives, younger_ns).unwrap();
        let older = survival(&lives, younger_ns + later_ns).unwrap();
        prop_assert!(older.value <= younger.value + 1e-6, "{younger:?} {older:?}");
    }
}
