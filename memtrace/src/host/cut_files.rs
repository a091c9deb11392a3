//! Survives files that shrink while they are mapped.
//!
//! The symbolizer maps the files of targets. A page of a mapping that is beyond the end of its file raises SIGBUS when
//! touched, and any target can cut its own file at that moment. The handler here puts a page of zeros in the place of
//! each such page, so that the reader goes on with bytes that are wrong, which hostile bytes are anyway, and can ask
//! afterwards whether that happened. systemd's journal does the same (src/basic/sigbus.c).
//!
//! Invariant: a SIGBUS for any other reason ends the process as it always did.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

static PAGES: AtomicU64 = AtomicU64::new(0);

/// Pages that were missing so far.
#[must_use]
pub fn pages_missing() -> u64 {
    PAGES.load(Ordering::Relaxed)
}

/// Installs the handler, for the whole process.
///
/// # Errors
/// When the kernel refuses.
pub fn survive() -> io::Result<()> {
    // SAFETY: zeros are a value of sigaction (a struct of integers and of an optional function).
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_bus_error as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `action` lives through the call, and the handler calls only what is safe in one: mmap, sigaction and
    // operations on atomics.
    let result = unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn on_bus_error(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    const PAGE: usize = 4096;
    // SAFETY: the kernel passes a siginfo that is valid while the handler runs.
    let info = unsafe { &*info };
    if info.si_code == libc::BUS_ADRERR {
        // SAFETY: for this code the address is set.
        let address = unsafe { info.si_addr() } as usize & !(PAGE - 1);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: the page that is replaced cannot be read: it is a file's, beyond the file's end. Nobody writes
        // through such a mapping here, so no data is lost, and whoever reads it reads zeros.
        let mapped = unsafe { libc::mmap(address as *mut libc::c_void, PAGE, libc::PROT_READ, flags, -1, 0) };
        if mapped != libc::MAP_FAILED {
            PAGES.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
    // When the handler returns, the access is tried again and ends the process. A signal that somebody sent would be
    // lost, so it is raised again.
    // SAFETY: sets the default action, which needs no function.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
    if info.si_code <= 0 {
        // SAFETY: takes a number.
        unsafe { libc::raise(libc::SIGBUS) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_while_it_is_mapped_reads_as_zeros() {
        survive().expect("a handler can be installed");
        let file = tempfile::tempfile().expect("a file");
        file.set_len(8192).expect("it can grow");
        use std::os::fd::AsRawFd as _;
        // SAFETY: a new mapping of an open file.
        let mapped = unsafe {
            libc::mmap(std::ptr::null_mut(), 8192, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        assert_ne!(mapped, libc::MAP_FAILED);
        file.set_len(0).expect("it can shrink");
        let before = pages_missing();
        // SAFETY: within the mapping, which is never unmapped.
        let byte = unsafe { std::ptr::read_volatile(mapped.cast::<u8>().wrapping_add(4096)) };
        assert_eq!((byte, pages_missing()), (0, before + 1));
    }
}
