//! The walk along a thread's Python frames that the BPF program does, in plain Rust: from the FS base alone, by
//! nothing but the [`PythonTarget`] and the frame layouts of the contract.

use memtrace_common::limits::PYTHON_FRAMES;
use memtrace_common::record::PythonFrame;
use memtrace_common::settings::PythonTarget;
use memtrace_core::world::{MemoryReader, Unreadable};

const TAG_BITS: u64 = 3;

/// The frames of the thread, innermost first.
pub(crate) fn walk(
    reader: &dyn MemoryReader,
    target: &PythonTarget,
    fs_base: u64,
) -> Result<Vec<PythonFrame>, Unreadable> {
    let mut frames = Vec::new();
    let mut address = innermost(reader, target, fs_base)?;
    while address != 0 && frames.len() < PYTHON_FRAMES {
        let (frame, previous) = read_frame(reader, target, address)?;
        frames.extend(frame);
        address = previous;
    }
    Ok(frames)
}

fn innermost(reader: &dyn MemoryReader, target: &PythonTarget, fs_base: u64) -> Result<u64, Unreadable> {
    let mut state = reader.read_u64(fs_base + u64::from(target.thread_state_offset))?;
    if target.thread_state_indirect == 1 {
        state = reader.read_u64(state + u64::from(target.thread_state_index_offset))?;
    }
    let frame = reader.read_u64(state + u64::from(target.frame_offset))?;
    if target.cframe_offset == u16::MAX {
        return Ok(frame);
    }
    reader.read_u64(frame + u64::from(target.cframe_offset))
}

/// The frame at an address, unless it is not Python's, and the address of the next outer one.
fn read_frame(
    reader: &dyn MemoryReader,
    target: &PythonTarget,
    address: u64,
) -> Result<(Option<PythonFrame>, u64), Unreadable> {
    let layout = &target.window;
    let mut window = vec![0; usize::from(layout.bytes)];
    reader.read(address + u64::from(layout.start), &mut window)?;
    let word = |offset: u8| {
        let at = usize::from(offset);
        u64::from_le_bytes(window[at..at + 8].try_into().unwrap())
    };
    let instruction = word(layout.instruction) & layout.instruction_mask;
    let frame = PythonFrame { code: word(layout.code) & !TAG_BITS, instruction };
    let is_python = u16::from(window[usize::from(layout.owner)]) < layout.first_internal_owner;
    Ok((is_python.then_some(frame), word(layout.outer)))
}
