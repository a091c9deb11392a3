//! Many small ranges of one process' memory in few `process_vm_readv` calls.
//!
//! The kernel stops at the first range that it cannot read whole, so the rest is asked for again from the next range
//! on. Nothing is ever half read: a range is there or it is not.

use std::io;

use memtrace_core::liveness::Range;

use crate::host::process;

/// `IOV_MAX`.
const RANGES_A_CALL: usize = 1024;

/// A range's length at most: pools are 16 KiB.
const LENGTH_MAX: u32 = 64 << 10;

/// The process has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("process {pid} has ended, or its memory may not be read")]
pub struct Gone {
    /// Which.
    pub pid: u32,
}

/// Reads ranges of processes' memory; keeps its buffers between calls.
#[derive(Debug, Default)]
pub struct BatchReader {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

/// Where a range's bytes are in the buffer.
#[derive(Clone, Copy, Debug)]
struct Span {
    address: u64,
    offset: usize,
    length: usize,
    is_read: bool,
}

/// What was read, by the number of the range.
#[derive(Clone, Copy, Debug)]
pub struct Readings<'a> {
    reader: &'a BatchReader,
}

impl<'a> Readings<'a> {
    /// The bytes of the range with this number; `None` when they could not all be read.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let span = self.reader.spans.get(index).filter(|span| span.is_read)?;
        self.reader.bytes.get(span.offset..span.offset + span.length)
    }
}

impl BatchReader {
    /// Reads all that can be read of these ranges.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn read(&mut self, pid: u32, ranges: impl IntoIterator<Item = Range>) -> Result<Readings<'_>, Gone> {
        self.lay_out(ranges);
        let mut thread = pid;
        let mut next = 0;
        while next < self.spans.len() {
            let end = self.spans.len().min(next + RANGES_A_CALL);
            match self.read_some(thread, next, end) {
                Ok(read) => next = self.mark(next, end, read),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EFAULT) => next += 1,
                    Some(libc::ESRCH) if thread == pid && process::live_thread(pid) != pid => {
                        // Only its first thread has ended.
                        thread = process::live_thread(pid);
                    }
                    _ => return Err(Gone { pid }),
                },
            }
        }
        Ok(Readings { reader: self })
    }

    fn lay_out(&mut self, ranges: impl IntoIterator<Item = Range>) {
        self.spans.clear();
        let mut offset = 0;
        for range in ranges {
            let length = range.length.min(LENGTH_MAX) as usize;
            self.spans.push(Span { address: range.address, offset, length, is_read: false });
            offset += length;
        }
        self.bytes.resize(offset, 0);
    }

    /// Marks the ranges that `read` bytes fill; returns the next one to ask for.
    fn mark(&mut self, first: usize, end: usize, read: usize) -> usize {
        let mut left = read;
        for index in first..end {
            let span = &mut self.spans[index];
            if span.length > left {
                // It or what follows it could not be read whole.
                return index + 1;
            }
            left -= span.length;
            span.is_read = true;
        }
        end
    }

    fn read_some(&mut self, thread: u32, first: usize, end: usize) -> io::Result<usize> {
        let (Some(start), Some(last)) = (self.spans.get(first), self.spans[..end].last()) else {
            return Ok(0);
        };
        let bytes = &mut self.bytes[start.offset..last.offset + last.length];
        let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        let remote: Vec<libc::iovec> = self.spans[first..end]
            .iter()
            .map(|span| libc::iovec { iov_base: span.address as *mut libc::c_void, iov_len: span.length })
            .collect();
        // SAFETY: `local` spans exactly `bytes`, which is borrowed mutably for the call; `remote` holds addresses in
        // the other process, which the kernel checks, and at most IOV_MAX of them.
        let read = unsafe {
            libc::process_vm_readv(
                thread as libc::pid_t,
                &raw const local,
                1,
                remote.as_ptr(),
                remote.len() as libc::c_ulong,
                0,
            )
        };
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(bytes: &[u8]) -> Range {
        Range { address: bytes.as_ptr() as u64, length: bytes.len() as u32 }
    }

    #[test]
    fn what_cannot_be_read_takes_nothing_else_with_it() {
        let (one, two) = (*b"one", *b"second");
        let nowhere = Range { address: 8, length: 16 };
        let outside = Range { address: u64::MAX - 3, length: 16 };
        let ranges = [nowhere, here(&one), nowhere, outside, here(&two), nowhere];
        let mut reader = BatchReader::default();
        let readings = reader.read(std::process::id(), ranges).unwrap();
        let read: Vec<_> = (0..7).map(|index| readings.get(index)).collect();
        assert_eq!(read, [None, Some(&one[..]), None, None, Some(&two[..]), None, None]);
    }

    #[test]
    fn more_ranges_than_one_call_takes_are_read() {
        let numbers: Vec<u64> = (0..5000).collect();
        let ranges = numbers.iter().map(|number| Range { address: &raw const *number as u64, length: 8 });
        let mut reader = BatchReader::default();
        let readings = reader.read(std::process::id(), ranges).unwrap();
        for number in &numbers {
            assert_eq!(readings.get(*number as usize), Some(&number.to_le_bytes()[..]));
        }
    }

    #[test]
    fn a_process_that_does_not_exist_is_gone() {
        // Pids end at 2^22 (PID_MAX_LIMIT).
        let pid = 1 << 22;
        let error = BatchReader::default().read(pid, [Range { address: 4096, length: 8 }]).unwrap_err();
        assert_eq!(error, Gone { pid });
    }
}
