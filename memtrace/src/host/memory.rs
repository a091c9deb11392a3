//! A target's memory, read with `process_vm_readv`: no stop, no ptrace attach, nothing left behind.

use memtrace_core::world::{MemoryReader, Unreadable};

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
        let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: length };
        let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length };
        // SAFETY: `local` spans exactly `buffer`, which is borrowed mutably for the call; `remote` is an address in
        // the other process, which the kernel checks.
        let read = unsafe {
            libc::process_vm_readv(self.pid as libc::pid_t, &raw const local, 1, &raw const remote, 1, 0)
        };
        if read == length.cast_signed() { Ok(()) } else { Err(Unreadable { address, length }) }
    }
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
