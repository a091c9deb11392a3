//! Finds where the kernel keeps a thread's FS base in its `task_struct`, without BTF: the daemon knows its own FS
//! base, and the word that holds it is where every thread's is.

use aya_ebpf::{
    helpers::{bpf_get_current_task, bpf_probe_read_kernel},
    programs::ProbeContext,
};

use crate::maps::FS_BASE;

/// Words of `task_struct` looked at. On x86-64 it takes 6 to 14 KiB, `thread` near its end.
const WORDS: u64 = 2048;

/// Looks for the value in `FS_BASE[0][0]`, leaves the offset + 1 in `FS_BASE[0][1]`.
#[inline(always)]
pub fn find_fs_base(_ctx: &ProbeContext) {
    let Some(search) = FS_BASE.get_ptr_mut(0) else { return };
    // SAFETY: the pointer is to the map's only value; the daemon waits for this program before it reads it.
    let wanted = unsafe { (*search)[0] };
    // SAFETY: the helper returns the current task's address as an integer.
    let task = unsafe { bpf_get_current_task() };
    for word in 0..WORDS {
        // SAFETY: the helper fails on an unmapped kernel address.
        let Ok(value) = (unsafe { bpf_probe_read_kernel((task + word * 8) as *const u64) }) else { return };
        if value == wanted {
            // SAFETY: as above.
            unsafe { (*search)[1] = word * 8 + 1 };
            return;
        }
    }
}
