//! CPython read from outside: where a thread's frames are, and what a code object is called and which line it runs.
//!
//! In: a [`MemoryReader`], the address of `_PyRuntime` and the interpreter's version. Out: the [`PythonTarget`] that
//! the BPF program walks frames by ([`inspect`]), and the names and lines of the code objects it met
//! ([`read_code`]). It refuses versions, builds and layouts it was not written for, always with a reason, and
//! anything in the target that does not look like what it should be.
//!
//! Invariant: every byte that comes from the target is treated as hostile. Nothing read there is used as a size, an
//! offset or a count before it was capped, and no walk is longer than its limit.
//!
//! Supported: CPython 3.8 to 3.14 with the GIL, release builds, x86-64.
//!
//! [`MemoryReader`]: crate::world::MemoryReader
//! [`PythonTarget`]: memtrace_common::settings::PythonTarget

pub mod code;
pub mod error;
pub mod lines;
mod object;
pub mod offsets;
pub mod runtime;
pub mod string;
mod thread_data;
pub mod thread_state;
pub mod version;

#[cfg(test)]
mod image;

pub use code::{CodeIdentity, CodeObject, read_code};
pub use error::{CodeError, PythonError};
pub use offsets::Offsets;
pub use runtime::{PythonRuntime, inspect};
pub use thread_state::{ThreadState, thread_states};
pub use version::{PythonVersion, VersionError};
