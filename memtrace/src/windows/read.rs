//! What the session wants read of a target while it is armed.
//!
//! In: ranges, chosen by the session from addresses that a target handed out. Out: for each its bytes, or `None` when they
//! cannot all be read. Invariant: the order is that of the question.

use memtrace_core::liveness::Range;

use super::message::MemoryRange;
use crate::liveness::BatchReader;

/// Reads all of them.
pub(super) fn all(pid: u32, ranges: &[MemoryRange]) -> Vec<Option<Vec<u8>>> {
    let mut reader = BatchReader::default();
    let asked = ranges.iter().map(|range| Range { address: range.address, length: range.bytes });
    match reader.read(pid, asked) {
        Ok(readings) => (0..ranges.len()).map(|index| readings.get(index).map(<[u8]>::to_vec)).collect(),
        Err(_gone) => vec![None; ranges.len()],
    }
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
        let memory = all(std::process::id(), &ranges);
        assert_eq!(memory.len(), ranges.len());
        for (index, (bytes, value)) in memory.iter().zip(&values).enumerate() {
            let is_bad = [0, 1, 700, 1023, 1024, 2999].contains(&index);
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
}
