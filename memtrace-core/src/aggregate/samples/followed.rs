//! The samples whose lives are followed after their window, and what is remembered of those that ended.
//!
//! In: samples with their weights, and what is found out about them. Out: which to look at next. At a limit a random
//! part is dropped and the rest weighs more (`cut.rs`), so that sums stay right on average.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::cohort::Cohorts;
use super::cut::Weights;
use super::decline::Declines;
use super::random::{Random, mixed, unit};
use super::sample::{Sample, SampleNumber, State};
use super::schedule::Schedule;
use crate::aggregate::history;
use crate::limits;

/// What a look at a block's memory showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is the same block.
    Alive,
    /// It is not.
    Dead,
    /// It has changed, and nothing proves that it is another.
    Unknown,
}

/// Looks to come that may be at samples which have gone, before they are sought out and dropped.
const STALE_LOOKS_MAX: usize = 4_096;

#[derive(Debug)]
pub(super) struct Followed {
    pub(super) samples: HashMap<SampleNumber, Sample>,
    /// In the order in which their ends were found out.
    pub(super) ended: VecDeque<Sample>,
    pub(super) declines: Declines,
    pub(super) cohorts: Cohorts,
    pub(super) random: Random,
    schedule: Schedule,
}

impl Followed {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            samples: HashMap::new(),
            ended: VecDeque::new(),
            declines: Declines::default(),
            cohorts: Cohorts::default(),
            random: Random::new(seed),
            schedule: Schedule::default(),
        }
    }

    pub(super) fn follow(&mut self, sample: Sample, now_ns: u64) {
        self.schedule.add(sample.number, sample.age_ns(now_ns), now_ns, &mut self.random);
        self.samples.insert(sample.number, sample);
    }

    /// Notes what a look showed. The sample, if it has died of it.
    pub(super) fn judged(&mut self, number: SampleNumber, verdict: Verdict, time_ns: u64) -> Option<Sample> {
        let sample = self.samples.get_mut(&number)?;
        let before_ns = sample.alive_until_ns();
        match (verdict, sample.state) {
            (Verdict::Dead, _) => return self.end(number, time_ns),
            (Verdict::Unknown, State::Alive { checked_ns }) => {
                sample.state = State::Unknown { since_ns: checked_ns };
                // Unknown is not alive: who is looked at for the first time in a slot that is used again and again has
                // mostly died, and is not proven dead. Were it no death here, the young would all be taken for alive
                // until they are looked at.
                let ages_ns = (sample.age_ns(checked_ns), sample.age_ns(time_ns));
                self.declines.died(sample.site, ages_ns.0, ages_ns.1);
            }
            (Verdict::Alive, _) if time_ns > before_ns => {
                sample.state = State::Alive { checked_ns: time_ns };
                let ages_ns = (sample.age_ns(before_ns), sample.age_ns(time_ns));
                self.declines.survived(sample.site, ages_ns.0, ages_ns.1);
            }
            (Verdict::Alive | Verdict::Unknown, _) => {}
        }
        None
    }

    /// A sample has died, at this time at the latest.
    pub(super) fn end(&mut self, number: SampleNumber, before_ns: u64) -> Option<Sample> {
        let mut sample = self.samples.remove(&number)?;
        let after_ns = sample.alive_until_ns();
        let before_ns = before_ns.max(after_ns);
        // Who was unknown before has been counted then.
        if matches!(sample.state, State::Alive { .. }) {
            self.declines.died(sample.site, sample.age_ns(after_ns), sample.age_ns(before_ns));
        }
        sample.state = State::Died { after_ns, before_ns };
        self.cohorts.ended(&sample);
        self.ended.push_back(sample);
        Some(sample)
    }

    /// Nobody sees any more what becomes of it.
    pub(super) fn lose_sight(&mut self, number: SampleNumber) {
        if let Some(sample) = self.samples.get_mut(&number) {
            sample.state = State::Unknown { since_ns: sample.alive_until_ns() };
        }
    }

    /// The samples to look at now, those that are overdue longest first.
    pub(super) fn due(&mut self, now_ns: u64, max: usize) -> Vec<Sample> {
        let mut due = Vec::new();
        while due.len() < max {
            let Some(number) = self.schedule.next_due(now_ns) else { break };
            if let Some(&sample) = self.samples.get(&number) {
                self.schedule.add(number, sample.age_ns(now_ns), now_ns, &mut self.random);
                due.push(sample);
            }
        }
        if self.schedule.len() > 2 * self.samples.len() + STALE_LOOKS_MAX {
            let samples = &self.samples;
            self.schedule.retain(|number| samples.contains_key(&number));
        }
        due
    }

    /// Drops samples until at most `max` are left. Those that were dropped.
    pub(super) fn fit(&mut self, max: usize) -> Vec<Sample> {
        let mut dropped = Vec::new();
        // Chance may leave a few too many; another cut is then all but certain to do.
        while self.samples.len() > max {
            let cut = Weights::of(self.samples.values().map(weight_bytes)).cut(max);
            let draw = self.random.next();
            self.samples.retain(|&number, sample| {
                let probability = cut.probability(weight_bytes(sample));
                let is_kept = unit(mixed(number ^ draw)) < probability;
                if is_kept {
                    sample.weight /= probability;
                } else {
                    dropped.push(*sample);
                }
                is_kept
            });
        }
        dropped
    }

    /// Forgets ends that no figure looks back to, and some of the others if there are too many.
    pub(super) fn forget_ended(&mut self, now_ns: u64) {
        let is_old = |sample: &Sample| match sample.state {
            State::Died { before_ns, .. } => {
                before_ns.saturating_add(sample.stretch.length_ns).saturating_add(history::REACH_NS) < now_ns
            }
            State::Alive { .. } | State::Unknown { .. } => true,
        };
        while self.ended.front().is_some_and(is_old) {
            self.ended.pop_front();
        }
        if self.ended.len() > limits::SAMPLES_ENDED {
            let cut = Weights::of(self.ended.iter().map(weight_bytes)).cut(limits::SAMPLES_ENDED / 2);
            let random = &mut self.random;
            self.ended.retain_mut(|sample| {
                let probability = cut.probability(weight_bytes(sample));
                sample.weight /= probability;
                random.happens(probability)
            });
        }
        self.cohorts.age(now_ns);
    }
}

fn weight_bytes(sample: &Sample) -> f64 {
    sample.weight * sample.size_bytes.max(1) as f64
}
