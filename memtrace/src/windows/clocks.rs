//! The clocks that windows are measured with.
//!
//! The CPU clock of another process is as old as the last timer tick on each processor (`thread_group_cputime`,
//! kernel/sched/cputime.c, brings only the caller's own threads up to date), and a window is shorter than a tick. A perf
//! counter of a thread is brought up to date wherever the thread runs, so within a window there is one for each thread.

use std::{fs, io};

use crate::kernel::ThreadClock;

/// Threads that are looked at one by one: opening and reading a counter takes microseconds.
const THREADS_MAX: usize = 64;

/// CLOCK_MONOTONIC, which is what BPF programs read.
pub(super) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Processor time of a process since it began.
///
/// # Errors
/// When it is gone.
pub fn process_cpu_ns(pid: u32) -> io::Result<u64> {
    let mut clock = 0;
    // SAFETY: the call writes a clock id to a live local.
    let error = unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes a time to a live local.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned())
}

/// Processor time of a process from now on.
pub(super) enum ProcessorClock {
    /// The sum over its threads; what a thread does that was started since is missing, a window is too short for much.
    Threads(Vec<ThreadClock>),
    /// The process' own clock.
    Process(u32),
}

impl ProcessorClock {
    /// Of a process, which need not be alive.
    pub(super) fn open(pid: u32) -> Self {
        let threads = threads(pid);
        if threads.len() > THREADS_MAX {
            return Self::Process(pid);
        }
        // A thread that has ended meanwhile has no clock, and needs none.
        Self::Threads(threads.into_iter().filter_map(|thread| ThreadClock::open(thread).ok()).collect())
    }

    /// True when it is up to date at every reading.
    pub(super) const fn is_exact(&self) -> bool {
        matches!(self, Self::Threads(_))
    }

    pub(super) fn read_ns(&self) -> u64 {
        match self {
            Self::Threads(clocks) => clocks.iter().filter_map(|clock| clock.read_ns().ok()).sum(),
            Self::Process(pid) => process_cpu_ns(*pid).unwrap_or(0),
        }
    }
}

fn threads(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_a_thread_is_seen_at_once() {
        let clock = ProcessorClock::open(std::process::id());
        assert!(clock.is_exact());
        let own_ns = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_nsec;
        let (before, begun) = (clock.read_ns(), own_ns());
        while (own_ns() - begun).rem_euclid(1_000_000_000) < 2_000_000 {
            std::hint::spin_loop();
        }
        assert!(clock.read_ns() - before > 1_900_000);
    }

    #[test]
    fn a_process_that_is_gone_has_no_time() {
        // Pids end at 2^22 (PID_MAX_LIMIT).
        assert!(process_cpu_ns(1 << 22).is_err());
        assert_eq!(ProcessorClock::open(1 << 22).read_ns(), 0);
        assert!(process_cpu_ns(std::process::id()).is_ok_and(|time_ns| time_ns > 0));
    }
}
