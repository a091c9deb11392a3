//! `_Py_DebugOffsets`, the table at the start of `_PyRuntime` from 3.13 on
//! (Include/internal/pycore_debug_offsets.h; in 3.13 pycore_runtime.h).
//!
//! In: the table's bytes. Out: [`Offsets`]. It refuses a table without the cookie, of another version, of a
//! free-threaded build, with an offset outside its structure, or with a frame that the BPF program cannot walk.
//!
//! Invariant: an offset in a thread state, frame or code object is under 64 KiB, one in the runtime or an interpreter
//! under 1 MiB. The structures are smaller (3.13: 304 bytes, 88 bytes, 208 bytes, 277 KiB), so a larger number is forged.

use memtrace_common::settings::FrameWindow;

use super::{CodeOffsets, Instructions, Offsets, RuntimeOffsets, ThreadOffsets};
use crate::attribute::python::error::{DEBUG_COOKIE, PythonError};
use crate::attribute::python::object::{
    BYTES_DATA, OBJECT_SIZE, OBJECT_TYPE, STRING_LENGTH, STRING_STATE, TYPE_FLAGS, TYPE_NAME,
};
use crate::attribute::python::version::{PythonVersion, VersionError};
use crate::world::MemoryReader;

const COOKIE: &[u8; 8] = b"xdebugpy";

/// Bytes read of the table: all that is used of it lies in this many (3.13 has 584, 3.14 has 760).
pub const TABLE_BYTES: usize = 648;

const RUNTIME_OFFSET_MAX: u64 = 1 << 20;
const OBJECT_OFFSET_MAX: u64 = u16::MAX as u64;

/// Where in the table the numbers stand that move between versions; the others are relative to the start of their
/// structure's part, in the order of the C declaration.
struct Parts {
    interpreter: usize,
    threads_head: usize,
    thread: usize,
    frame: usize,
    code: usize,
    object: usize,
    type_object: usize,
    bytes: usize,
    string: usize,
    /// Not in the table: `_PyRuntime.autoTSSkey`, the same in 3.13.0 and 3.13.18, and in 3.14.10.
    thread_key: u32,
    /// Not in the table: `PyCodeObject.co_version`.
    code_version: u16,
}

const PARTS_3_13: Parts = Parts {
    interpreter: 48,
    threads_head: 72,
    thread: 152,
    frame: 224,
    code: 272,
    object: 352,
    type_object: 368,
    bytes: 512,
    string: 536,
    thread_key: 2160,
    code_version: 92,
};

/// 3.14 adds `threads_main`, `code_object_generation` and `tlbc_generation` to the interpreter, `stackpointer` and
/// `tlbc_index` to the frame, `co_tlbc` to the code object, and sets.
const PARTS_3_14: Parts = Parts {
    interpreter: 48,
    threads_head: 72,
    thread: 176,
    frame: 248,
    code: 312,
    object: 400,
    type_object: 416,
    bytes: 592,
    string: 616,
    thread_key: 2336,
    code_version: 92,
};

/// Reads and checks the table.
pub(super) fn read(
    reader: &dyn MemoryReader,
    runtime_address: u64,
    version: PythonVersion,
) -> Result<Offsets, PythonError> {
    let mut bytes = [0; TABLE_BYTES];
    // A 3.13 table is shorter, but `_PyRuntime` goes on behind it.
    reader.read(runtime_address, &mut bytes)?;
    parse(&bytes, version)
}

/// Checks the table's bytes.
///
/// # Errors
/// [`PythonError::BadDebugOffsets`] naming the first number that does not fit, and [`PythonError::Version`] when the
/// interpreter says that it is another one than `version`.
pub fn parse(bytes: &[u8; TABLE_BYTES], version: PythonVersion) -> Result<Offsets, PythonError> {
    let parts = match version.minor {
        13 => &PARTS_3_13,
        14 => &PARTS_3_14,
        _ => return Err(VersionError::Unsupported { major: version.major, minor: version.minor }.into()),
    };
    let table = Table { bytes };
    table.check_header(version)?;
    table.check_constants(parts)?;
    Ok(Offsets {
        runtime: table.runtime(parts)?,
        thread: table.thread(parts.thread)?,
        frame: table.frame(parts.frame)?,
        code: table.code(parts)?,
        ascii_text: table.ascii_text(parts.string)?,
        compact_text: table.ascii_text(parts.string)? + 16, // and `utf8_length`, `utf8`
    })
}

struct Table<'bytes> {
    bytes: &'bytes [u8; TABLE_BYTES],
}

impl Table<'_> {
    fn number(&self, at: usize) -> u64 {
        let mut number = [0; 8];
        if let Some(bytes) = self.bytes.get(at..at + 8) {
            number.copy_from_slice(bytes);
        }
        u64::from_le_bytes(number)
    }

    /// A number below the size of its structure and below the cap, so that a field of `bytes` fits.
    fn offset(&self, at: usize, field: &'static str, size: u64, bytes: u64) -> Result<u16, PythonError> {
        let offset = self.number(at);
        let fits = offset.checked_add(bytes).is_some_and(|end| end <= size);
        match u16::try_from(offset) {
            Ok(offset) if fits => Ok(offset),
            _ => Err(PythonError::BadDebugOffsets { field }),
        }
    }

    fn size(&self, at: usize, field: &'static str, max: u64) -> Result<u64, PythonError> {
        let size = self.number(at);
        if size == 0 || size > max { Err(PythonError::BadDebugOffsets { field }) } else { Ok(size) }
    }

    fn check_header(&self, version: PythonVersion) -> Result<(), PythonError> {
        if !self.bytes.starts_with(COOKIE) {
            return Err(PythonError::BadDebugOffsets { field: DEBUG_COOKIE });
        }
        let hex =
            u32::try_from(self.number(8)).map_err(|_| PythonError::BadDebugOffsets { field: "version" })?;
        if PythonVersion::from_hex(hex)? != version {
            return Err(VersionError::Contradictory.into());
        }
        match self.number(16) {
            0 => Ok(()),
            1 => Err(VersionError::FreeThreaded(version).into()),
            _ => Err(PythonError::BadDebugOffsets { field: "free_threaded" }),
        }
    }

    /// What the rest of this module takes as given must be what the interpreter says.
    fn check_constants(&self, parts: &Parts) -> Result<(), PythonError> {
        for (at, expected, field) in [
            (parts.object + 8, OBJECT_TYPE, "ob_type"),
            (parts.type_object + 8, TYPE_NAME, "tp_name"),
            (parts.type_object + 24, TYPE_FLAGS, "tp_flags"),
            (parts.bytes + 8, OBJECT_SIZE, "bytes.ob_size"),
            (parts.bytes + 16, BYTES_DATA, "bytes.ob_sval"),
            (parts.string + 8, STRING_STATE, "str.state"),
            (parts.string + 16, STRING_LENGTH, "str.length"),
        ] {
            if self.number(at) != expected {
                return Err(PythonError::BadDebugOffsets { field });
            }
        }
        Ok(())
    }

    fn runtime(&self, parts: &Parts) -> Result<RuntimeOffsets, PythonError> {
        let far = |at: usize, field: &'static str| {
            let offset = self.number(at);
            let fits = offset.is_multiple_of(8) && offset < RUNTIME_OFFSET_MAX;
            u32::try_from(offset).ok().filter(|_| fits).ok_or(PythonError::BadDebugOffsets { field })
        };
        Ok(RuntimeOffsets {
            interpreters_head: far(40, "interpreters.head")?,
            thread_key: parts.thread_key,
            interpreter_next: far(parts.interpreter + 16, "interpreter.next")?,
            threads_head: far(parts.threads_head, "threads.head")?,
        })
    }

    fn thread(&self, at: usize) -> Result<ThreadOffsets, PythonError> {
        let size = self.size(at, "thread_state.size", OBJECT_OFFSET_MAX)?;
        Ok(ThreadOffsets {
            next: self.offset(at + 16, "thread_state.next", size, 8)?,
            frame: self.offset(at + 32, "thread_state.current_frame", size, 8)?,
            thread_id: self.offset(at + 40, "thread_state.thread_id", size, 8)?,
            native_thread_id: Some(self.offset(at + 48, "thread_state.native_thread_id", size, 8)?),
            cframe: None,
        })
    }

    /// The BPF program has the offsets of a frame built in, except that of `owner`.
    fn frame(&self, at: usize) -> Result<FrameWindow, PythonError> {
        for (at, expected, field) in [
            (at + 8, 8, "interpreter_frame.previous"),
            (at + 16, 0, "interpreter_frame.executable"),
            (at + 24, 56, "interpreter_frame.instr_ptr"),
        ] {
            if self.number(at) != expected {
                return Err(PythonError::BadDebugOffsets { field });
            }
        }
        let size = self.size(at, "interpreter_frame.size", OBJECT_OFFSET_MAX)?;
        let owner = self.offset(at + 40, "interpreter_frame.owner", size, 1)?;
        // Behind `instr_ptr`, and near enough for one read of the whole frame.
        match u8::try_from(owner) {
            Ok(owner @ 64..80) => Ok(FrameWindow::interpreter_3_12(owner)),
            _ => Err(PythonError::BadDebugOffsets { field: "interpreter_frame.owner" }),
        }
    }

    fn code(&self, parts: &Parts) -> Result<CodeOffsets, PythonError> {
        let at = parts.code;
        let size = self.size(at, "code_object.size", 4096)?;
        Ok(CodeOffsets {
            file: self.offset(at + 8, "code_object.filename", size, 8)?,
            function: self.offset(at + 24, "code_object.qualname", size, 8)?,
            line_table: self.offset(at + 32, "code_object.linetable", size, 8)?,
            first_line: self.offset(at + 40, "code_object.firstlineno", size, 4)?,
            instructions: Instructions::Inline(self.offset(
                at + 72,
                "code_object.co_code_adaptive",
                size,
                1,
            )?),
            version: Some(parts.code_version),
        })
    }

    fn ascii_text(&self, at: usize) -> Result<u16, PythonError> {
        let bytes = self.number(at + 24);
        match u16::try_from(bytes) {
            Ok(bytes) if (40..=256).contains(&bytes) => Ok(bytes),
            _ => Err(PythonError::BadDebugOffsets { field: "unicode_object.asciiobject_size" }),
        }
    }
}

#[cfg(test)]
mod tests;
