//! Why a walk along a stack ended. Only `Complete` and `Absent` say nothing is missing.

macro_rules! stack_ends {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal,)+) => {
        /// Why a walk along a stack ended.
        #[repr(u8)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum StackEnd { $($(#[doc = $doc])+ $variant = $number,)+ }

        impl StackEnd {
            /// Every reason, in the order of its number.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$variant),+];

            /// The reason with this number, if there is one.
            #[must_use]
            pub const fn from_u8(value: u8) -> Option<Self> {
                match value { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// The name that JSON, metrics and documentation use.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

stack_ends! {
    /// The outermost frame was reached.
    Complete = 0, "complete",
    /// There is no such stack: the process runs no Python that memtrace can read.
    Absent = 1, "absent",
    /// The thread never entered Python, or has left it: it has no thread state.
    NoThreadState = 2, "no_thread_state",
    /// The stack is deeper than the limit.
    Truncated = 3, "truncated",
    /// Memory could not be read (paged out, unmapped, or a forged pointer).
    ReadFault = 4, "read_fault",
    /// A pointer was not one: misaligned, or outside user space.
    BadPointer = 5, "bad_pointer",
    /// The frame-pointer chain left the stack or turned back: code compiled without frame pointers.
    NoFramePointer = 6, "no_frame_pointer",
}

impl StackEnd {
    /// True when frames are missing that should be there.
    #[must_use]
    pub const fn is_truncated(self) -> bool {
        matches!(self, Self::Truncated | Self::ReadFault | Self::BadPointer)
    }
}
