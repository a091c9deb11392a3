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
    /// Zero.
    pub reserved: [u16; 3],
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
    pub thread_state_indirect: u8,
    /// A [`frame_layout`].
    pub frame_layout: u8,
    /// Offset of `owner` in a frame from 3.12 on, where frames with owner 3 or more are not Python's.
    pub frame_owner_offset: u8,
    /// Zero.
    pub reserved: u8,
    /// Offset in the thread state of the innermost frame, or (`cframe_offset` not `u16::MAX`) of the `cframe`.
    pub frame_offset: u16,
    /// Offset of the innermost frame in the `cframe` (3.11, 3.12); `u16::MAX` when there is none.
    pub cframe_offset: u16,
    /// Folded into the stack hash: counts up when code objects were found replaced, so that stacks are sent anew.
    pub generation: u64,
}

/// Where things are in a Python frame.
pub mod frame_layout {
    /// 3.8: `f_back` 24, `f_code` 32, `f_lasti` (bytes) 104. 3.9 is the same.
    pub const OBJECT_LASTI_104: u8 = 1;
    /// 3.10: as before, `f_lasti` (code units) 96.
    pub const OBJECT_LASTI_96: u8 = 2;
    /// 3.11: `f_code` 32, `previous` 48, `prev_instr` 56.
    pub const INTERPRETER_3_11: u8 = 3;
    /// 3.12 on: `f_code`/`f_executable` 0 (tagged from 3.14), `previous` 8, `prev_instr`/`instr_ptr` 56.
    pub const INTERPRETER_3_12: u8 = 4;
}

const _: () = {
    assert!(size_of::<Settings>() == 32);
    assert!(size_of::<Target>() == 8);
    assert!(size_of::<PythonTarget>() == 24);
};
