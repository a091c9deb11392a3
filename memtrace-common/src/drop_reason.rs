//! Everything that can be lost: one enum is the kernel's counter index, the metric label, the JSON key and the
//! row in `docs/drop-reasons.md`.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why something was lost or given up.
        #[repr(u32)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum DropReason { $($(#[doc = $doc])+ $variant,)+ }

        impl DropReason {
            /// Every reason, in the order of its number.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name that metrics, JSON and documentation use.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

drop_reasons! {
    /// An event found the ring buffer full: raise --ring-size or trace fewer processes.
    RingFull = "ring_full",
    /// A stack found the ring buffer full; its events arrive without one until it is sent again.
    StackRingFull = "stack_ring_full",
    /// A start, exec or new name of a process found the ring buffer full: it is followed late, or its old image's blocks stay.
    LifecycleRingFull = "lifecycle_ring_full",
    /// A thread found no room in the kernel's table of threads: its allocations were not seen.
    ThreadsFull = "threads_full",
    /// A call's return was never seen (longjmp out of the allocator, or a return probe that the kernel skipped).
    ReturnLost = "return_lost",
    /// Two different stacks had the same 64-bit id; the second was kept apart under another id.
    StackIdCollision = "stack_id_collision",
    /// A posix_memalign succeeded but its result could not be read from the target's memory.
    ResultUnreadable = "result_unreadable",
    /// A record from the ring had a length or a kind that this version does not know.
    MalformedRecord = "malformed_record",
    /// A record named a process that is no longer followed.
    UnknownTarget = "unknown_target",
    /// An event's stack was never received; the event is kept under a site without frames.
    StackMissing = "stack_missing",
    /// The ledger is at its limit of live blocks; the allocation counts in the totals but is not followed.
    LedgerFull = "ledger_full",
    /// The process is at its limit of sites; the allocation is kept under the site `other`.
    SitesFull = "sites_full",
    /// The daemon follows its limit of processes already; this one is not followed.
    ProcessesFull = "processes_full",
    /// A block was handed out again though no free was seen: the free was lost, and the old block was taken out.
    FreeInferred = "free_inferred",
    /// Samples of a window whose frees could not all be seen (the ring was full, or the window closed late) were dropped.
    WindowVoid = "window_void",
    /// The process is at its limit of followed samples; some were dropped at random and the rest weigh more.
    SamplesFull = "samples_full",
    /// A probe could not be attached to a process.
    AttachFailed = "attach_failed",
}
