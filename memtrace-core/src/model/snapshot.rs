//! One moment of everything that memtrace knows. Immutable: every renderer and exporter reads the same one.

use memtrace_common::Domain;

use super::{Estimate, Frame, Overhead, OwnCost, ProcessInfo, ProcessState, Quality};

/// Sums since memtrace attached to the process (since its last exec).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Bytes allocated and not freed.
    pub live_bytes: u64,
    /// Blocks allocated and not freed.
    pub live_blocks: u64,
    /// Bytes allocated.
    pub allocated_bytes: u64,
    /// Blocks allocated.
    pub allocations: u64,
    /// Bytes freed, of blocks whose allocation was seen.
    pub freed_bytes: u64,
    /// Blocks freed whose allocation was seen.
    pub frees: u64,
    /// Frees of blocks that were not seen being allocated: from before attach, or inherited over fork.
    pub frees_unknown: u64,
}

/// Per second, over the time since the last snapshot.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rates {
    /// Allocations per second.
    pub allocations_per_second: f64,
    /// Bytes allocated per second.
    pub allocated_bytes_per_second: f64,
    /// Frees per second.
    pub frees_per_second: f64,
}

/// A site: one allocation stack of one process.
#[derive(Clone, PartialEq, Debug)]
pub struct SiteSnapshot {
    /// Hash over domain and frames, the same in every run that symbolizes alike.
    pub id: u64,
    /// Whose bytes.
    pub domain: Domain,
    /// Bytes live (of the blocks that pass the age and size filters).
    pub live_bytes: u64,
    /// Blocks live (of those that pass the filters).
    pub live_blocks: u64,
    /// Bytes allocated since attach.
    pub allocated_bytes: u64,
    /// Blocks allocated since attach.
    pub allocations: u64,
    /// Change of all live bytes since the last snapshot.
    pub growth_bytes: i64,
    /// Allocations per second since the last snapshot.
    pub allocations_per_second: f64,
    /// Age of the oldest live block.
    pub oldest_age_ns: Option<u64>,
    /// The same with errors, and what only a sample tells.
    pub estimate: Estimate,
    /// Innermost first.
    pub frames: Vec<Frame>,
}

/// The sites that did not make the top, summed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OtherSites {
    /// How many.
    pub sites: u64,
    /// Their live bytes.
    pub live_bytes: u64,
    /// Their live blocks.
    pub live_blocks: u64,
}

/// One process.
#[derive(Clone, PartialEq, Debug)]
pub struct ProcessSnapshot {
    /// Who.
    pub info: ProcessInfo,
    /// Whether it still runs.
    pub state: ProcessState,
    /// Probe sites attached in it; 0 until attaching is done.
    pub probes: u64,
    /// Resident set size as the kernel has it; `None` once the process has gone.
    pub rss_bytes: Option<u64>,
    /// Sums since attach.
    pub totals: Totals,
    /// `totals` with errors.
    pub estimate: Estimate,
    /// How closely it is watched, and what that costs it.
    pub overhead: Overhead,
    /// Since the last snapshot.
    pub rates: Rates,
    /// The top sites, in the order asked for.
    pub sites: Vec<SiteSnapshot>,
    /// The rest.
    pub other_sites: OtherSites,
    /// What a user must know of this process, one sentence each (`not traceable: static binary`).
    pub notes: Vec<String>,
}

/// One moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// Wall clock, nanoseconds since 1970.
    pub unix_ns: u64,
    /// Since memtrace started.
    pub elapsed_ns: u64,
    /// Since the last snapshot.
    pub interval_ns: u64,
    /// How good the figures are.
    pub quality: Quality,
    /// What memtrace takes.
    pub own_cost: OwnCost,
    /// Traced processes, most live bytes first.
    pub processes: Vec<ProcessSnapshot>,
}
