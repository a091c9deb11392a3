//! The offsets of 3.8 to 3.12, which carry no table of their own.
//!
//! Taken from debug information with `gdb -ex 'ptype /o PyThreadState'` and the like (3.8.18, 3.9.18, 3.10.13, 3.11.7,
//! 3.12.1), and read back from running interpreters by `tests/suite/python_memory.rs`. CPython keeps these structures
//! within a minor version.

use memtrace_common::settings::FrameWindow;

use super::{CodeOffsets, Instructions, Offsets, RuntimeOffsets, ThreadOffsets};
use crate::attribute::python::version::PythonVersion;

/// The offsets of a version that this table has.
pub(super) const fn of(version: PythonVersion) -> Option<Offsets> {
    match version.minor {
        8 => Some(PYTHON_3_8),
        9 => Some(PYTHON_3_9),
        10 => Some(PYTHON_3_10),
        11 => Some(PYTHON_3_11),
        12 => Some(PYTHON_3_12),
        _ => None,
    }
}

const PYTHON_3_8: Offsets = Offsets {
    runtime: RuntimeOffsets { interpreters_head: 32, thread_key: 1392, interpreter_next: 0, threads_head: 8 },
    thread: ThreadOffsets { next: 8, thread_id: 176, native_thread_id: None, frame: 24, cframe: None },
    frame: FrameWindow::frame_object(104),
    code: CodeOffsets {
        first_line: 40,
        file: 104,
        function: 112,
        line_table: 120,
        instructions: Instructions::Bytes(48),
        version: None,
    },
    ascii_text: 48,
    compact_text: 72,
};

const PYTHON_3_9: Offsets =
    Offsets { runtime: RuntimeOffsets { thread_key: 584, ..PYTHON_3_8.runtime }, ..PYTHON_3_8 };

const PYTHON_3_10: Offsets = Offsets { frame: FrameWindow::frame_object(96), ..PYTHON_3_9 };

const PYTHON_3_11: Offsets = Offsets {
    runtime: RuntimeOffsets { interpreters_head: 40, thread_key: 592, interpreter_next: 0, threads_head: 16 },
    thread: ThreadOffsets {
        next: 8,
        thread_id: 152,
        native_thread_id: Some(160),
        frame: 56,
        cframe: Some(8),
    },
    frame: FrameWindow::interpreter_3_11(),
    code: CodeOffsets {
        first_line: 72,
        file: 112,
        function: 128,
        line_table: 136,
        instructions: Instructions::Inline(184),
        version: None,
    },
    ascii_text: 48,
    compact_text: 72,
};

const PYTHON_3_12: Offsets = Offsets {
    runtime: RuntimeOffsets {
        interpreters_head: 40,
        thread_key: 1544,
        interpreter_next: 0,
        threads_head: 72,
    },
    thread: ThreadOffsets {
        next: 8,
        thread_id: 136,
        native_thread_id: Some(144),
        frame: 56,
        cframe: Some(0),
    },
    frame: FrameWindow::interpreter_3_12(70),
    code: CodeOffsets {
        first_line: 68,
        instructions: Instructions::Inline(192),
        version: Some(92),
        ..PYTHON_3_11.code
    },
    ascii_text: 40,
    compact_text: 56,
};
