//! Everything that one run of memtrace said, collected while it runs.

use std::process::ExitStatus;

use serde_json::Value;

use super::snapshot::{Process, Snapshot, State};

/// What has been said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) begin: Option<Value>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) warnings: Vec<Value>,
    pub(crate) end: Option<Value>,
    pub(crate) stderr: String,
}

impl Said {
    /// Takes in one line of stdout.
    pub(crate) fn take(&mut self, line: &str) {
        let mut object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in the line {line:?}"));
        assert_eq!(object["schema"], 1, "every object says its schema: {line}");
        let data = object["data"].take();
        match object["type"].as_str() {
            Some("begin") => self.begin = Some(data),
            Some("snapshot") => self.snapshots.push(
                serde_json::from_value(data).unwrap_or_else(|error| panic!("{error} in the snapshot {line}")),
            ),
            Some("warning") => self.warnings.push(data),
            Some("end") => self.end = Some(data),
            other => panic!("type {other:?} is not in the schema: {line}"),
        }
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) said: Said,
    pub(crate) status: ExitStatus,
}

impl Report {
    /// The last snapshot: what held when memtrace was told to stop.
    pub(crate) fn last(&self) -> &Snapshot {
        self.said.snapshots.last().unwrap_or_else(|| panic!("no snapshot; stderr: {}", self.said.stderr))
    }

    /// The process in the last snapshot.
    pub(crate) fn process(&self, pid: u32) -> &Process {
        self.last().process(pid).unwrap_or_else(|| {
            panic!("process {pid} is not in the last snapshot; stderr: {}", self.said.stderr);
        })
    }

    /// The snapshots in which the process has exited.
    pub(crate) fn exits_of(&self, pid: u32) -> Vec<&Process> {
        let seen = self.said.snapshots.iter().filter_map(|snapshot| snapshot.process(pid));
        seen.filter(|process| process.state == State::Exited).collect()
    }

    /// Fails when anything was lost, for whatever reason but those.
    pub(crate) fn assert_nothing_lost_but(&self, reasons: &[&str]) {
        let dropped = &self.last().quality.dropped;
        let lost: Vec<_> =
            dropped.iter().filter(|(name, count)| **count > 0 && !reasons.contains(&name.as_str())).collect();
        assert!(lost.is_empty(), "lost: {lost:?}; stderr: {}", self.said.stderr);
    }

    /// Fails when anything was lost.
    pub(crate) fn assert_nothing_lost(&self) {
        self.assert_nothing_lost_but(&[]);
    }
}
