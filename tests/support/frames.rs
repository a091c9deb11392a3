//! The walk along a thread's Python frames that the BPF program does, in plain Rust: from the FS base alone, by
//! nothing but the [`PythonTarget`] and the frame layouts of the contract.

use memtrace_common::limits::PYTHON_FRAMES;
use memtrace_common::record::PythonFrame;
use memtrace_common::settings::{PythonTarget, frame_layout};
use memtrace_core::world::{MemoryReader, Unreadable};

/// Owners from here on are not Python's: entry frames on the C stack, the interpreter's own.
const OWNER_NOT_PYTHON: u8 = 3;
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
    let word = |offset: u64| reader.read_u64(address + offset);
    let last_instruction =
        |offset: u64| Ok(i64::from(reader.read_u32(address + offset)?.cast_signed()).cast_unsigned());
    let (code, instruction, previous) = match target.frame_layout {
        frame_layout::OBJECT_LASTI_104 => (word(32)?, last_instruction(104)?, word(24)?),
        frame_layout::OBJECT_LASTI_96 => (word(32)?, last_instruction(96)?, word(24)?),
        frame_layout::INTERPRETER_3_11 => (word(32)?, word(56)?, word(48)?),
        frame_layout::INTERPRETER_3_12 => (word(0)?, word(56)?, word(8)?),
        other => panic!("no frame layout has the number {other}"),
    };
    let mut owner = [0];
    if target.frame_layout == frame_layout::INTERPRETER_3_12 {
        reader.read(address + u64::from(target.frame_owner_offset), &mut owner)?;
    }
    let frame = PythonFrame { code: code & !TAG_BITS, instruction };
    Ok(((owner[0] < OWNER_NOT_PYTHON).then_some(frame), previous))
}
