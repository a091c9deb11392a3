//! What must be remembered between scrapes: counters of processes that have gone.
//!
//! In: snapshots, in order. Out: per comm, sums that never fall and figures of the moment. Every process adds what
//! it did since the snapshot before to the comm that it has now, so renaming, exec and exit lose nothing, and the same
//! snapshot seen twice adds nothing.
//!
//! Bounded: at most [`COMM_LABELS`] comms have series of their own. When one more comes, the comm that has been without a
//! process for longest gives up its series, and its sums go to `other`; when all have processes, the newcomer is
//! counted under `other`.
//!
//! Invariant: the sum over all comms of a counter never falls, and `other` never falls.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::limits::COMM_LABELS;
use crate::model::{ProcessSnapshot, Snapshot};

use super::comm_totals::{Counters, Gauges};

/// The label value that stands for every comm without series of its own.
pub const OTHER: &str = "other";

/// Identity of a process: pid and start time.
type ProcessKey = (u32, u64);

/// Memory of the exporter. One for the whole run.
#[derive(Clone, Debug, Default)]
pub struct MetricsState {
    comms: BTreeMap<String, CommSeries>,
    other: CommSeries,
    seen: HashMap<ProcessKey, Counters>,
    snapshots: u64,
    comms_folded: u64,
}

/// The series of one comm.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct CommSeries {
    pub(super) counters: Counters,
    pub(super) gauges: Gauges,
    /// Number of the last snapshot that had a process with this comm.
    last_seen: u64,
}

impl MetricsState {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened up to this snapshot.
    pub(super) fn observe(&mut self, snapshot: &Snapshot) {
        self.snapshots += 1;
        self.other.gauges = Gauges::default();
        for series in self.comms.values_mut() {
            series.gauges = Gauges::default();
        }
        // Comms that have series keep them: a newcomer in the same snapshot cannot push them out.
        for process in &snapshot.processes {
            if let Some(series) = self.comms.get_mut(&process.info.comm) {
                series.last_seen = self.snapshots;
            }
        }
        let mut seen = HashMap::with_capacity(snapshot.processes.len());
        for process in &snapshot.processes {
            let key = (process.info.pid, process.info.start_time_ticks);
            let now = Counters::of(&process.totals);
            let before = self.seen.get(&key).copied().unwrap_or_default();
            self.add(process, now.since(before));
            seen.insert(key, now);
        }
        self.seen = seen;
    }

    /// The series of each comm that has some, and of `other` (always, so that it can be alerted on).
    pub(super) fn series(&self) -> impl Iterator<Item = (&str, &CommSeries)> {
        let own = self.comms.iter().map(|(comm, series)| (comm.as_str(), series));
        own.chain(std::iter::once((OTHER, &self.other)))
    }

    /// Comms whose series were given up for others.
    pub(super) fn comms_folded(&self) -> u64 {
        self.comms_folded
    }

    fn add(&mut self, process: &ProcessSnapshot, more: Counters) {
        let snapshots = self.snapshots;
        let series = self.series_for(&process.info.comm);
        series.counters += more;
        series.gauges.add(process);
        series.last_seen = snapshots;
    }

    fn series_for(&mut self, comm: &str) -> &mut CommSeries {
        let has_own = comm != OTHER && (self.comms.contains_key(comm) || self.make_room());
        if has_own { self.comms.entry(comm.to_owned()).or_default() } else { &mut self.other }
    }

    /// True when there is room for one more comm.
    fn make_room(&mut self) -> bool {
        if self.comms.len() < COMM_LABELS {
            return true;
        }
        let oldest = self
            .comms
            .iter()
            .filter(|(_, series)| series.last_seen < self.snapshots)
            .min_by_key(|(_, series)| series.last_seen)
            .map(|(comm, _)| comm.clone());
        let Some(series) = oldest.and_then(|comm| self.comms.remove(&comm)) else {
            return false;
        };
        self.other.counters += series.counters;
        self.comms_folded += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProcessState, Totals};
    use crate::render::fixtures::{process, snapshot};

    fn with_allocations(pid: u32, comm: &str, allocations: u64) -> ProcessSnapshot {
        let mut process = process(pid, comm);
        process.totals = Totals { allocations, allocated_bytes: 10 * allocations, ..Totals::default() };
        process
    }

    fn allocations(state: &MetricsState, comm: &str) -> Option<u64> {
        state.series().find(|(name, _)| *name == comm).map(|(_, series)| series.counters.allocations)
    }

    fn total(state: &MetricsState) -> u64 {
        state.series().map(|(_, series)| series.counters.allocations).sum()
    }

    #[test]
    fn counters_keep_what_exited_processes_did() {
        let mut state = MetricsState::new();
        state.observe(&snapshot(vec![with_allocations(1, "worker", 5), with_allocations(2, "worker", 7)]));
        let mut exited = with_allocations(1, "worker", 6);
        exited.state = ProcessState::Exited;
        state.observe(&snapshot(vec![exited, with_allocations(2, "worker", 7)]));
        state.observe(&snapshot(vec![with_allocations(2, "worker", 8)]));
        assert_eq!(allocations(&state, "worker"), Some(14));
    }

    #[test]
    fn the_same_snapshot_twice_adds_nothing() {
        let mut state = MetricsState::new();
        let snapshot = snapshot(vec![with_allocations(1, "worker", 5)]);
        state.observe(&snapshot);
        state.observe(&snapshot);
        assert_eq!(allocations(&state, "worker"), Some(5));
    }

    #[test]
    fn exec_and_a_reused_pid_add_and_never_subtract() {
        let mut state = MetricsState::new();
        state.observe(&snapshot(vec![with_allocations(1, "sh", 50)]));
        state.observe(&snapshot(vec![with_allocations(1, "python3", 3)]));
        let mut reused = with_allocations(1, "python3", 100);
        reused.info.start_time_ticks += 1;
        state.observe(&snapshot(vec![reused]));
        assert_eq!((allocations(&state, "sh"), allocations(&state, "python3")), (Some(50), Some(103)));
    }

    #[test]
    fn exited_processes_hold_nothing() {
        let mut state = MetricsState::new();
        let mut exited = process(1, "worker");
        exited.state = ProcessState::Exited;
        state.observe(&snapshot(vec![exited, process(2, "worker")]));
        let gauges = state.series().next().map(|(_, series)| series.gauges).unwrap();
        assert_eq!(gauges.processes, 1);
        assert_eq!(gauges.live_bytes, process(2, "worker").totals.live_bytes);
    }

    #[test]
    fn comms_beyond_the_limit_are_counted_under_other() {
        let mut state = MetricsState::new();
        let crowd = (0..COMM_LABELS as u32 + 10).map(|pid| with_allocations(pid, &format!("c{pid}"), 1));
        state.observe(&snapshot(crowd.collect()));
        assert_eq!(state.series().count(), COMM_LABELS + 1);
        assert_eq!(allocations(&state, OTHER), Some(10));
    }

    #[test]
    fn a_newcomer_takes_the_series_of_the_comm_that_went_first_and_sums_stay() {
        let mut state = MetricsState::new();
        let crowd = |count: usize| -> Vec<ProcessSnapshot> {
            (0..count as u32).map(|pid| with_allocations(pid, &format!("c{pid:03}"), 2)).collect()
        };
        state.observe(&snapshot(crowd(COMM_LABELS)));
        let mut next = crowd(COMM_LABELS - 1);
        next.push(with_allocations(9_999, "newcomer", 3));
        state.observe(&snapshot(next));
        assert_eq!(allocations(&state, "newcomer"), Some(3));
        assert_eq!(allocations(&state, &format!("c{:03}", COMM_LABELS - 1)), None);
        assert_eq!(allocations(&state, OTHER), Some(2));
        assert_eq!(total(&state), 2 * COMM_LABELS as u64 + 3);
        assert_eq!(state.comms_folded(), 1);
    }

    #[test]
    fn a_process_named_other_does_not_make_a_second_series() {
        let mut state = MetricsState::new();
        state.observe(&snapshot(vec![with_allocations(1, "other", 4)]));
        assert_eq!(state.series().count(), 1);
        assert_eq!(allocations(&state, OTHER), Some(4));
    }
}
