//! The records of the ring buffer. Each starts with a [`Header`]; `kind` says which one it is and so how long.
//!
//! Order in the ring is causal: a free is written at entry, before the block can be handed out again, and an
//! allocation at return, before any other thread can know the pointer. A realloc is both, so it is two records.

use crate::limits::{NATIVE_FRAMES, PYTHON_FRAMES, SHORT_NATIVE_FRAMES, SHORT_PYTHON_FRAMES};

/// What a record says.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RecordKind {
    /// [`Allocated`].
    Allocated = 1,
    /// [`Freed`].
    Freed = 2,
    /// [`ReallocBegun`].
    ReallocBegun = 3,
    /// [`ReallocEnded`].
    ReallocEnded = 4,
    /// [`Stack`].
    Stack = 5,
    /// [`Lifecycle`]: a process was created.
    Forked = 6,
    /// [`Lifecycle`]: a process replaced its image.
    Executed = 7,
    /// [`Lifecycle`]: a thread of a traced process exited.
    Exited = 8,
    /// [`Lifecycle`]: a task's comm changed.
    Renamed = 9,
    /// [`HandedOut`]: in a window, an allocation that was not sampled.
    HandedOut = 10,
    /// [`OverAllowance`].
    OverAllowance = 11,
}

impl RecordKind {
    /// The kind with this number, if there is one.
    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::Allocated,
            2 => Self::Freed,
            3 => Self::ReallocBegun,
            4 => Self::ReallocEnded,
            5 => Self::Stack,
            6 => Self::Forked,
            7 => Self::Executed,
            8 => Self::Exited,
            9 => Self::Renamed,
            10 => Self::HandedOut,
            11 => Self::OverAllowance,
            _ => return None,
        })
    }
}

/// The start of every record.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// A [`RecordKind`].
    pub kind: u8,
    /// A [`crate::Domain`]; 0 where it has no meaning.
    pub domain: u8,
    /// [`flags`], by kind.
    pub flags: u16,
    /// Thread id in the root pid namespace.
    pub thread: u32,
    /// The daemon's number for the process (never reused in a run); 0 for a process that is not traced.
    pub target: u32,
    /// The window in which it happened ([`crate::Allowance::window`]); 0 in the exact tier, and for a record that is
    /// of no window.
    pub window: u32,
}

/// Bits of [`Header::flags`].
pub mod flags {
    /// `ReallocEnded`, Python domain: the new block is one of libc's, which has reported it already.
    pub const NEW_BLOCK_IS_LIBC: u16 = 1;
    /// `Forked`: the child shares its parent's memory until it execs (vfork, posix_spawn).
    pub const SHARES_MEMORY: u16 = 2;
    /// `Executed`: by another thread than the first, which it replaces. Probes attached to the process hang on the
    /// task that was the first, and have gone with it.
    pub const BY_OTHER_THREAD: u16 = 4;
    /// `ReallocEnded` in a window: it was not sampled. It ends the old block and hands out the new address.
    pub const UNSAMPLED: u16 = 8;
    /// `Allocated` and `ReallocEnded` in a window: from this bit on, how often the chance was halved because its
    /// caller was seen often ([`crate::thinning::chance`]).
    pub const RARITY_SHIFT: u32 = 8;
}

/// An allocation that succeeded, written at return.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allocated {
    /// Kind, domain, thread, target.
    pub header: Header,
    /// The pointer handed out.
    pub address: u64,
    /// Bytes asked for.
    pub size_bytes: u64,
    /// The [`Stack`] with this id; 0 when the stack could not be walked.
    pub stack_id: u64,
    /// CLOCK_MONOTONIC.
    pub time_ns: u64,
}

/// A block given back, written at entry. `free(NULL)` writes nothing.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Freed {
    /// Kind, domain, thread, target.
    pub header: Header,
    /// The pointer given back.
    pub address: u64,
}

/// In a window: an address was handed out to an allocation that was not sampled, written at return. Whatever was
/// followed there has died.
pub type HandedOut = Freed;

/// A target has hit more probes than it is allowed ([`crate::Allowance::entries_max`]); the daemon is woken.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OverAllowance {
    /// Kind, thread, target, window.
    pub header: Header,
    /// [`crate::Meter::entries`].
    pub entries: u64,
}

/// A realloc of a block was entered: from now on its address may be handed out to another thread, but the block
/// still lives until [`ReallocEnded`] of the same thread says otherwise.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReallocBegun {
    /// Kind, domain, thread, target.
    pub header: Header,
    /// The old pointer; never 0 (`realloc(NULL, n)` is an allocation).
    pub address: u64,
}

/// A realloc returned.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReallocEnded {
    /// Kind, domain, thread, target; flag `NEW_BLOCK_IS_LIBC`.
    pub header: Header,
    /// The old pointer.
    pub old_address: u64,
    /// The new pointer; 0 when nothing was handed out. Then, with `size_bytes` 0 the old block was freed
    /// (glibc's `realloc(p, 0)`), otherwise the call failed and the old block lives on.
    pub new_address: u64,
    /// Bytes asked for.
    pub size_bytes: u64,
    /// As in [`Allocated`].
    pub stack_id: u64,
    /// CLOCK_MONOTONIC.
    pub time_ns: u64,
}

/// One Python frame as the interpreter has it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PythonFrame {
    /// Address of the code object, tag bits removed; 0 for a frame of the interpreter's own.
    pub code: u64,
    /// 3.8-3.10: `f_lasti`, an `i32` in the low half; 3.11 on: address of the instruction (`prev_instr`, `instr_ptr`).
    pub instruction: u64,
}

/// A stack, sent when its id is first seen (and again after the kernel forgot it). There are two sizes, which the
/// record's length tells apart: [`Stack`] and [`ShortStack`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stack<const PYTHON: usize = PYTHON_FRAMES, const NATIVE: usize = NATIVE_FRAMES> {
    /// Kind, thread, target.
    pub header: Header,
    /// Hash over the frames, keyed with [`crate::settings::Settings::hash_seed`]; never 0.
    pub stack_id: u64,
    /// A second, independent hash over the same frames: equal ids with different checks are different stacks.
    pub check: u64,
    /// Frames used in `python`.
    pub python_len: u16,
    /// Frames used in `native`.
    pub native_len: u16,
    /// A [`crate::StackEnd`].
    pub python_end: u8,
    /// A [`crate::StackEnd`].
    pub native_end: u8,
    /// Zero.
    pub reserved: u16,
    /// Innermost first.
    pub python: [PythonFrame; PYTHON],
    /// Return addresses, innermost first. The first is where the allocator call returns to.
    pub native: [u64; NATIVE],
}

/// A stack of few frames.
pub type ShortStack = Stack<SHORT_PYTHON_FRAMES, SHORT_NATIVE_FRAMES>;

/// Something happened to a process.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifecycle {
    /// Kind, thread, target (0 when the process is not traced); flag `SHARES_MEMORY`.
    pub header: Header,
    /// The process: for `Forked` the child, for `Renamed` the task (a thread id).
    pub process: u32,
    /// For `Forked` the parent, else 0.
    pub parent: u32,
    /// The comm after the event, NUL-padded; for `Forked` the parent's.
    pub comm: [u8; 16],
}

const _: () = {
    assert!(size_of::<Header>() == 16);
    assert!(size_of::<Allocated>() == 48);
    assert!(size_of::<Freed>() == 24);
    assert!(size_of::<OverAllowance>() == 24);
    assert!(size_of::<ReallocBegun>() == 24);
    assert!(size_of::<ReallocEnded>() == 56);
    assert!(size_of::<Stack>() == 40 + 16 * PYTHON_FRAMES + 8 * NATIVE_FRAMES);
    assert!(size_of::<ShortStack>() == 40 + 16 * SHORT_PYTHON_FRAMES + 8 * SHORT_NATIVE_FRAMES);
    assert!(size_of::<Lifecycle>() == 40);
};
