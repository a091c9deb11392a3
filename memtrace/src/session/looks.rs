//! When to look again at a process: soon while it starts, seldom later.
//!
//! Invariant: a process has at most one look ahead of it, and none once it was forgotten.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

/// Until the answer to a look comes, the next is held back this long: a slow thread is not asked twice.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Looks {
    by_time: BTreeSet<(Instant, u32)>,
    /// When the next one is due, and how often a process was looked at.
    by_target: HashMap<u32, (Instant, u32)>,
}

impl Looks {
    /// The answer to a look has come: plans the next.
    pub(super) fn answered(&mut self, now: Instant, target: u32, is_unfinished: bool) {
        let times = self.by_target.get(&target).map_or(0, |(_, times)| *times) + 1;
        self.plan(now + delay(times, is_unfinished), target, times);
    }

    /// A process whose look is due, if there is one.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<u32> {
        let &(due, target) = self.by_time.first()?;
        if due > now {
            return None;
        }
        let times = self.by_target.get(&target).map_or(0, |(_, times)| *times);
        self.plan(now + PATIENCE, target, times);
        Some(target)
    }

    /// The process has ended.
    pub(super) fn forget(&mut self, target: u32) {
        if let Some((due, _)) = self.by_target.remove(&target) {
            self.by_time.remove(&(due, target));
        }
    }

    fn plan(&mut self, due: Instant, target: u32, times: u32) {
        if let Some((before, _)) = self.by_target.insert(target, (due, times)) {
            self.by_time.remove(&(before, target));
        }
        self.by_time.insert((due, target));
    }
}

/// A process that starts maps its libraries within milliseconds and starts its interpreter within tens; one that runs
/// may load a library at any time, and is looked at less and less often.
fn delay(times: u32, is_unfinished: bool) -> Duration {
    let (first_ms, last_ms) = if is_unfinished { (5, 2_000) } else { (20, 15_000) };
    let doubled = first_ms << times.saturating_sub(1).min(12);
    Duration::from_millis(doubled.min(last_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_soon_at_first_and_seldom_later() {
        assert_eq!(delay(1, true).as_millis(), 5);
        assert_eq!(delay(3, true).as_millis(), 20);
        assert_eq!(delay(50, true).as_millis(), 2_000);
        assert_eq!(delay(50, false).as_millis(), 15_000);
    }

    #[test]
    fn a_look_is_due_once_and_then_held_back_until_it_is_answered() {
        let (mut looks, now) = (Looks::default(), Instant::now());
        looks.answered(now, 7, true);
        assert_eq!(looks.next_due(now), None);
        let later = now + Duration::from_millis(5);
        assert_eq!((looks.next_due(later), looks.next_due(later)), (Some(7), None));
        looks.answered(later, 7, true);
        assert_eq!(
            looks.next_due(later + Duration::from_millis(9)),
            None,
            "the second comes later than the first"
        );
        assert_eq!(looks.next_due(later + Duration::from_millis(10)), Some(7));
    }

    #[test]
    fn nothing_stays_of_a_process_that_has_ended() {
        let (mut looks, now) = (Looks::default(), Instant::now());
        looks.answered(now, 7, true);
        looks.answered(now, 8, true);
        looks.forget(7);
        looks.forget(7);
        assert_eq!((looks.by_time.len(), looks.by_target.len()), (1, 1));
    }
}
