//! What `/proc` says of a process.

use std::fs;

use anyhow::{Context as _, Result};

/// What a process holds of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resources {
    pub(super) rss_bytes: u64,
    pub(super) threads: u64,
    pub(super) descriptors: u64,
}

/// What the process holds now.
pub(super) fn of(pid: u32) -> Result<Resources> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(Resources {
        rss_bytes: field(&status, "VmRSS:")? * 1024,
        threads: field(&status, "Threads:")?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
    })
}

/// CPU time of the main thread, nanoseconds (the first field of `schedstat`).
pub(super) fn cpu_ns(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let first = text.split_whitespace().next();
    first.and_then(|field| field.parse().ok()).context("the kernel has no schedstat (CONFIG_SCHED_INFO)")
}

fn field(status: &str, name: &str) -> Result<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    let digits = value.and_then(|value| value.split_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).with_context(|| format!("no {name} in /proc/PID/status"))
}
