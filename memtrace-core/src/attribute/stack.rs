//! From a stack of addresses to the frames that make a site.
//!
//! The order is innermost first: native frames, then Python's. Between them stand the interpreter's own frames,
//! which ran the Python ones: they are left out, and so is all native code further out, unless everything is asked
//! for.

use std::sync::Arc;

use memtrace_common::StackEnd;

use super::address_space::{AddressSpace, CodeRange};
use super::names::FunctionNames;
use super::python_code::PythonCode;
use crate::decode::StackView;
use crate::model::FrameRef;
use crate::world::MemoryReader;

/// What a stack came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attributed {
    /// Innermost first.
    pub frames: Arc<[FrameRef]>,
    /// Frames are missing that should be there.
    pub is_truncated: bool,
    /// Addresses of the native stack that are in no code: the frame pointers led astray.
    pub led_astray: bool,
}

/// Attributes a stack. `python` is the process' code when it runs Python; `keeps_internal` keeps the interpreter's
/// own frames.
pub fn attribute(
    stack: &StackView<'_>,
    space: &AddressSpace,
    python: Option<&mut PythonCode>,
    reader: &dyn MemoryReader,
    names: &mut FunctionNames,
    keeps_internal: bool,
) -> Attributed {
    let mut frames = Vec::new();
    let python_frames = python_frames(stack, python, reader, names);
    let stops_at_interpreter = !python_frames.is_empty() && !keeps_internal;
    let led_astray = native_frames(stack, space, stops_at_interpreter, &mut frames);
    let has_python = !python_frames.is_empty();
    frames.extend(python_frames);
    let native_end = if led_astray { StackEnd::NoFramePointer } else { stack.native_end };
    let native_is_short = native_end == StackEnd::NoFramePointer || native_end.is_truncated();
    if !has_python && native_is_short {
        frames.push(FrameRef::Unknown { address: 0, reason: native_end.name() });
    }
    if frames.is_empty() {
        frames.push(FrameRef::Unknown { address: 0, reason: "no_frames" });
    }
    Attributed {
        frames: frames.into(),
        is_truncated: stack.python_end.is_truncated() || (!has_python && native_is_short),
        led_astray,
    }
}

fn python_frames(
    stack: &StackView<'_>,
    python: Option<&mut PythonCode>,
    reader: &dyn MemoryReader,
    names: &mut FunctionNames,
) -> Vec<FrameRef> {
    let Some(python) = python else { return Vec::new() };
    let of_python = stack.python_frames().filter(|frame| frame.code != 0);
    of_python.map(|frame| python.resolve(reader, names, frame)).collect()
}

/// Appends native frames; true when an address was no code.
fn native_frames(
    stack: &StackView<'_>,
    space: &AddressSpace,
    stops_at_interpreter: bool,
    frames: &mut Vec<FrameRef>,
) -> bool {
    for (index, address) in stack.native_addresses().enumerate() {
        // A return address can be the first byte after a call that never returns; the call itself is before it.
        let Some(range) = space.find(address.wrapping_sub(1)) else {
            if index == 0 {
                // Where the allocator returns to is certain, so this is code that is not from a file.
                frames.push(FrameRef::Unknown { address, reason: "not_in_a_file" });
                continue;
            }
            return true;
        };
        if stops_at_interpreter && range.is_interpreter {
            return false;
        }
        frames.push(match range.module {
            CodeRange::NO_MODULE => FrameRef::Unknown { address, reason: "modules_full" },
            module => FrameRef::Native { module, offset: range.offset_of(address.wrapping_sub(1)) },
        });
    }
    false
}

#[cfg(test)]
mod tests;
