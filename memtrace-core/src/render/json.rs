//! `--json`: one tagged object per line, documented in `docs/json.md` and `docs/schema/memtrace.schema.json`.
//!
//! In: a snapshot, or what begins, interrupts or ends a run. Out: one line with its line break. It refuses to round,
//! scale or escape beyond JSON: readers are programs.
//!
//! Invariant: within a schema number keys are added, never removed or given another meaning.

use std::collections::BTreeMap;

use memtrace_common::DropReason;
use serde::Serialize;

use crate::model::Snapshot;

mod line;
mod snapshot;
#[cfg(test)]
mod tests;

use line::{BeginData, DroppedCounts, EndData, Line, WarningData};
use snapshot::SnapshotData;

/// The number in every line's `schema`.
pub const SCHEMA: u32 = 1;

/// What the snapshot lines contain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JsonOptions {
    /// Keep interpreter and allocator frames.
    pub show_internal: bool,
}

/// The start of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Begin<'a> {
    /// memtrace's version.
    pub version: &'a str,
    /// The kernel's release, as `uname -r` has it.
    pub kernel: &'a str,
    /// memtrace's own command line.
    pub argv: &'a [String],
}

/// Something a user must know while the run goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Warning<'a> {
    /// Since memtrace started.
    pub elapsed_ns: u64,
    /// The process that it concerns.
    pub pid: Option<u32>,
    /// One sentence or more, with the remedy where there is one.
    pub message: &'a str,
}

/// The end of a run: totals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End<'a> {
    /// Since memtrace started.
    pub elapsed_ns: u64,
    /// Snapshots written.
    pub snapshots: u64,
    /// Distinct processes that were traced.
    pub processes_seen: u64,
    /// Allocation and free events received.
    pub events: u64,
    /// What was lost, by reason; a missing reason counts 0.
    pub dropped: &'a BTreeMap<DropReason, u64>,
}

/// The `begin` line.
#[must_use]
pub fn begin(begin: &Begin<'_>) -> String {
    write_line("begin", BeginData { version: begin.version, kernel: begin.kernel, argv: begin.argv })
}

/// The `snapshot` line.
#[must_use]
pub fn snapshot(snapshot: &Snapshot, options: JsonOptions) -> String {
    write_line("snapshot", SnapshotData::new(snapshot, options))
}

/// A `warning` line.
#[must_use]
pub fn warning(warning: &Warning<'_>) -> String {
    write_line(
        "warning",
        WarningData { elapsed_ns: warning.elapsed_ns, pid: warning.pid, message: warning.message },
    )
}

/// The `end` line.
#[must_use]
pub fn end(end: &End<'_>) -> String {
    write_line(
        "end",
        EndData {
            elapsed_ns: end.elapsed_ns,
            snapshots: end.snapshots,
            processes_seen: end.processes_seen,
            events: end.events,
            dropped: DroppedCounts(end.dropped),
        },
    )
}

fn write_line<Data: Serialize>(kind: &'static str, data: Data) -> String {
    let line = Line { kind, schema: SCHEMA, data };
    let mut text = serde_json::to_string(&line)
        .expect("invariant: lines hold only strings, numbers and maps with string keys");
    text.push('\n');
    text
}
