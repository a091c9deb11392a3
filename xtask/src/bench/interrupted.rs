//! A child that ends at SIGINT, as tracers do.

use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for its end; some sort what they have collected first.
const PATIENCE: Duration = Duration::from_secs(60);

/// Interrupted, and waited for, when dropped; killed when that does not end it.
pub(super) struct Interrupted(pub(super) Child);

impl Interrupted {
    /// Starts it without a terminal.
    pub(super) fn start_silently(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self)
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Interrupted {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        if let Some(pid) = Pid::from_raw(self.0.id().cast_signed()) {
            // It may have ended meanwhile.
            let _ended = kill_process(pid, Signal::INT);
        }
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.has_ended() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}
