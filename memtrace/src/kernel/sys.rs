//! The `bpf` system call, where aya has no API for it.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use aya_obj::generated::{bpf_attr, bpf_cmd};

/// Calls `bpf` with a command that returns a file descriptor.
pub(super) fn bpf(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<OwnedFd> {
    // SAFETY: `attributes` is a valid bpf_attr for the duration of the call and the size is its own; pointers inside
    // are the callers' to keep alive, and they do: each lends from a local that outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long,
            std::ptr::from_mut(attributes),
            size_of::<bpf_attr>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the result is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

/// A `bpf_attr` of zeros, which is what the kernel wants of fields that are not set.
pub(super) fn zeroed() -> bpf_attr {
    // SAFETY: bpf_attr is a union of structs of integers, for which zeros are a value.
    unsafe { std::mem::zeroed() }
}
