//! Which share of a site's allocations is still alive at an age.
//!
//! In: [`Life`]s, each a weight and what is known of when it ended. Out: the share with its interval, or none when
//! nothing that lived could be watched to that age.
//!
//! Deaths are seen between two looks, and lives are lost from sight, so the shares are those of Turnbull (1976): each
//! life that is not known to be dead or alive at the age is spread over the ages at which it may have ended in
//! proportion to how many ended there, until nothing changes. Ages are grouped into at most 24 cells on
//! either side of the age, with bounds taken from the lives themselves, and ends are even within a cell: finer cells
//! would follow chance, and coarser ones without that are biased.
//!
//! The interval is Korn & Graubard's (1998) for shares from weighted samples: exact binomial (Clopper & Pearson) for
//! the effective number of lives, the least of
//! - Kish's number for the lives whose state at the age is known,
//! - the same, by the variance of the weighted share: heavy lives may live longer than light ones,
//! - Peto's number: Kish's of those known alive at the age, by the share (the many that died young say little of the
//!   old), and of those known dead, by the other share (with few looks few are known to be dead).
//!
//! A life that changed without proof of its end may have ended because of that, so it does not count as merely lost
//! from sight: `value` takes it as that, but `low` counts it dead and `high` alive.
//!
//! Lives of one window are taken as independent, and those that were not sampled as no heavier than those that were. Refused: a weight that is not a positive number leaves its life out;
//! a death that is seen before it may have happened is taken the right way round.

mod grid;
mod turnbull;

use super::beta::share_interval;
use super::interval::Interval;
use super::total::WEIGHT_MAX;
use turnbull::Start;

/// What is known of an allocation's end. Times are since its birth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It was alive when it was looked at last.
    Alive {
        /// When that was.
        checked_ns: u64,
    },
    /// It ended.
    Died {
        /// Alive until then at least.
        after_ns: u64,
        /// Dead from then on.
        before_ns: u64,
    },
    /// It changed, without proof that it ended.
    Unknown {
        /// Known alive until then.
        since_ns: u64,
    },
}

/// A sampled allocation.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Life {
    /// One over the probability that it was sampled, times its bytes when bytes are asked for.
    pub weight: f64,
    /// What became of it.
    pub fate: Fate,
}

/// The share of allocations, by weight, that live beyond `age_ns`; none when no life was watched to that age.
#[must_use]
pub fn survival(lives: &[Life], age_ns: u64) -> Option<Interval> {
    let value = Reading::LostFromSight.of(lives, age_ns, Start::Even)?;
    if age_ns == 0 {
        return Some(Interval::exact(1.0));
    }
    let interval = |reading: Reading, start| {
        let estimate = reading.of(lives, age_ns, start);
        estimate.map_or(Interval { value: value.share, low: 0.0, high: 1.0 }, |estimate| {
            share_interval(estimate.share, estimate.observations)
        })
    };
    Some(Interval {
        value: value.share,
        low: interval(Reading::Dead, Start::Early).low.min(value.share),
        high: interval(Reading::Alive, Start::Late).high.max(value.share),
    })
}

/// As what a life counts that changed without proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    LostFromSight,
    Dead,
    Alive,
}

impl Reading {
    fn of(self, lives: &[Life], age_ns: u64, start: Start) -> Option<Estimate> {
        let spans: Vec<Span> = lives.iter().filter_map(|life| self.span(life)).collect();
        Estimate::at(&spans, age_ns, start)
    }

    fn span(self, life: &Life) -> Option<Span> {
        let weight = life.weight;
        let (alive_ns, dead_ns) = match (life.fate, self) {
            (Fate::Alive { checked_ns }, _) => (checked_ns, None),
            (Fate::Died { after_ns, before_ns }, _) => {
                (after_ns.min(before_ns), Some(after_ns.max(before_ns)))
            }
            (Fate::Unknown { since_ns }, Self::LostFromSight) => (since_ns, None),
            (Fate::Unknown { since_ns }, Self::Dead) => (since_ns, Some(since_ns)),
            (Fate::Unknown { .. }, Self::Alive) => (u64::MAX, None),
        };
        (weight > 0.0 && weight <= WEIGHT_MAX).then_some(Span { weight, alive_ns, dead_ns })
    }
}

/// A life that ended after `alive_ns`, and by `dead_ns` if that was seen.
#[derive(Clone, Copy, Debug)]
struct Span {
    weight: f64,
    alive_ns: u64,
    dead_ns: Option<u64>,
}

impl Span {
    /// Whether it lived at the age, if that is known.
    fn lived_at(&self, age_ns: u64) -> Option<bool> {
        if self.alive_ns >= age_ns {
            Some(true)
        } else {
            self.dead_ns.filter(|dead_ns| *dead_ns <= age_ns).map(|_| false)
        }
    }
}

/// A share, and the number of independent lives that it is as good as.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Estimate {
    share: f64,
    observations: f64,
}

impl Estimate {
    fn at(spans: &[Span], age_ns: u64, start: Start) -> Option<Self> {
        if !watched_to(spans, age_ns) {
            return None;
        }
        let share = turnbull::share_beyond(spans, age_ns, start);
        Some(Self { share, observations: observations(spans, age_ns, share) })
    }
}

/// Whether somebody was known alive at the age, or all those lost from sight before are outlived by one that died.
fn watched_to(spans: &[Span], age_ns: u64) -> bool {
    let oldest = |lost: bool| {
        spans.iter().filter(move |span| span.dead_ns.is_none() == lost).map(|span| span.alive_ns).max()
    };
    let (lost_ns, died_ns) = (oldest(true), oldest(false));
    lost_ns.max(died_ns).is_some_and(|alive_ns| alive_ns >= age_ns || died_ns >= lost_ns)
}

/// The effective number of lives: see the module.
fn observations(spans: &[Span], age_ns: u64, share: f64) -> f64 {
    let weights = |state: bool| {
        spans.iter().filter(move |span| span.lived_at(age_ns) == Some(state)).map(|span| span.weight)
    };
    let (alive, dead) = (Squares::of(weights(true)), Squares::of(weights(false)));
    let known = alive.plus(dead);
    let mut least = known.kish();
    if share > 0.0 && share < 1.0 {
        let variance =
            (alive.squares * (1.0 - share).powi(2) + dead.squares * share.powi(2)) / known.sum.powi(2);
        if variance > 0.0 {
            least = least.min(share * (1.0 - share) / variance);
        }
        // One more than were seen: a single life of which it is not known must not make all others worthless.
        least = least.min((alive.kish() + 1.0) / share).min((dead.kish() + 1.0) / (1.0 - share));
    }
    least
}

/// Sum and sum of squares of weights.
#[derive(Clone, Copy, Default)]
struct Squares {
    sum: f64,
    squares: f64,
}

impl Squares {
    fn of(weights: impl Iterator<Item = f64>) -> Self {
        weights.fold(Self::default(), |all, weight| all.plus(Self { sum: weight, squares: weight * weight }))
    }

    fn plus(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, squares: self.squares + other.squares }
    }

    /// Kish 1965: how many equal weights are as good.
    fn kish(self) -> f64 {
        if self.squares > 0.0 { self.sum * self.sum / self.squares } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
