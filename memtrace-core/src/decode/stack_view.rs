//! A stack, still in the ring.

use memtrace_common::StackEnd;
use memtrace_common::record::PythonFrame;

/// A stack record, borrowed. Its frames are read as they are iterated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackView<'a> {
    /// The daemon's number for the process.
    pub target: u32,
    /// The thread whose call sent it. Others may share the stack.
    pub thread: u32,
    /// Hash over the frames; never 0.
    pub stack_id: u64,
    /// A second hash over the same frames.
    pub check: u64,
    /// Why the walk along the Python frames ended.
    pub python_end: StackEnd,
    /// Why the walk along the native frames ended.
    pub native_end: StackEnd,
    pub(super) python: &'a [u8],
    pub(super) native: &'a [u8],
}

impl<'a> StackView<'a> {
    /// Python frames, innermost first.
    pub fn python_frames(&self) -> impl ExactSizeIterator<Item = PythonFrame> + use<'a> {
        let (frames, _) = self.python.as_chunks::<16>();
        frames.iter().map(|frame| PythonFrame {
            code: word(frame, core::mem::offset_of!(PythonFrame, code)),
            instruction: word(frame, core::mem::offset_of!(PythonFrame, instruction)),
        })
    }

    /// Return addresses, innermost first.
    pub fn native_addresses(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        let (addresses, _) = self.native.as_chunks::<8>();
        addresses.iter().map(|&address| u64::from_le_bytes(address))
    }

    /// True when frames are missing that should be there.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.python_end.is_truncated() || self.native_end.is_truncated()
    }
}

fn word(frame: &[u8; 16], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&frame[offset..offset + 8]);
    u64::from_le_bytes(bytes)
}
