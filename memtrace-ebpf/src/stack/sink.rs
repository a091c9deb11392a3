//! Where a walk puts its frames: into a hash, or into a record.

use core::ptr::addr_of_mut;

use memtrace_common::record::{Header, PythonFrame, Stack};

/// Takes frames, innermost first, and why there are no more.
pub trait Sink {
    /// Frame number `index` of the Python stack.
    fn python(&mut self, index: usize, frame: PythonFrame);
    /// Why the Python stack ended: a [`memtrace_common::StackEnd`].
    fn python_end(&mut self, end: u8);
    /// Return address number `index` of the native stack.
    fn native(&mut self, index: usize, address: u64);
    /// Why the native stack ended: a [`memtrace_common::StackEnd`].
    fn native_end(&mut self, end: u8);
}

/// A record in the ring, written in place: lengths and ends too, at once. Kept on the BPF stack until the walk is
/// over, they would differ for each way out of a loop, and the verifier would walk all that follows once for each.
pub struct Frames<const PYTHON: usize, const NATIVE: usize> {
    record: *mut Stack<PYTHON, NATIVE>,
}

impl<const PYTHON: usize, const NATIVE: usize> Frames<PYTHON, NATIVE> {
    /// `record` is reserved ring memory: valid for writes of a whole record, seen by nobody until submitted.
    /// Frames beyond the lengths keep what the ring held before: records of this same run, which only the daemon
    /// reads.
    #[inline(always)]
    pub fn new(record: *mut Stack<PYTHON, NATIVE>, header: Header, stack_id: u64, check: u64) -> Self {
        // SAFETY: see above.
        unsafe {
            addr_of_mut!((*record).header).write(header);
            addr_of_mut!((*record).stack_id).write(stack_id);
            addr_of_mut!((*record).check).write(check);
            addr_of_mut!((*record).python_len).write(0);
            addr_of_mut!((*record).native_len).write(0);
            addr_of_mut!((*record).reserved).write(0);
        }
        Self { record }
    }
}

impl<const PYTHON: usize, const NATIVE: usize> Sink for Frames<PYTHON, NATIVE> {
    #[inline(always)]
    fn python(&mut self, index: usize, frame: PythonFrame) {
        // For the verifier: the walk's own bound does not survive the optimiser.
        let index = core::hint::black_box(index);
        if index >= PYTHON {
            return;
        }
        // SAFETY: see `new`; the index is within the array.
        unsafe {
            addr_of_mut!((*self.record).python[index]).write(frame);
            addr_of_mut!((*self.record).python_len).write_volatile(index as u16 + 1);
        }
    }

    #[inline(always)]
    fn python_end(&mut self, end: u8) {
        // SAFETY: see `new`.
        unsafe { addr_of_mut!((*self.record).python_end).write_volatile(end) }
    }

    #[inline(always)]
    fn native(&mut self, index: usize, address: u64) {
        let index = core::hint::black_box(index);
        if index >= NATIVE {
            return;
        }
        // SAFETY: see `new`; the index is within the array.
        unsafe {
            addr_of_mut!((*self.record).native[index]).write(address);
            addr_of_mut!((*self.record).native_len).write_volatile(index as u16 + 1);
        }
    }

    #[inline(always)]
    fn native_end(&mut self, end: u8) {
        // SAFETY: see `new`.
        unsafe { addr_of_mut!((*self.record).native_end).write_volatile(end) }
    }
}
