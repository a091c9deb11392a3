//! What is seen to every few milliseconds.

use std::time::{Duration, Instant};

use super::{pipeline::Pipeline, send};
use crate::attach::Command;

/// Between two looks through `/proc`, in case an event was lost.
const CENSUS: Duration = Duration::from_secs(2);

impl Pipeline {
    /// Looks again at processes whose time has come, and for new ones.
    pub(super) fn chores(&mut self) {
        let now = Instant::now();
        while let Some((due, target, times)) = self.looks.first().copied()
            && due <= now
        {
            self.looks.remove(&(due, target, times));
            // Held back until the answer comes, so that a slow thread is not asked twice.
            self.looks.insert((now + Duration::from_secs(60), target, times));
            send(&self.commands, Command::Rescan { target });
        }
        if let Some(flush_log) = &mut self.kernel.log {
            flush_log();
        }
        if self.reporter.is_due(CENSUS) {
            self.look_for_processes();
        }
    }
}

/// A process that starts maps its libraries within milliseconds and starts its interpreter within tens; one that runs
/// may load a library at any time, and is looked at less and less often.
pub(super) fn delay_before_look(times: u32, is_unfinished: bool) -> Duration {
    let (first_ms, last_ms) = if is_unfinished { (5, 2_000) } else { (20, 15_000) };
    let doubled = first_ms << times.saturating_sub(1).min(12);
    Duration::from_millis(doubled.min(last_ms))
}

#[cfg(test)]
mod tests {
    use super::delay_before_look;

    #[test]
    fn looks_come_soon_at_first_and_seldom_later() {
        assert_eq!(delay_before_look(1, true).as_millis(), 5);
        assert_eq!(delay_before_look(3, true).as_millis(), 20);
        assert_eq!(delay_before_look(50, true).as_millis(), 2_000);
        assert_eq!(delay_before_look(50, false).as_millis(), 15_000);
    }
}
