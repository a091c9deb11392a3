//! Where things are in CPython's structures, by version.
//!
//! In: a version and, from 3.13 on, the table that the interpreter itself carries. Out: [`Offsets`]. It refuses a table
//! whose version, kind of build or numbers do not fit.
//!
//! Invariant: an offset is small (see [`debug_offsets`]), so adding it to an address cannot reach far.
//!
//! What never changed from 3.8 to 3.14 on 64-bit builds with the GIL is a constant in `object.rs`.

pub mod debug_offsets;
mod table;

use memtrace_common::settings::FrameWindow;

use super::error::PythonError;
use super::version::PythonVersion;
use crate::world::MemoryReader;

/// Everything that depends on the version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offsets {
    /// In `_PyRuntime` and `PyInterpreterState`.
    pub runtime: RuntimeOffsets,
    /// In `PyThreadState`.
    pub thread: ThreadOffsets,
    /// In a frame.
    pub frame: FrameWindow,
    /// In `PyCodeObject`.
    pub code: CodeOffsets,
    /// Bytes of `PyASCIIObject`: where the text of an ASCII string starts.
    pub ascii_text: u16,
    /// Bytes of `PyCompactUnicodeObject`: where the text of any other string starts.
    pub compact_text: u16,
}

/// The way from `_PyRuntime` to the thread states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuntimeOffsets {
    /// `_PyRuntime.interpreters.head`.
    pub interpreters_head: u32,
    /// `_PyRuntime.autoTSSkey` (`gilstate.autoTSSkey` to 3.11): `{int _is_initialized; pthread_key_t _key}`.
    pub thread_key: u32,
    /// `PyInterpreterState.next`.
    pub interpreter_next: u32,
    /// `PyInterpreterState.threads.head` (`tstate_head` to 3.10).
    pub threads_head: u32,
}

/// In `PyThreadState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadOffsets {
    /// `next`.
    pub next: u16,
    /// `thread_id`: what `pthread_self` returned.
    pub thread_id: u16,
    /// `native_thread_id`, from 3.11 on: the kernel's id, in the thread's own pid namespace.
    pub native_thread_id: Option<u16>,
    /// `frame`, `cframe` or `current_frame`.
    pub frame: u16,
    /// `_PyCFrame.current_frame` in 3.11 and 3.12.
    pub cframe: Option<u16>,
}

/// In `PyCodeObject`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeOffsets {
    /// `co_firstlineno`.
    pub first_line: u16,
    /// `co_filename`.
    pub file: u16,
    /// `co_qualname`; `co_name` before 3.11.
    pub function: u16,
    /// `co_lnotab` or `co_linetable`.
    pub line_table: u16,
    /// Where the instructions are.
    pub instructions: Instructions,
    /// `co_version`, from 3.12 on: never the same for two code objects, or 0 when the numbers have run out.
    pub version: Option<u16>,
}

/// Where a code object keeps its instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instructions {
    /// To 3.10: in the `bytes` object that the field at this offset points at.
    Bytes(u16),
    /// From 3.11 on: in the code object itself (`co_code_adaptive`), as many units as its `ob_size` says.
    Inline(u16),
}

impl CodeOffsets {
    /// Bytes from the start of a code object that hold every field above (not the instructions).
    #[must_use]
    pub fn header_bytes(&self) -> usize {
        let instructions = match self.instructions {
            Instructions::Bytes(offset) => offset,
            Instructions::Inline(_) => 0,
        };
        let fields = [self.first_line, self.file, self.function, self.line_table, instructions];
        let last = fields.into_iter().chain(self.version).max().unwrap_or(0);
        usize::from(last) + 8
    }
}

impl Offsets {
    /// The offsets of the interpreter whose `_PyRuntime` is at `runtime_address`.
    ///
    /// # Errors
    /// From 3.13 on: when the interpreter's own table cannot be read or believed.
    pub fn find(
        reader: &dyn MemoryReader,
        runtime_address: u64,
        version: PythonVersion,
    ) -> Result<Self, PythonError> {
        match table::of(version) {
            Some(offsets) => Ok(offsets),
            None => debug_offsets::read(reader, runtime_address, version),
        }
    }
}
