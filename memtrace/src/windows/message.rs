//! What the session and the conductor tell each other.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use memtrace_common::Meter;
use memtrace_core::estimate::Hits;
use thiserror::Error;

use crate::{
    attach::Object,
    calibrate::WindowCosts,
    kernel::{
        anchor::{AnchorError, AnchorFile},
        attach::Probe,
    },
};

/// A file that a target maps, and where it is probed.
#[derive(Clone, Debug)]
pub struct ProbedFile {
    /// Holds it open.
    pub object: Arc<Object>,
    /// Where.
    pub probes: Vec<Probe>,
}

impl ProbedFile {
    /// Runs `use_files` with the files as anchors want them.
    pub(super) fn with<R>(files: &[Self], use_files: impl FnOnce(&[AnchorFile<'_>]) -> R) -> R {
        let paths: Vec<_> = files.iter().map(|file| file.object.file.own_path()).collect();
        let files: Vec<_> = files
            .iter()
            .zip(&paths)
            .map(|(file, path)| AnchorFile { path, id: file.object.file.id, probes: &file.probes })
            .collect();
        use_files(&files)
    }
}

/// A window to be held.
#[derive(Clone, Debug)]
pub struct WindowOrder {
    /// The target's number. It has a meter.
    pub target: u32,
    /// Its process.
    pub pid: u32,
    /// The window's number; not 0.
    pub window: u32,
    /// What is probed.
    pub files: Arc<[ProbedFile]>,
    /// When arming begins, or later when another window is in the way.
    pub not_before: Instant,
    /// How long allocations are sampled. Armed longer than a few milliseconds, probes are slow to go.
    pub length: Duration,
    /// See [`memtrace_common::Allowance::mean_bytes`].
    pub mean_bytes: u64,
    /// Entry probes hit in it at most, from arming on; it is closed early.
    pub entries_max: u64,
    /// Allocations sampled in it at most; it is closed early.
    pub sampled_max: u32,
}

/// Memory of the target that is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryRange {
    /// First address.
    pub address: u64,
    /// Length.
    pub bytes: u32,
}

/// What the conductor tells.
#[derive(Debug)]
pub enum WindowEvent {
    /// What windows cost was measured, or not; comes first, if there is a helper to measure with.
    Calibrated {
        /// The helper's process, to be followed no more.
        pid: u32,
        /// What was measured.
        costs: Result<WindowCosts, String>,
    },
    /// The window is closed and the probes are armed still: what is to be read?
    Candidates(CandidatesRequest),
    /// What was read, while armed.
    Fingerprints(Fingerprints),
    /// The probes are gone.
    Closed(WindowMeasure),
    /// There was no window, or nothing is known of it; the probes are gone.
    Failed {
        /// The target.
        target: u32,
        /// The window.
        window: u32,
        /// Why.
        failure: WindowFailure,
    },
}

/// Asks for what is to be read. The target bears its probes until the answer comes, but no longer than
/// [`CandidatesRequest::PATIENCE`]: then the window ends without fingerprints.
#[derive(Debug)]
pub struct CandidatesRequest {
    /// The target.
    pub target: u32,
    /// The window.
    pub window: u32,
    /// Where the answer goes. Dropping it is an answer: nothing.
    pub answer: mpsc::Sender<Vec<MemoryRange>>,
}

impl CandidatesRequest {
    /// Several times what draining a full ring takes.
    pub const PATIENCE: Duration = Duration::from_millis(20);
}

/// Memory as it was while every free and every allocation were still seen.
#[derive(Debug)]
pub struct Fingerprints {
    /// The target.
    pub target: u32,
    /// The window.
    pub window: u32,
    /// CLOCK_MONOTONIC before the first byte was read.
    pub read_ns: u64,
    /// For each range asked for, in the same order, all of it, or `None` when it could not be read.
    pub memory: Vec<Option<Vec<u8>>>,
}

/// What a target bore.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Borne {
    /// Probes hit, and what is measured of their cost.
    pub hits: Hits,
    /// Of the time in programs, in those that reported a call with its stack.
    pub reporting_ns: u64,
    /// Allocations sampled.
    pub sampled: u64,
}

impl Borne {
    /// From one reading of a meter to the next.
    #[must_use]
    pub const fn between(before: &Meter, after: &Meter) -> Self {
        Self {
            hits: Hits {
                entries: after.entries.wrapping_sub(before.entries),
                returns: after.returns.wrapping_sub(before.returns),
                program_ns: after.program_ns.wrapping_sub(before.program_ns),
                gaps: after.gaps.wrapping_sub(before.gaps),
                gaps_ns: after.gaps_ns.wrapping_sub(before.gaps_ns),
            },
            reporting_ns: after.reporting_ns.wrapping_sub(before.reporting_ns),
            sampled: after.sampled.wrapping_sub(before.sampled),
        }
    }

    /// This part of it, but every sample: those were taken in the window, however late the meter was read.
    #[must_use]
    pub(super) fn part(&self, share: f64) -> Self {
        let part = |figure: u64| (figure as f64 * share) as u64;
        Self {
            hits: Hits {
                entries: part(self.hits.entries),
                returns: part(self.hits.returns),
                program_ns: part(self.hits.program_ns),
                gaps: part(self.hits.gaps),
                gaps_ns: part(self.hits.gaps_ns),
            },
            reporting_ns: self.reporting_ns,
            sampled: self.sampled,
        }
    }
}

/// A window that was held, measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowMeasure {
    /// The target.
    pub target: u32,
    /// The window.
    pub window: u32,
    /// CLOCK_MONOTONIC from which on allocations were sampled.
    pub open_ns: u64,
    /// CLOCK_MONOTONIC from which on they were not. With `quota_hit` sampling may have ended up to a quarter of a
    /// millisecond before.
    pub close_ns: u64,
    /// Processor time of all its threads from `open_ns` to `close_ns`.
    pub cpu_ns_in_window: u64,
    /// False when `cpu_ns_in_window` is off by up to a timer tick for each processor (the process has too many
    /// threads to look at each).
    pub is_cpu_exact: bool,
    /// The process' CPU clock at `close_ns`; off by up to a timer tick for each processor.
    pub process_cpu_ns_at_close: u64,
    /// Borne from `open_ns` to `close_ns`.
    pub in_window: Borne,
    /// Borne in all, from before arming until after disarming: what the budget is charged.
    pub while_armed: Borne,
    /// From before arming until after disarming.
    pub armed_ns: u64,
    /// Of `armed_ns`, spent arming and disarming.
    pub toggle_ns: u64,
    /// Events armed: each put breakpoints in the target's code and took them away.
    pub toggles: u32,
    /// `entries_max` or `sampled_max` was reached.
    pub quota_hit: bool,
    /// The session answered and the memory was read.
    pub has_fingerprints: bool,
}

/// Why there is nothing to tell of a window.
#[derive(Debug, Error)]
pub enum WindowFailure {
    /// Anchors or arming failed.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The process has ended, before or while it was armed.
    #[error("the process has ended")]
    Gone,
    /// The process replaced its image while it was armed, so its memory is another.
    #[error("the process has executed another program")]
    Executed,
    /// Nobody follows the target.
    #[error("the target has no meter")]
    NotMetered,
    /// The maps.
    #[error("the allowance could not be set: {0}")]
    Allowance(std::io::Error),
}
