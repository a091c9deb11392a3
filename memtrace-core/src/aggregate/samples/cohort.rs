//! What became of blocks that were born in windows: what survival is estimated from.
//!
//! Most blocks die in the window in which they were born; they are only counted. Of those that outlive it, a random few
//! of each site are kept, with the time of their death, for 300 to 600 seconds: the few with the smallest random
//! numbers, which is a fair draw that needs no second thought when one comes or dies. Their weights are scaled such
//! that they stand for all that outlived their window.
//!
//! In: births and deaths. Out: [`Life`]s. Invariant: at most [`SITE_FATES`] of each site and generation, and
//! `limits::FATES` in all.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::random::mixed;
use super::sample::{Sample, SampleNumber, State};
use crate::aggregate::sites::SiteNumber;
use crate::estimate::{Fate, Life};
use crate::limits;

/// Fates kept of one site and generation: a share is then known to about a tenth.
const SITE_FATES: usize = 64;

/// Fates kept of the whole process and generation.
const PROCESS_FATES: usize = 512;

/// Births longer ago than twice this are forgotten.
const GENERATION_NS: u64 = 300_000_000_000;

/// Lives that stand for those that ended in their window, at most: the estimate counts lives to know how sure it is.
const ENDED_AT_ONCE_LIVES: u64 = 64;

/// Whose fates: a site's, or the process'.
pub(super) type Scope = Option<SiteNumber>;

#[derive(Clone, Copy, Debug)]
struct Member {
    number: SampleNumber,
    weight: f64,
    /// Unset while it is followed: then the sample itself knows.
    ended: Option<Fate>,
}

/// Those born in one generation.
#[derive(Debug, Default)]
struct Cohort {
    members: BTreeMap<u64, Member>,
    /// Weight of all that outlived their window, kept or not.
    survived_weight: f64,
    ended_at_once: u64,
    ended_at_once_weight: f64,
    /// The longest of their windows.
    window_ns: u64,
}

impl Cohort {
    fn lives(&self, followed: &HashMap<SampleNumber, Sample>, lives: &mut Vec<Life>) {
        let known: Vec<Life> = self.members.values().filter_map(|member| life(member, followed)).collect();
        let known_weight: f64 = known.iter().map(|life| life.weight).sum();
        let scale = if known_weight > 0.0 { self.survived_weight / known_weight } else { 0.0 };
        lives.extend(known.iter().map(|life| Life { weight: life.weight * scale, fate: life.fate }));
        let parts = self.ended_at_once.min(ENDED_AT_ONCE_LIVES);
        let fate = Fate::Died { after_ns: 0, before_ns: self.window_ns };
        lives.extend((0..parts).map(|_| Life { weight: self.ended_at_once_weight / parts as f64, fate }));
    }
}

/// Nothing when it was dropped for want of room: then the others weigh more.
fn life(member: &Member, followed: &HashMap<SampleNumber, Sample>) -> Option<Life> {
    match member.ended {
        Some(fate) => Some(Life { weight: member.weight, fate }),
        None => followed.get(&member.number).map(|sample| Life { weight: sample.weight, fate: fate(sample) }),
    }
}

fn fate(sample: &Sample) -> Fate {
    match sample.state {
        State::Alive { checked_ns } => Fate::Alive { checked_ns: sample.age_ns(checked_ns) },
        State::Unknown { since_ns } => Fate::Unknown { since_ns: sample.age_ns(since_ns) },
        State::Died { after_ns, before_ns } => {
            Fate::Died { after_ns: sample.age_ns(after_ns), before_ns: sample.age_ns(before_ns) }
        }
    }
}

/// The fates of a process: those of the generation that is being born, and of the one before.
#[derive(Debug, Default)]
pub(super) struct Cohorts {
    young: HashMap<Scope, Cohort>,
    old: HashMap<Scope, Cohort>,
    young_members: usize,
    young_since_ns: u64,
}

impl Cohorts {
    /// A sample outlived its window.
    pub(super) fn survived(&mut self, sample: &Sample) {
        if self.young_members >= limits::FATES / 2 {
            self.rotate(sample.born_ns);
        }
        for (scope, room) in scopes(sample.site) {
            let cohort = self.young.entry(scope).or_default();
            cohort.survived_weight += sample.weight;
            let member = Member { number: sample.number, weight: sample.weight, ended: None };
            cohort.members.insert(mixed(sample.number), member);
            self.young_members += 1;
            if cohort.members.len() > room {
                cohort.members.pop_last();
                self.young_members -= 1;
            }
        }
    }

    /// A sample did not outlive its window, which was this long.
    pub(super) fn ended_at_once(&mut self, site: SiteNumber, weight: f64, window_ns: u64) {
        for (scope, _) in scopes(site) {
            let cohort = self.young.entry(scope).or_default();
            cohort.ended_at_once += 1;
            cohort.ended_at_once_weight += weight;
            cohort.window_ns = cohort.window_ns.max(window_ns);
        }
    }

    /// A sample that is followed no longer.
    pub(super) fn ended(&mut self, sample: &Sample) {
        for (scope, _) in scopes(sample.site) {
            for generation in [&mut self.young, &mut self.old] {
                let members = generation.get_mut(&scope).map(|cohort| &mut cohort.members);
                if let Some(member) = members.and_then(|members| members.get_mut(&mixed(sample.number))) {
                    member.weight = sample.weight;
                    member.ended = Some(fate(sample));
                }
            }
        }
    }

    /// Forgets births that were too long ago.
    pub(super) fn age(&mut self, now_ns: u64) {
        if now_ns.saturating_sub(self.young_since_ns) >= GENERATION_NS {
            self.rotate(now_ns);
        }
    }

    fn rotate(&mut self, now_ns: u64) {
        self.old = std::mem::take(&mut self.young);
        self.young_members = 0;
        self.young_since_ns = now_ns;
    }

    /// What is known of the lives of a site's blocks, or of all.
    pub(super) fn lives(&self, scope: Scope, followed: &HashMap<SampleNumber, Sample>) -> Vec<Life> {
        let mut lives = Vec::new();
        for generation in [&self.old, &self.young] {
            if let Some(cohort) = generation.get(&scope) {
                cohort.lives(followed, &mut lives);
            }
        }
        lives
    }
}

const fn scopes(site: SiteNumber) -> [(Scope, usize); 2] {
    [(Some(site), SITE_FATES), (None, PROCESS_FATES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(lives: &[Life]) -> f64 {
        lives.iter().map(|life| life.weight).sum()
    }

    #[test]
    fn the_few_that_are_kept_stand_for_all() {
        let mut cohorts = Cohorts::default();
        for number in 1..=1_000 {
            let died = State::Died { after_ns: 5, before_ns: 7 };
            let sample = Sample { number, ..Sample::for_test(0, 1, died) };
            cohorts.survived(&sample);
            cohorts.ended(&sample);
            cohorts.ended_at_once(0, 30.0, 3);
        }
        let followed = HashMap::new();
        for (scope, room) in scopes(0) {
            let lives = cohorts.lives(scope, &followed);
            assert!((weight(&lives) - 40_000.0).abs() < 1e-6, "{}", weight(&lives));
            assert_eq!(lives.len(), room + 64);
        }
        assert!(cohorts.lives(Some(1), &followed).is_empty());
    }

    #[test]
    fn births_are_forgotten_after_two_generations_or_when_there_are_too_many() {
        let mut cohorts = Cohorts::default();
        let sample = Sample::for_test(0, 1, State::Alive { checked_ns: 0 });
        cohorts.survived(&sample);
        let followed = HashMap::from_iter([(sample.number, sample)]);
        cohorts.age(GENERATION_NS);
        assert_eq!(cohorts.lives(None, &followed).len(), 1);
        cohorts.age(2 * GENERATION_NS);
        assert!(cohorts.lives(None, &followed).is_empty());
        for number in 1..100_000 {
            cohorts.survived(&Sample { number, site: number as u32, ..sample });
        }
        let kept =
            |generation: &HashMap<Scope, Cohort>| generation.values().map(|c| c.members.len()).sum::<usize>();
        assert!(kept(&cohorts.young) + kept(&cohorts.old) <= limits::FATES + 2);
    }
}
