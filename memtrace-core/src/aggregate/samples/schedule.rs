//! When each followed sample is looked at next.
//!
//! At random times, so that a block that comes and goes in step with something is not always met in the same state;
//! and in proportion to the age, since what has lived for an hour will hardly die in this second.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::random::Random;
use super::sample::SampleNumber;

/// The mean time between two looks while the age is in milliseconds. It says when the many died that do not live for
/// long, each of which stands for a whole stretch's births: one that is known to have died within a tenth of a second
/// could have lived for most of the stretch, or for none of it.
const GAP_FIRST_NS: u64 = 4_000_000;

/// It grows with the age until it is this, and with a part of it afterwards.
const GAP_YOUNG_NS: u64 = 100_000_000;

/// An old one's.
const GAP_MAX_NS: u64 = 10_000_000_000;

/// The mean time between two looks, as a part of the age.
const GAPS_IN_AGE: u64 = 16;

/// Looks to come, each sample once. Those of samples that have died are dropped when their time comes.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    looks: BinaryHeap<Reverse<(u64, SampleNumber)>>,
}

impl Schedule {
    pub(super) fn add(&mut self, number: SampleNumber, age_ns: u64, now_ns: u64, random: &mut Random) {
        let young_ns = age_ns.clamp(GAP_FIRST_NS, GAP_YOUNG_NS);
        let mean_ns = (age_ns / GAPS_IN_AGE).clamp(young_ns, GAP_MAX_NS);
        self.looks.push(Reverse((now_ns.saturating_add(random.gap_ns(mean_ns)), number)));
    }

    /// The sample whose look is overdue longest. It has to be added again.
    pub(super) fn next_due(&mut self, now_ns: u64) -> Option<SampleNumber> {
        let &Reverse((due_ns, number)) = self.looks.peek()?;
        if due_ns > now_ns {
            return None;
        }
        self.looks.pop();
        Some(number)
    }

    pub(super) fn len(&self) -> usize {
        self.looks.len()
    }

    /// Forgets the looks at samples that have gone.
    pub(super) fn retain(&mut self, lives: impl Fn(SampleNumber) -> bool) {
        self.looks.retain(|&Reverse((_, number))| lives(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Looks at a sample of this age within a time.
    fn looks(age_ns: u64, time_ns: u64) -> usize {
        let mut schedule = Schedule::default();
        let mut random = Random::new(1);
        let mut now_ns = 0;
        schedule.add(1, age_ns, now_ns, &mut random);
        let mut looks = 0;
        while now_ns < time_ns {
            now_ns += SECOND / 1_000;
            while schedule.next_due(now_ns).is_some() {
                looks += 1;
                schedule.add(1, age_ns, now_ns, &mut random);
            }
        }
        looks
    }

    #[test]
    fn the_young_are_looked_at_more_often_than_the_old() {
        let newborn = looks(0, SECOND);
        let young = looks(SECOND, 100 * SECOND);
        let old = looks(3_600 * SECOND, 100 * SECOND);
        assert!((200..300).contains(&newborn), "{newborn}");
        assert!((850..1_150).contains(&young), "{young}");
        assert!((3..25).contains(&old), "{old}");
    }
}
