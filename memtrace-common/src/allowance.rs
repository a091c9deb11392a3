//! What a target may be asked to bear, and what it has borne: values of the maps `ALLOWANCES` (the daemon writes,
//! the BPF programs read) and `METERS` (the other way round), both keyed by the target number.
//!
//! A trap is paid before any program runs, so no program can keep a budget. It can count, and wake the daemon, which
//! takes the probes away.

/// What the daemon allows: map `ALLOWANCES`. A target without an entry is traced exactly and raises no alarm.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Allowance {
    /// When [`Meter::entries`] exceeds this, an `OverAllowance` record is written, once for each value. In a window
    /// nothing more is sampled from then on; frees and addresses handed out are still reported until the probes go.
    pub entries_max: u64,
    /// CLOCK_MONOTONIC from which on allocations are sampled.
    pub opens_ns: u64,
    /// CLOCK_MONOTONIC from which on they are not.
    pub closes_ns: u64,
    /// Allocations of this many bytes are sampled with probability 1 - 1/e, see [`crate::thinning`]; 0 samples all.
    pub mean_bytes: u64,
    /// The window's number, counted from 1 for each target; 0 means that everything is reported: the exact tier.
    pub window: u32,
    /// Allocations sampled in this window at most.
    pub sampled_max: u32,
}

/// What a target has borne since it is followed, and never reset: map `METERS`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Meter {
    /// Entry probes hit.
    pub entries: u64,
    /// Return probes hit: entries of calls that have a result, each of which hits one.
    pub returns: u64,
    /// Time in return programs that reported a call: what stacks cost.
    pub reporting_ns: u64,
    /// Allocations whose stack was recorded.
    pub sampled: u64,
    /// `sampled` when the window `window` began.
    pub sampled_before: u64,
    /// The window that was seen last.
    pub window: u32,
    /// Zero.
    pub reserved: u32,
    /// The [`Allowance::entries_max`] for which the alarm was raised last.
    pub alarmed_at: u64,
    /// In windows, time in all programs, what `reporting_ns` has of it included. The exact tier does not measure it: a
    /// look at the clock costs the target as much as a tenth of what it would tell.
    pub program_ns: u64,
    /// In windows, calls whose `gaps_ns` were taken.
    pub gaps: u64,
    /// From the end of the entry program to the beginning of the return program of the same call: half of each trap, and
    /// the allocator's few nanoseconds. Gaps longer than [`GAP_NS_MAX`] are left out, for the allocator worked in them.
    pub gaps_ns: u64,
}

/// See [`Meter::gaps_ns`].
pub const GAP_NS_MAX: u64 = 4_000;

const _: () = {
    assert!(size_of::<Allowance>() == 40);
    assert!(size_of::<Meter>() == 80);
};
