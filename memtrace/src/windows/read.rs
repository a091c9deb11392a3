//! Many small reads of a target's memory, in few system calls.
//!
//! In: ranges, chosen by the session from addresses that a target handed out. Out: for each its bytes, or `None`. It
//! refuses ranges that are too long or too many: they are `None`. Invariant: the order is that of the question.

use std::io;

use super::message::MemoryRange;
use crate::host::process;

/// `UIO_MAXIOV`, include/uapi/linux/uio.h.
const RANGES_PER_CALL: usize = 1024;
/// Ranges read at a time: the target is armed meanwhile, and 1,024 take about a millisecond.
const RANGES_MAX: usize = 16 * 1024;
/// Longest range: a block's beginning and what is around it, not the block.
const RANGE_BYTES_MAX: u32 = 4096;

/// Reads all of them.
pub(super) fn all(pid: u32, ranges: &[MemoryRange]) -> Vec<Option<Vec<u8>>> {
    let thread = process::live_thread(pid);
    let mut memory = Vec::with_capacity(ranges.len());
    for batch in ranges[..ranges.len().min(RANGES_MAX)].chunks(RANGES_PER_CALL) {
        read_batch(thread, batch, &mut memory);
    }
    memory.resize(ranges.len(), None);
    memory
}

/// The kernel stops at the first range that it cannot read: that one is left out, and the rest asked for anew.
fn read_batch(thread: u32, batch: &[MemoryRange], memory: &mut Vec<Option<Vec<u8>>>) {
    let mut rest = batch;
    while !rest.is_empty() {
        let askable = rest.iter().take_while(|range| (1..=RANGE_BYTES_MAX).contains(&range.bytes)).count();
        if askable == 0 {
            memory.push(None);
            rest = &rest[1..];
            continue;
        }
        let asked = &rest[..askable];
        let mut buffer = vec![0; asked.iter().map(|range| range.bytes as usize).sum()];
        let read = read(thread, asked, &mut buffer);
        if read.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH)) {
            memory.resize(memory.len() + rest.len(), None);
            return;
        }
        let mut bytes = &buffer[..read.unwrap_or(0).min(buffer.len())];
        let mut answered = 0;
        while let Some(range) = asked.get(answered)
            && let Some((whole, others)) = bytes.split_at_checked(range.bytes as usize)
        {
            memory.push(Some(whole.to_vec()));
            bytes = others;
            answered += 1;
        }
        if answered < asked.len() {
            memory.push(None);
            answered += 1;
        }
        rest = &rest[answered..];
    }
}

fn read(thread: u32, ranges: &[MemoryRange], buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote: Vec<libc::iovec> = ranges
        .iter()
        .map(|range| libc::iovec {
            iov_base: range.address as *mut libc::c_void,
            iov_len: range.bytes as usize,
        })
        .collect();
    // SAFETY: `local` spans exactly `buffer`, which is borrowed mutably for the call; `remote` are addresses in the
    // other process, which the kernel checks, and its length is that of the vector.
    let read = unsafe {
        libc::process_vm_readv(
            thread.cast_signed(),
            &raw const local,
            1,
            remote.as_ptr(),
            remote.len() as libc::c_ulong,
            0,
        )
    };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_ranges_leave_the_others_readable() {
        let values: Vec<u64> = (0..3000).collect();
        let range = |value: &u64| MemoryRange { address: std::ptr::from_ref(value) as u64, bytes: 8 };
        let mut ranges: Vec<MemoryRange> = values.iter().map(range).collect();
        for bad in [0, 1, 700, 1023, 1024, 2999] {
            ranges[bad].address = 8;
        }
        ranges[5].bytes = 0;
        ranges[6].bytes = RANGE_BYTES_MAX + 1;
        let memory = all(std::process::id(), &ranges);
        assert_eq!(memory.len(), ranges.len());
        for (index, (bytes, value)) in memory.iter().zip(&values).enumerate() {
            let is_bad = [0, 1, 5, 6, 700, 1023, 1024, 2999].contains(&index);
            let expected = (!is_bad).then(|| value.to_ne_bytes().to_vec());
            assert_eq!(*bytes, expected, "{index}");
        }
    }

    #[test]
    fn a_range_that_is_readable_in_part_is_not_read() {
        // The last mapped bytes below an unmapped page: a range across that border.
        let page = rustix::param::page_size();
        // SAFETY: a new anonymous mapping of two pages, used only through its address here.
        let mapping = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                2 * page,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(mapping, libc::MAP_FAILED);
        let border = mapping as u64 + page as u64;
        // SAFETY: the second page of the mapping above.
        assert_eq!(unsafe { libc::munmap(border as *mut libc::c_void, page) }, 0);
        let ranges = [
            MemoryRange { address: border - 16, bytes: 32 },
            MemoryRange { address: border - 16, bytes: 16 },
        ];
        assert_eq!(all(std::process::id(), &ranges), [None, Some(vec![0; 16])]);
    }

    #[test]
    fn a_process_that_is_gone_has_no_memory() {
        // Pids end at 2^22 (PID_MAX_LIMIT).
        assert_eq!(all(1 << 22, &[MemoryRange { address: 4096, bytes: 8 }; 3]), [None, None, None]);
    }

    #[test]
    fn too_many_ranges_are_answered_and_not_read() {
        let value = 7_u64;
        let range = MemoryRange { address: &raw const value as u64, bytes: 8 };
        let memory = all(std::process::id(), &vec![range; RANGES_MAX + 2]);
        assert_eq!(memory.len(), RANGES_MAX + 2);
        assert!(memory[RANGES_MAX - 1].is_some() && memory[RANGES_MAX].is_none());
    }
}
