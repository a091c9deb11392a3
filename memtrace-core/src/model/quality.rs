//! How good the figures of a snapshot are, and what they cost.

use std::collections::BTreeMap;

use memtrace_common::{DropReason, StackEnd};

/// Counts since the start of the run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Quality {
    /// Allocation and free events received.
    pub events: u64,
    /// What was lost, by reason; every reason is present, mostly with 0.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Distinct stacks that lack frames they should have.
    pub stacks_truncated: u64,
    /// Why walks along distinct stacks ended, Python's and the native one each counted; a reason that never came up
    /// may be absent.
    pub stacks_ended: BTreeMap<StackEnd, u64>,
    /// Distinct frames without a name.
    pub frames_unresolved: u64,
}

impl Quality {
    /// Everything lost, all reasons together.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }
}

/// What memtrace itself takes, and how full it is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct OwnCost {
    /// User and system time since start, in seconds.
    pub cpu_seconds: f64,
    /// The same as a share of one core since the last snapshot (1.0 is one core).
    pub cpu_share: f64,
    /// Resident set size.
    pub rss_bytes: u64,
    /// Probes attached: sites times processes.
    pub probes_attached: u64,
    /// Live blocks in the ledger.
    pub ledger_blocks: u64,
    /// The ledger's limit.
    pub ledger_capacity: u64,
}
