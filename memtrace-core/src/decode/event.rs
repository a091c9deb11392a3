//! What happened, decoded.

use memtrace_common::Domain;

use super::StackView;

/// Whose memory an event is about, who did it, and in which heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The daemon's number for the process.
    pub target: u32,
    /// Thread id in the root pid namespace.
    pub thread: u32,
    /// Whose bytes.
    pub domain: Domain,
    /// The target's window in which it happened; 0 in the exact tier.
    pub window: u32,
}

/// A block was handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allocation {
    /// Who.
    pub origin: Origin,
    /// The pointer.
    pub address: u64,
    /// Bytes asked for.
    pub size_bytes: u64,
    /// 0 when the stack could not be walked.
    pub stack_id: u64,
    /// CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// In a window: how often its chance to be sampled was halved (`memtrace_common::thinning`).
    pub rarity_log2: u8,
}

/// A block is given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Free {
    /// Who.
    pub origin: Origin,
    /// The pointer.
    pub address: u64,
}

/// A realloc was entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReallocBegin {
    /// Who.
    pub origin: Origin,
    /// The old pointer.
    pub address: u64,
}

/// A realloc returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReallocEnd {
    /// Who.
    pub origin: Origin,
    /// The old pointer.
    pub old_address: u64,
    /// The new pointer, 0 when nothing was handed out.
    pub new_address: u64,
    /// Bytes asked for.
    pub size_bytes: u64,
    /// 0 when the stack could not be walked.
    pub stack_id: u64,
    /// CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// Python's realloc moved the block to libc's heap, and libc has reported it already.
    pub new_block_is_libc: bool,
    /// In a window: how often its chance to be sampled was halved.
    pub rarity_log2: u8,
    /// In a window: it was not sampled. The old block has ended, and the new address was handed out.
    pub is_unsampled: bool,
}

/// One record of the ring. `target` is 0 for a process that is not traced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// A block was handed out.
    Allocated(Allocation),
    /// A block is given back.
    Freed(Free),
    /// A realloc was entered.
    ReallocBegun(ReallocBegin),
    /// A realloc returned.
    ReallocEnded(ReallocEnd),
    /// In a window, an allocation that was not sampled: what was at this address has ended.
    HandedOut(Free),
    /// A target has hit more probes than it is allowed.
    OverAllowance {
        /// The process' number.
        target: u32,
        /// The window; 0 in the exact tier.
        window: u32,
        /// Entry probes hit since it is followed.
        entries: u64,
    },
    /// What a stack id stands for.
    Stack(StackView<'a>),
    /// A process was created.
    Forked {
        /// The parent's number.
        target: u32,
        /// The parent.
        parent: u32,
        /// The child.
        process: u32,
        /// The child works in its parent's memory until it execs.
        shares_memory: bool,
        /// The parent's comm, up to its NUL.
        comm: &'a [u8],
    },
    /// A process replaced its image.
    Executed {
        /// The process' number.
        target: u32,
        /// The process.
        process: u32,
        /// Another thread than the first did it, and is the first from now on.
        by_other_thread: bool,
        /// Its comm from now on, up to its NUL.
        comm: &'a [u8],
    },
    /// A thread exited; the process with it, if it was the last.
    Exited {
        /// The process' number.
        target: u32,
        /// The process.
        process: u32,
        /// The thread.
        thread: u32,
    },
    /// A task's comm changed.
    Renamed {
        /// The process' number.
        target: u32,
        /// The task: a thread id.
        task: u32,
        /// Its comm from now on, up to its NUL.
        comm: &'a [u8],
    },
}

impl Event<'_> {
    /// The daemon's number for the process that it is about; 0 when that is not traced.
    #[inline]
    #[must_use]
    pub const fn target(&self) -> u32 {
        match self {
            Self::Allocated(allocation) => allocation.origin.target,
            Self::Freed(free) | Self::HandedOut(free) => free.origin.target,
            Self::ReallocBegun(begin) => begin.origin.target,
            Self::ReallocEnded(end) => end.origin.target,
            Self::Stack(stack) => stack.target,
            Self::OverAllowance { target, .. }
            | Self::Forked { target, .. }
            | Self::Executed { target, .. }
            | Self::Exited { target, .. }
            | Self::Renamed { target, .. } => *target,
        }
    }

    /// A memory event without the borrow of its record, so that events can be gathered while the ring moves on.
    /// `None` for stacks and lifecycle events, before which the gathered ones must be applied.
    #[inline]
    #[must_use]
    pub const fn detached(&self) -> Option<Event<'static>> {
        match *self {
            Self::Allocated(allocation) => Some(Event::Allocated(allocation)),
            Self::Freed(free) => Some(Event::Freed(free)),
            Self::ReallocBegun(begin) => Some(Event::ReallocBegun(begin)),
            Self::ReallocEnded(end) => Some(Event::ReallocEnded(end)),
            Self::HandedOut(address) => Some(Event::HandedOut(address)),
            Self::Stack(_)
            | Self::OverAllowance { .. }
            | Self::Forked { .. }
            | Self::Executed { .. }
            | Self::Exited { .. }
            | Self::Renamed { .. } => None,
        }
    }
}
