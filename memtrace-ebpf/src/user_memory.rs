//! Reading a target's memory. Every address is hostile: it is checked to be user space before the helper sees it,
//! and the helper fails cleanly on anything that is not mapped and present.

use aya_ebpf::helpers::bpf_probe_read_user;

/// Where x86-64 user space ends (`TASK_SIZE_MAX`, four-level paging; five-level processes stay below it unless
/// they ask).
const USER_SPACE_END: u64 = 0x0000_7fff_ffff_f000;

/// True for an address that can hold an aligned pointer of a user process.
#[inline(always)]
pub fn is_pointer(address: u64) -> bool {
    address >= 4096 && address < USER_SPACE_END && address & 7 == 0
}

/// Reads a `T` (plain integers only) from the current task's memory.
#[inline(always)]
pub fn read<T: Copy>(address: u64) -> Option<T> {
    if !(4096..USER_SPACE_END).contains(&address) {
        return None;
    }
    // SAFETY: the helper copies from user memory into a local and fails on unmapped or absent pages; every caller's
    // `T` is integers, for which any bytes are a value.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}
