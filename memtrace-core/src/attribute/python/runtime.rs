//! A Python interpreter as the BPF program and the code reader need to know it.
//!
//! In: the address of `_PyRuntime` in a running process, and the version. Out: a [`PythonRuntime`]. It refuses what its
//! parts refuse, and an interpreter that is still starting with [`PythonError::NotReady`].

use memtrace_common::settings::PythonTarget;

use super::error::PythonError;
use super::object;
use super::offsets::Offsets;
use super::thread_data::{self, Slot};
use super::thread_state::{innermost_frame, thread_states};
use super::version::PythonVersion;
use crate::world::MemoryReader;

/// An interpreter that can be walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PythonRuntime {
    /// Its version.
    pub version: PythonVersion,
    /// Address of `_PyRuntime`.
    pub address: u64,
    /// What the BPF program needs.
    pub target: PythonTarget,
    /// Everything that depends on the version.
    pub offsets: Offsets,
}

/// Learns how to walk the Python stacks of a process.
///
/// # Errors
/// [`PythonError::NotReady`] while the interpreter starts. Call again a little later while
/// [`PythonError::is_temporary`], but not for ever: a program can have CPython linked in and never start it.
pub fn inspect(
    reader: &dyn MemoryReader,
    runtime_address: u64,
    version: PythonVersion,
) -> Result<PythonRuntime, PythonError> {
    let offsets = Offsets::find(reader, runtime_address, version)?;
    let states = thread_states(reader, runtime_address, &offsets)?;
    let key_address = u64::from(offsets.runtime.thread_key);
    let key = Key::from_word(object::read_word(reader, runtime_address, key_address)?);
    let slot = thread_data::find(reader, &states, key.number()).map_err(|error| {
        let is_absent = matches!(error, PythonError::ThreadStateNotFound { .. });
        let runs_python = states
            .iter()
            .any(|state| innermost_frame(reader, state.address, &offsets).is_ok_and(|at| at != 0));
        if is_absent && (key == Key::NotCreated || !runs_python) { PythonError::NotReady } else { error }
    })?;
    Ok(PythonRuntime { version, address: runtime_address, target: python_target(&offsets, slot), offsets })
}

/// `Py_tss_t`: the key under which CPython keeps the thread state in thread-specific data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    NotCreated,
    Number(u32),
    /// Not a `Py_tss_t`: this patch release has it elsewhere.
    Unknown,
}

impl Key {
    /// `PTHREAD_KEYS_MAX` is 1024 in glibc, 128 in musl.
    const NUMBERS: u32 = 1024;

    const fn from_word(word: u64) -> Self {
        let (is_initialized, number) = (word as u32, (word >> 32) as u32);
        match is_initialized {
            0 => Self::NotCreated,
            1 if number < Self::NUMBERS => Self::Number(number),
            _ => Self::Unknown,
        }
    }

    const fn number(self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(number),
            Self::NotCreated | Self::Unknown => None,
        }
    }
}

fn python_target(offsets: &Offsets, slot: Slot) -> PythonTarget {
    let (thread_state_offset, thread_state_index_offset, is_indirect) = match slot {
        Slot::Direct { offset } => (offset, 0, false),
        Slot::Indirect { offset, index_offset } => (offset, index_offset, true),
    };
    PythonTarget {
        thread_state_offset,
        thread_state_index_offset,
        thread_state_indirect: u16::from(is_indirect),
        window: offsets.frame,
        reserved: 0,
        frame_offset: offsets.thread.frame,
        cframe_offset: offsets.thread.cframe.unwrap_or(u16::MAX),
        generation: 0,
    }
}

#[cfg(test)]
mod tests;
