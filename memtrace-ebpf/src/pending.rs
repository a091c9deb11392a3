//! Allocator calls that were entered and have not returned: one per thread and domain.
//!
//! A thread's entry stays in the map for the thread's life and is written in place: an update and a delete a call
//! would cost the target 229 ns, a lookup costs 7.
//!
//! A return is matched to its entry by the stack pointer. That tells nested calls apart (an allocator function that
//! calls another is counted once, as the outer one) and finds entries whose return never came: `longjmp` out of
//! the allocator, or a return probe that the kernel did not deliver.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use memtrace_common::{
    Domain, DropReason,
    limits::{NESTED_CALLER_BYTES, NESTED_STACK_BYTES},
    settings::FrameWindow,
};

use crate::{
    emit,
    maps::{THREADS, lose},
    sampling::Thinning,
    user_memory,
};

/// A call in progress; `call` 0 means none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Pending {
    /// Stack pointer at entry: where the return address is.
    pub stack_pointer: u64,
    /// realloc: the old block; posix_memalign: where the result is stored.
    pub pointer: u64,
    /// Bytes asked for.
    pub size_bytes: u64,
    /// The daemon's number for the process.
    pub target: u32,
    /// How often the process has replaced its image.
    pub execs: u32,
    /// A [`memtrace_common::Call`].
    pub call: u8,
    /// Whether it is sampled; 0 in the exact tier.
    pub thinning: Thinning,
    /// Entries taken for nested since this one.
    pub nested: u16,
    /// The window in which it was entered; 0 in the exact tier.
    pub window: u32,
    /// When the entry program ended; 0 in the exact tier.
    pub entered_ns: u64,
}

/// What a thread is doing.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Thread {
    /// In libc's allocator.
    pub libc: Pending,
    /// In Python's.
    pub python: Pending,
    /// The last block that libc handed out inside the pending Python call.
    pub python_inner_block: u64,
    /// The call that is being reported. Kept here and not on the BPF stack: what is read back from a map is any
    /// number to the verifier, so it does not walk the stack walks once for each kind of call.
    pub returned: Returned,
    /// When the return program began; 0 in the exact tier. Here for the verifier, too: it must not walk the stack walks
    /// once with it and once without.
    pub return_began_ns: u64,
    /// How long the stack is that was hashed last.
    pub lengths: StackLengths,
    /// The part of a Python frame that is being looked at; a map's memory may be indexed, BPF's stack (5.10) not.
    pub window: [u64; FrameWindow::BYTES_MAX / 8],
}

/// Frames of a stack.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StackLengths {
    /// Python's.
    pub python: u32,
    /// Native ones.
    pub native: u32,
}

/// Where a call was entered.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The stack pointer.
    pub stack_pointer: u64,
    /// The address of the probe.
    pub instruction: u64,
    /// The return address is among this many words from the stack pointer on. One where the call is waited for; the
    /// probe of a free can be behind the setting up of its frame.
    pub frame_words: u64,
}

/// A call that has returned, and what it came to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Returned {
    /// The call.
    pub call: Pending,
    /// What it handed out; 0 when a realloc handed out nothing.
    pub address: u64,
    /// CLOCK_MONOTONIC at its return.
    pub time_ns: u64,
    /// The innermost Python frame; 0 when there is none.
    pub python_frame: u64,
    /// A [`memtrace_common::StackEnd`]: why there is none.
    pub python_end: u8,
    /// A [`memtrace_common::Domain`].
    pub domain: u8,
    /// [`memtrace_common::record::flags`].
    pub flags: u16,
    /// 1 when an old block was given.
    pub is_realloc: u32,
}

/// Nested entries after which the outer call is taken for abandoned. glibc and musl nest once or twice.
const NESTED_MAX: u16 = 64;

/// Most words of a frame that a return address is looked for in: glibc 2.31's free has three of its own.
pub const FRAME_WORDS_MAX: u64 = 8;

const NONE: Pending = Pending {
    stack_pointer: 0,
    pointer: 0,
    size_bytes: 0,
    target: 0,
    execs: 0,
    call: 0,
    thinning: 0,
    nested: 0,
    window: 0,
    entered_ns: 0,
};
const NOTHING: Returned = Returned {
    call: NONE,
    address: 0,
    time_ns: 0,
    python_frame: 0,
    python_end: 0,
    domain: 0,
    flags: 0,
    is_realloc: 0,
};
const IDLE: Thread = Thread {
    libc: NONE,
    python: NONE,
    python_inner_block: 0,
    returned: NOTHING,
    return_began_ns: 0,
    lengths: StackLengths { python: 0, native: 0 },
    window: [0; 12],
};

/// The current thread's entry, if it has one.
#[inline(always)]
pub fn current() -> Option<&'static mut Thread> {
    let id = bpf_get_current_pid_tgid();
    // SAFETY: a map value lives as long as the program runs; only this thread uses its own entry, and a thread runs
    // one program at a time.
    THREADS.get_ptr_mut(&id).map(|thread| unsafe { &mut *thread })
}

/// The current thread's entry, made when missing.
#[inline(always)]
pub fn current_or_new() -> Option<&'static mut Thread> {
    if let Some(thread) = current() {
        return Some(thread);
    }
    let id = bpf_get_current_pid_tgid();
    if THREADS.insert(&id, &IDLE, 0).is_err() {
        lose(DropReason::ThreadsFull);
        return None;
    }
    current()
}

impl Returned {
    #[inline(always)]
    pub fn set(&mut self, call: Pending, domain: Domain, address: u64, flags: u16, is_realloc: bool) {
        self.call = call;
        self.time_ns = emit::now();
        self.domain = domain as u8;
        self.address = address;
        self.flags = flags;
        self.is_realloc = u32::from(is_realloc);
    }
}

impl Pending {
    /// True while a call is in progress and `stack_pointer` is that of a call made by it.
    ///
    /// The word at a live outer call's stack pointer is the hijacked return address. After a `longjmp` the stack is
    /// used anew and the word is something else, but can survive in a frame's unused part; so the caller must be of
    /// the allocator too. Where both hold by chance (a static program), the number of supposedly nested calls ends it.
    #[inline(always)]
    pub fn encloses(&mut self, entry: Entry) -> bool {
        if self.call == 0 {
            return false;
        }
        if self.holds(entry) {
            self.nested += 1;
            return true;
        }
        self.call = 0;
        lose(DropReason::ReturnLost);
        false
    }

    #[inline(always)]
    fn holds(&self, entry: Entry) -> bool {
        entry.stack_pointer <= self.stack_pointer
            && self.stack_pointer - entry.stack_pointer <= NESTED_STACK_BYTES
            && self.nested < NESTED_MAX
            && user_memory::read::<u64>(self.stack_pointer).is_some_and(is_trampoline)
            && self.has_called(entry)
    }

    /// True when the return address of this entry is in the allocator. A tail call finds the one that was hijacked for
    /// its caller: reallocarray jumps to realloc, glibc 2.31's first malloc through a hook to itself. A call that is no
    /// tail call has just pushed its own.
    #[inline(always)]
    fn has_called(&self, Entry { stack_pointer, instruction, frame_words }: Entry) -> bool {
        for word in 0..FRAME_WORDS_MAX {
            let address = stack_pointer + word * 8;
            if word >= frame_words || address > self.stack_pointer {
                return false;
            }
            if address == self.stack_pointer {
                return true;
            }
            let caller = user_memory::read::<u64>(address);
            if caller.is_some_and(|caller| caller.abs_diff(instruction) <= NESTED_CALLER_BYTES) {
                return true;
            }
        }
        false
    }

    /// Takes the call out if it is the one that returns with this stack pointer.
    #[inline(always)]
    pub fn take_returning(&mut self, stack_pointer: u64) -> Option<Self> {
        if self.call == 0 || self.stack_pointer + 8 != stack_pointer {
            return None;
        }
        let pending = *self;
        self.call = 0;
        Some(pending)
    }
}

/// True for what the kernel puts in place of a return address: the start of a process' `[uprobes]` page
/// (`get_trampoline_vaddr`, kernel/events/uprobes.c). That one cannot be learnt by looking at where a call returned:
/// from 6.11 on the trampoline pushes registers there.
#[inline(always)]
fn is_trampoline(word: u64) -> bool {
    word & 0xfff == 0 && user_memory::is_pointer(word)
}
