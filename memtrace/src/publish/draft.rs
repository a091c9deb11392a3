//! A snapshot whose native frames have no names yet.

use std::sync::Arc;

use memtrace_core::{
    aggregate::SiteFigures,
    model::{
        Estimate, Frame, OtherSites, Overhead, OwnCost, ProcessInfo, ProcessState, Quality, Rates, Totals,
    },
};

use crate::follow::Module;

/// A frame, or where to look for one.
#[derive(Clone, Debug)]
pub enum DraftFrame {
    /// Known.
    Known(Frame),
    /// A place in a file.
    Native(Arc<Module>, u64),
}

/// A site.
#[derive(Clone, Debug)]
pub struct DraftSite {
    /// Its figures.
    pub figures: SiteFigures,
    /// Innermost first.
    pub frames: Vec<DraftFrame>,
}

/// A process.
#[derive(Clone, Debug)]
pub struct DraftProcess {
    /// Who.
    pub info: ProcessInfo,
    /// Whether it still runs.
    pub state: ProcessState,
    /// Probe sites attached.
    pub probes: u64,
    /// Resident set size.
    pub rss_bytes: Option<u64>,
    /// Sums.
    pub totals: Totals,
    /// The sums with errors.
    pub estimate: Estimate,
    /// How closely it is watched, and what that costs it.
    pub overhead: Overhead,
    /// Rates.
    pub rates: Rates,
    /// The top sites.
    pub sites: Vec<DraftSite>,
    /// The rest.
    pub other_sites: OtherSites,
    /// What a user should know.
    pub notes: Vec<String>,
}

/// One moment.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Wall clock.
    pub unix_ns: u64,
    /// Since the start.
    pub elapsed_ns: u64,
    /// Since the last snapshot.
    pub interval_ns: u64,
    /// All but the native frames without a name.
    pub quality: Quality,
    /// What memtrace takes.
    pub own_cost: OwnCost,
    /// Traced processes.
    pub processes: Vec<DraftProcess>,
}
