//! The way back: events as the bytes that the kernel side would have written.
//!
//! For recorded streams, benchmarks and tests; the daemon never writes a record.

use core::mem::offset_of;

use memtrace_common::StackEnd;
use memtrace_common::limits::{NATIVE_FRAMES, PYTHON_FRAMES, SHORT_NATIVE_FRAMES, SHORT_PYTHON_FRAMES};
use memtrace_common::record::{self, Header, PythonFrame, RecordKind, flags};

use super::{Event, Free, Origin, StackView};

/// A stack to be encoded.
#[derive(Clone, Copy, Debug)]
pub struct StackParts<'a> {
    /// The daemon's number for the process.
    pub target: u32,
    /// The thread that sends it.
    pub thread: u32,
    /// Its id.
    pub stack_id: u64,
    /// Its second hash.
    pub check: u64,
    /// Python frames, innermost first; those beyond the record's room are left out.
    pub python: &'a [PythonFrame],
    /// Why they end.
    pub python_end: StackEnd,
    /// Return addresses, innermost first; those beyond the record's room are left out.
    pub native: &'a [u64],
    /// Why they end.
    pub native_end: StackEnd,
}

/// The record that decodes to `event`.
#[must_use]
pub fn encode(event: &Event<'_>) -> Vec<u8> {
    match *event {
        Event::Allocated(allocation) => {
            let mut out = memory(RecordKind::Allocated, size_of::<record::Allocated>(), allocation.origin);
            out.put(offset_of!(Header, flags), &rarity_bits(allocation.rarity_log2).to_le_bytes());
            out.put(offset_of!(record::Allocated, address), &allocation.address.to_le_bytes());
            out.put(offset_of!(record::Allocated, size_bytes), &allocation.size_bytes.to_le_bytes());
            out.put(offset_of!(record::Allocated, stack_id), &allocation.stack_id.to_le_bytes());
            out.put(offset_of!(record::Allocated, time_ns), &allocation.time_ns.to_le_bytes());
            out.0
        }
        Event::Freed(free) => address(RecordKind::Freed, free),
        Event::HandedOut(handed_out) => address(RecordKind::HandedOut, handed_out),
        Event::OverAllowance { target, window, entries } => {
            let mut out = header(RecordKind::OverAllowance, size_of::<record::OverAllowance>(), target, 0);
            out.put(offset_of!(Header, window), &window.to_le_bytes());
            out.put(offset_of!(record::OverAllowance, entries), &entries.to_le_bytes());
            out.0
        }
        Event::ReallocBegun(begin) => {
            let mut out = memory(RecordKind::ReallocBegun, size_of::<record::ReallocBegun>(), begin.origin);
            out.put(offset_of!(record::ReallocBegun, address), &begin.address.to_le_bytes());
            out.0
        }
        Event::ReallocEnded(end) => {
            let mut out = memory(RecordKind::ReallocEnded, size_of::<record::ReallocEnded>(), end.origin);
            let bits = rarity_bits(end.rarity_log2)
                | if end.new_block_is_libc { flags::NEW_BLOCK_IS_LIBC } else { 0 }
                | if end.is_unsampled { flags::UNSAMPLED } else { 0 };
            out.put(offset_of!(Header, flags), &bits.to_le_bytes());
            out.put(offset_of!(record::ReallocEnded, old_address), &end.old_address.to_le_bytes());
            out.put(offset_of!(record::ReallocEnded, new_address), &end.new_address.to_le_bytes());
            out.put(offset_of!(record::ReallocEnded, size_bytes), &end.size_bytes.to_le_bytes());
            out.put(offset_of!(record::ReallocEnded, stack_id), &end.stack_id.to_le_bytes());
            out.put(offset_of!(record::ReallocEnded, time_ns), &end.time_ns.to_le_bytes());
            out.0
        }
        Event::Stack(view) => encode_view(&view),
        Event::Forked { target, parent, process, shares_memory, comm } => {
            let mut out = lifecycle(RecordKind::Forked, target, process, comm);
            let bits = if shares_memory { flags::SHARES_MEMORY } else { 0 };
            out.put(offset_of!(Header, flags), &bits.to_le_bytes());
            out.put(offset_of!(record::Lifecycle, parent), &parent.to_le_bytes());
            out.0
        }
        Event::Executed { target, process, by_other_thread, comm } => {
            let mut out = lifecycle(RecordKind::Executed, target, process, comm);
            let bits = if by_other_thread { flags::BY_OTHER_THREAD } else { 0 };
            out.put(offset_of!(Header, flags), &bits.to_le_bytes());
            out.0
        }
        Event::Exited { target, process, thread } => {
            let mut out = lifecycle(RecordKind::Exited, target, process, &[]);
            out.put(offset_of!(Header, thread), &thread.to_le_bytes());
            out.0
        }
        Event::Renamed { target, task, comm } => lifecycle(RecordKind::Renamed, target, task, comm).0,
    }
}

/// The record of a stack, as short as the kernel side would make it.
#[must_use]
pub fn encode_stack(parts: &StackParts<'_>) -> Vec<u8> {
    use record::Stack as Layout;
    let python = &parts.python[..parts.python.len().min(PYTHON_FRAMES)];
    let native = &parts.native[..parts.native.len().min(NATIVE_FRAMES)];
    let is_short = python.len() <= SHORT_PYTHON_FRAMES && native.len() <= SHORT_NATIVE_FRAMES;
    let (length_bytes, python_room) = if is_short {
        (size_of::<record::ShortStack>(), SHORT_PYTHON_FRAMES)
    } else {
        (size_of::<Layout>(), PYTHON_FRAMES)
    };
    let mut out = header(RecordKind::Stack, length_bytes, parts.target, parts.thread);
    out.put(offset_of!(Layout, stack_id), &parts.stack_id.to_le_bytes());
    out.put(offset_of!(Layout, check), &parts.check.to_le_bytes());
    out.put(offset_of!(Layout, python_len), &(python.len() as u16).to_le_bytes());
    out.put(offset_of!(Layout, native_len), &(native.len() as u16).to_le_bytes());
    out.put(offset_of!(Layout, python_end), &[parts.python_end as u8]);
    out.put(offset_of!(Layout, native_end), &[parts.native_end as u8]);
    for (index, frame) in python.iter().enumerate() {
        let at = offset_of!(Layout, python) + index * size_of::<PythonFrame>();
        out.put(at + offset_of!(PythonFrame, code), &frame.code.to_le_bytes());
        out.put(at + offset_of!(PythonFrame, instruction), &frame.instruction.to_le_bytes());
    }
    let natives = offset_of!(Layout, python) + python_room * size_of::<PythonFrame>();
    for (index, address) in native.iter().enumerate() {
        out.put(natives + index * 8, &address.to_le_bytes());
    }
    out.0
}

fn encode_view(view: &StackView<'_>) -> Vec<u8> {
    let python: Vec<_> = view.python_frames().collect();
    let native: Vec<_> = view.native_addresses().collect();
    encode_stack(&StackParts {
        target: view.target,
        thread: view.thread,
        stack_id: view.stack_id,
        check: view.check,
        python: &python,
        python_end: view.python_end,
        native: &native,
        native_end: view.native_end,
    })
}

struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, offset: usize, value: &[u8]) {
        self.0[offset..offset + value.len()].copy_from_slice(value);
    }
}

fn header(kind: RecordKind, length_bytes: usize, target: u32, thread: u32) -> Writer {
    let mut out = Writer(vec![0; length_bytes]);
    out.put(offset_of!(Header, kind), &[kind as u8]);
    out.put(offset_of!(Header, target), &target.to_le_bytes());
    out.put(offset_of!(Header, thread), &thread.to_le_bytes());
    out
}

fn memory(kind: RecordKind, length_bytes: usize, origin: Origin) -> Writer {
    let mut out = header(kind, length_bytes, origin.target, origin.thread);
    out.put(offset_of!(Header, domain), &[origin.domain as u8]);
    out.put(offset_of!(Header, window), &origin.window.to_le_bytes());
    out
}

fn address(kind: RecordKind, free: Free) -> Vec<u8> {
    let mut out = memory(kind, size_of::<record::Freed>(), free.origin);
    out.put(offset_of!(record::Freed, address), &free.address.to_le_bytes());
    out.0
}

fn rarity_bits(rarity_log2: u8) -> u16 {
    u16::from(rarity_log2) << flags::RARITY_SHIFT
}

fn lifecycle(kind: RecordKind, target: u32, process: u32, comm: &[u8]) -> Writer {
    let mut out = header(kind, size_of::<record::Lifecycle>(), target, 0);
    out.put(offset_of!(record::Lifecycle, process), &process.to_le_bytes());
    out.put(offset_of!(record::Lifecycle, comm), &comm[..comm.len().min(16)]);
    out
}
