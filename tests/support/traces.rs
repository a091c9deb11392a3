//! What a memtrace has in tracefs: other tests' memtraces have theirs at the same time.

use std::fs;

/// The lines of `uprobe_events` that are of this memtrace.
pub(crate) fn tracefs_events(memtrace: u32) -> String {
    let events = fs::read_to_string("/sys/kernel/tracing/uprobe_events")
        .expect("tracefs is mounted at /sys/kernel/tracing");
    let group = format!("memtrace_{memtrace}/");
    events.lines().filter(|line| line.contains(&group)).collect()
}
