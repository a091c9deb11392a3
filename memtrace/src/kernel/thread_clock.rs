//! The processor time of a thread of another process, up to date whenever it is read.

use std::{io, os::fd::OwnedFd};

use super::perf;

/// Counts from when it was made.
#[derive(Debug)]
pub struct ThreadClock {
    event: OwnedFd,
}

impl ThreadClock {
    /// Of a thread.
    ///
    /// # Errors
    /// When it has ended.
    pub fn open(thread: u32) -> io::Result<Self> {
        Ok(Self { event: perf::open_task_clock(thread)? })
    }

    /// Processor time since then.
    ///
    /// # Errors
    /// Never, short of a kernel that breaks its contract.
    pub fn read_ns(&self) -> io::Result<u64> {
        perf::read_count(&self.event)
    }
}
