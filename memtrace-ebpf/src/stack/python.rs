//! The Python stack, frame by frame as the interpreter links them.
//!
//! Safe without the GIL: only the thread itself pushes and pops its frames, and it is in the probe. Layouts and
//! offsets per version are the daemon's to know; one read of fixed size fetches all of a frame that is needed.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_task, bpf_probe_read_kernel, generated::bpf_probe_read_user};
use memtrace_common::{
    StackEnd,
    limits::PYTHON_FRAMES,
    record::PythonFrame,
    settings::{FrameWindow, PythonTarget, Settings},
};

use super::sink::Sink;
use crate::{
    pending::{Returned, Thread},
    user_memory::{is_pointer, read},
};

/// Tag bits of a `_PyStackRef`, set in `f_executable` from 3.14 on; code objects are 16-byte aligned before.
const TAG_BITS: u64 = 3;

/// Finds the current thread's innermost frame and leaves it, or why there is none, in `returned`.
#[inline(always)]
pub fn start(python: Option<&PythonTarget>, settings: &Settings, returned: &mut Returned) {
    returned.python_frame = 0;
    let found = python.ok_or(StackEnd::Absent).and_then(|python| innermost(python, settings));
    match found {
        Ok(frame) => returned.python_frame = frame,
        Err(end) => returned.python_end = end as u8,
    }
}

/// Address of the current thread's innermost frame; 0 when it runs none.
#[inline(always)]
fn innermost(python: &PythonTarget, settings: &Settings) -> Result<u64, StackEnd> {
    let state = thread_state(python, settings)?;
    let frame = read::<u64>(state + u64::from(python.frame_offset)).ok_or(StackEnd::ReadFault)?;
    let frame = if python.cframe_offset == u16::MAX {
        frame
    } else {
        read::<u64>(frame.wrapping_add(u64::from(python.cframe_offset))).ok_or(StackEnd::ReadFault)?
    };
    if frame == 0 { Err(StackEnd::Complete) } else { Ok(frame) }
}

/// The thread state is what `PyGILState_GetThisThreadState` returns: a thread-specific value, there whether or not
/// the thread holds the GIL.
#[inline(always)]
fn thread_state(python: &PythonTarget, settings: &Settings) -> Result<u64, StackEnd> {
    if settings.fs_base_offset == 0 {
        return Err(StackEnd::NoThreadState);
    }
    // SAFETY: the helper returns the current task's address as an integer.
    let task = unsafe { bpf_get_current_task() };
    // SAFETY: the helper fails on a bad kernel address; the offset was found by `find_fs_base`.
    let fs_base = unsafe { bpf_probe_read_kernel((task + u64::from(settings.fs_base_offset)) as *const u64) }
        .map_err(|_| StackEnd::ReadFault)?;
    let mut slot = fs_base.wrapping_add(u64::from(python.thread_state_offset));
    if python.thread_state_indirect != 0 {
        let values = read::<u64>(slot).ok_or(StackEnd::ReadFault)?;
        slot = values.wrapping_add(u64::from(python.thread_state_index_offset));
    }
    let state = read::<u64>(slot).ok_or(StackEnd::ReadFault)?;
    if state == 0 {
        return Err(StackEnd::NoThreadState);
    }
    if is_pointer(state) { Ok(state) } else { Err(StackEnd::BadPointer) }
}

/// Walks outwards from the frame that [`start`] found.
#[inline(always)]
pub fn walk<S: Sink>(python: &PythonTarget, thread: &mut Thread, sink: &mut S) {
    if thread.returned.python_frame == 0 {
        sink.python_end(thread.returned.python_end);
        return;
    }
    let end = climb(&python.window, thread, sink);
    sink.python_end(end as u8);
}

#[inline(always)]
fn climb<S: Sink>(layout: &FrameWindow, thread: &mut Thread, sink: &mut S) -> StackEnd {
    let mut address = thread.returned.python_frame;
    for index in 0..PYTHON_FRAMES {
        if address == 0 {
            return StackEnd::Complete;
        }
        if !is_pointer(address) {
            return StackEnd::BadPointer;
        }
        let window = &mut thread.window;
        if !read_window(address + u64::from(layout.start), layout.bytes, window) {
            return StackEnd::ReadFault;
        }
        // The interpreter's own frames have code 0, and the daemon drops them. Dropping them here would take a
        // second counter in the loop, and the verifier walks every pair of values of two counters.
        let is_internal = u16::from(byte(window, layout.owner)) >= layout.first_internal_owner;
        let code = if is_internal { 0 } else { word(window, layout.code) & !TAG_BITS };
        let instruction = if is_internal { 0 } else { word(window, layout.instruction) };
        sink.python(index, PythonFrame { code, instruction: instruction & layout.instruction_mask });
        address = word(window, layout.outer);
    }
    if address == 0 { StackEnd::Complete } else { StackEnd::Truncated }
}

#[inline(always)]
fn read_window(address: u64, bytes: u8, window: &mut [u64; FrameWindow::BYTES_MAX / 8]) -> bool {
    let bytes = core::hint::black_box(u32::from(bytes));
    if bytes > FrameWindow::BYTES_MAX as u32 {
        return false;
    }
    // SAFETY: the helper writes at most as many bytes as the window has, and fails on unmapped or absent pages.
    unsafe { bpf_probe_read_user(window.as_mut_ptr().cast(), bytes, address as *const c_void) == 0 }
}

/// The word at a byte offset, which the daemon chose; the check is for the verifier.
#[inline(always)]
fn word(window: &[u64; FrameWindow::BYTES_MAX / 8], offset: u8) -> u64 {
    let index = core::hint::black_box(usize::from(offset / 8));
    if index >= window.len() {
        return 0;
    }
    window[index]
}

#[inline(always)]
fn byte(window: &[u64; FrameWindow::BYTES_MAX / 8], offset: u8) -> u8 {
    (word(window, offset) >> (u32::from(offset & 7) * 8)) as u8
}
