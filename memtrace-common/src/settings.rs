//! Values of the maps that the daemon writes and the BPF programs read.

/// One for the whole run: map `SETTINGS`, index 0.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Key of the stack hash, random per run: a target cannot forge two stacks with one id.
    pub hash_seed: u64,
    /// Bytes in the ring at which the daemon is woken.
    pub wake_bytes: u64,
    /// Offset of the thread's FS base in the kernel's `task_struct`; 0 when unknown, and then no Python stacks.
    pub fs_base_offset: u32,
    /// Offset of `pid` in tracepoint `task:task_newtask`; 0 when the tracepoint is not attached.
    pub newtask_pid_offset: u16,
    /// Offset of `clone_flags` there.
    pub newtask_flags_offset: u16,
    /// Offset of `pid` in tracepoint `task:task_rename`.
    pub rename_pid_offset: u16,
    /// Offset of `old_pid` in tracepoint `sched:sched_process_exec`.
    pub exec_old_pid_offset: u16,
    /// Zero.
    pub reserved: [u16; 2],
}

/// A traced process: map `TARGETS`, key the process id.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Target {
    /// The daemon's number for the process whose memory this is (a vfork child has its parent's).
    pub target: u32,
    /// [`target_flags`].
    pub flags: u32,
}

/// Bits of [`Target::flags`].
pub mod target_flags {
    /// A vfork child: it borrows its parent's memory, and its entry goes when it execs or exits.
    pub const BORROWS_MEMORY: u32 = 1;

    /// From this bit on: how often the process has replaced its image since it is traced. It goes into the stack
    /// hash, because the daemon forgets the stacks of an image that is gone.
    pub const EXEC_SHIFT: u32 = 8;
}

/// How to walk a process' Python stack: map `PYTHON`, key the target number.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PythonTarget {
    /// Where the thread state's pointer is: bytes from the thread's FS base (glibc: inside the TCB), or, when
    /// `thread_state_indirect` is 1, where the pointer to musl's array of thread-specific data is.
    pub thread_state_offset: u32,
    /// Bytes from that array's start, when `thread_state_indirect` is 1.
    pub thread_state_index_offset: u32,
    /// 0 or 1.
    pub thread_state_indirect: u16,
    /// Offset in the thread state of the innermost frame, or (`cframe_offset` not `u16::MAX`) of the `cframe`.
    pub frame_offset: u16,
    /// Offset of the innermost frame in the `cframe` (3.11, 3.12); `u16::MAX` when there is none.
    pub cframe_offset: u16,
    /// Zero.
    pub reserved: u16,
    /// Where things are in a frame.
    pub window: FrameWindow,
    /// Folded into the stack hash: counts up when code objects were found replaced, so that stacks are sent anew.
    pub generation: u64,
}

/// The part of a Python frame that is read, in one go, and where in that part things are (bytes from its start).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameWindow {
    /// Offset in the frame at which reading starts.
    pub start: u8,
    /// Bytes read; at most [`FrameWindow::BYTES_MAX`].
    pub bytes: u8,
    /// The code object's pointer.
    pub code: u8,
    /// The next frame outwards.
    pub outer: u8,
    /// The instruction: a pointer, or an index of 32 bits.
    pub instruction: u8,
    /// The byte that says whose frame it is.
    pub owner: u8,
    /// Frames with this owner or more are the interpreter's own; [`FrameWindow::ALL_ARE_PYTHON`] when none is.
    pub first_internal_owner: u16,
    /// What of the instruction's word counts.
    pub instruction_mask: u64,
}

impl FrameWindow {
    /// The largest window.
    pub const BYTES_MAX: usize = 96;

    /// Larger than any owner.
    pub const ALL_ARE_PYTHON: u16 = 256;

    /// 3.8 to 3.10, `PyFrameObject`: `f_back` 24, `f_code` 32, and `f_lasti`, an `int`, at `lasti_offset`.
    #[must_use]
    pub const fn frame_object(lasti_offset: u8) -> Self {
        Self {
            start: 24,
            bytes: lasti_offset + 8 - 24,
            code: 8,
            outer: 0,
            instruction: lasti_offset - 24,
            owner: 0,
            first_internal_owner: Self::ALL_ARE_PYTHON,
            instruction_mask: 0xffff_ffff,
        }
    }

    /// 3.11, `_PyInterpreterFrame`: `f_code` 32, `previous` 48, `prev_instr` 56.
    #[must_use]
    pub const fn interpreter_3_11() -> Self {
        Self {
            start: 32,
            bytes: 32,
            code: 0,
            outer: 16,
            instruction: 24,
            owner: 0,
            first_internal_owner: Self::ALL_ARE_PYTHON,
            instruction_mask: u64::MAX,
        }
    }

    /// 3.12 on, `_PyInterpreterFrame`: `f_code` or `f_executable` 0, `previous` 8, `prev_instr` or `instr_ptr` 56.
    ///
    /// Owner 3 and more are the interpreter's own: `FRAME_OWNED_BY_CSTACK` 3 in 3.12 and 3.13,
    /// `FRAME_OWNED_BY_INTERPRETER` 3 and `FRAME_OWNED_BY_CSTACK` 4 in 3.14 (pycore_frame.h).
    #[must_use]
    pub const fn interpreter_3_12(owner_offset: u8) -> Self {
        Self {
            start: 0,
            bytes: 80,
            code: 0,
            outer: 8,
            instruction: 56,
            owner: owner_offset,
            first_internal_owner: 3,
            instruction_mask: u64::MAX,
        }
    }
}

const _: () = {
    assert!(size_of::<Settings>() == 32);
    assert!(size_of::<Target>() == 8);
    assert!(size_of::<FrameWindow>() == 16);
    assert!(size_of::<PythonTarget>() == 40);
};
