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
        while let Some(target) = self.looks.next_due(now) {
            send(&self.commands, Command::Rescan { target });
        }
        self.tend_tiers();
        for task in std::mem::take(&mut self.new_names) {
            self.see_new_name(task);
        }
        if let Some(flush_log) = &mut self.kernel.log {
            flush_log();
        }
        if self.reporter.is_due(CENSUS) {
            self.look_for_processes();
        }
    }
}
