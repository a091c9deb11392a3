//! The kernel side's counters: one per-CPU array, indexed by this enum after the drop reasons.

use crate::DropReason;

/// What the BPF programs count besides losses. Counters are monotonic from load to unload.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Counter {
    /// Probe hits in traced processes, entry and return alike.
    Hits,
    /// Records written to the ring.
    Records,
    /// Stacks walked.
    Walks,
}

impl Counter {
    /// Every counter.
    pub const ALL: [Self; 3] = [Self::Hits, Self::Records, Self::Walks];

    /// Index in the array: the drop reasons come first.
    #[must_use]
    pub const fn index(self) -> u32 {
        DropReason::ALL.len() as u32 + self as u32
    }

    /// Length of the array.
    pub const SLOTS: u32 = (DropReason::ALL.len() + Self::ALL.len()) as u32;
}
