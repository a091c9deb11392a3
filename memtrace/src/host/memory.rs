//! A target's memory, read with `process_vm_readv`: no stop, no ptrace attach, nothing left behind.

use std::io;

use memtrace_core::world::{MemoryReader, Unreadable};

use super::process;

/// Reads the memory of one process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessMemory {
    pid: u32,
}

impl ProcessMemory {
    /// Of this process; it need not exist any more, reads then fail.
    #[must_use]
    pub const fn new(pid: u32) -> Self {
        Self { pid }
    }
}

impl MemoryReader for ProcessMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let length = buffer.len();
        let mut result = read_by(self.pid, address, buffer);
        if result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH)) {
            // It has ended, or only its first thread has.
            let thread = process::live_thread(self.pid);
            if thread != self.pid {
                result = read_by(thread, address, buffer);
            }
        }
        if result.is_ok_and(|read| read == length) { Ok(()) } else { Err(Unreadable { address, length }) }
    }
}

/// Reads the memory of the process that a thread belongs to; returns how many bytes were read.
fn read_by(thread: u32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: buffer.len() };
    // SAFETY: `local` spans exactly `buffer`, which is borrowed mutably for the call; `remote` is an address in the
    // other process, which the kernel checks.
    let read = unsafe {
        libc::process_vm_readv(thread as libc::pid_t, &raw const local, 1, &raw const remote, 1, 0)
    };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_reads_its_own_memory() {
        let here = 0x1122_3344_5566_7788_u64;
        let memory = ProcessMemory::new(std::process::id());
        assert_eq!(memory.read_u64(&raw const here as u64), Ok(here));
    }

    #[test]
    fn an_unmapped_address_is_an_error() {
        let memory = ProcessMemory::new(std::process::id());
        assert_eq!(memory.read_u64(8), Err(Unreadable { address: 8, length: 8 }));
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        // Pids end at 2^22 (PID_MAX_LIMIT).
        assert!(ProcessMemory::new(1 << 22).read_u64(4096).is_err());
    }
}
