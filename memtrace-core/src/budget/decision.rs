//! What the controller asks for, and what it is told of a window.

use super::Spending;

/// Something to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Decision {
    /// Record every call of this target from now on.
    AttachExact {
        /// Which one.
        target: u32,
    },
    /// Stop recording every call. Comes before anything else is asked of the target.
    DetachExact {
        /// Which one.
        target: u32,
    },
    /// Sample in a window.
    OpenWindow(Window),
    /// Raise an alarm when an exactly traced target has made this many entries more.
    SetAllowance {
        /// Which one.
        target: u32,
        /// Entries beyond the `Meter::entries` that [`super::Controller::spent`] was told of last.
        entries_more: u64,
    },
    /// Leave this target alone. It is tried again later, by another decision.
    Off {
        /// Which one.
        target: u32,
        /// Why, in a sentence for the user.
        reason: String,
    },
}

impl Decision {
    /// Whom it concerns.
    #[must_use]
    pub const fn target(&self) -> u32 {
        match self {
            Self::AttachExact { target }
            | Self::DetachExact { target }
            | Self::SetAllowance { target, .. }
            | Self::Off { target, .. } => *target,
            Self::OpenWindow(window) => window.target,
        }
    }
}

/// A window to be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Of which target.
    pub target: u32,
    /// Its number, counted from 1 for each target.
    pub window: u32,
    /// When to open it at the earliest, on the clock that the controller is told.
    pub not_before_ns: u64,
    /// How long it is.
    pub length_ns: u64,
    /// Allocations of this many bytes are sampled with probability 1 - 1/e; 0 samples all.
    pub mean_bytes: u64,
    /// Close it when it has seen this many entries more than there were when it opened.
    pub entries_more: u64,
    /// Allocations sampled at most.
    pub sampled_max: u32,
}

/// What became of a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WindowReport {
    /// Its number.
    pub window: u32,
    /// How long the probes were in place.
    pub armed_ns: u64,
    /// What it cost, toggles included. It must not be told to [`super::Controller::spent`] too.
    pub spending: Spending,
    /// What its hits took of the target's CPU time, on the safe side; `None` when it is to be told from the spending.
    pub hits_ns: Option<u64>,
    /// Allocations sampled.
    pub sampled: u64,
    /// It was closed early, because it had seen as many entries as it might.
    pub quota_hit: bool,
    /// The target's CPU time while the probes were in place; `None` when it could not be read.
    pub cpu_ns: Option<u64>,
    /// The target's CPU time since the window before, up to this one's beginning; `None` when it is not known.
    pub cpu_before_ns: Option<u64>,
}
