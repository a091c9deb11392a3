//! The interpreter's thread states, found from outside.
//!
//! In: the address of `_PyRuntime`. Out: the thread states of every interpreter, as `_PyRuntime.interpreters` lists
//! them. It refuses nothing but an unreadable runtime: the lists change while they are read, so a link that cannot be
//! followed ends its list.
//!
//! Invariant: at most [`INTERPRETERS_MAX`] interpreters and [`THREADS_MAX`] thread states are visited, whatever the
//! links say.

use super::error::PythonError;
use super::object::{self, is_pointer};
use super::offsets::Offsets;
use crate::world::{MemoryReader, Unreadable};

/// Interpreters visited. Programs with sub-interpreters (mod_wsgi) have tens.
pub const INTERPRETERS_MAX: usize = 64;

/// Thread states visited. One takes up to three reads of about 1 us: 4,096 take some 10 ms.
pub const THREADS_MAX: usize = 4_096;

/// A thread that has run Python.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadState {
    /// Where its `PyThreadState` is.
    pub address: u64,
    /// `pthread_self()` of the thread, which is its FS base on x86-64 (glibc and musl); 0 when not started yet.
    pub thread_id: u64,
    /// The kernel's thread id, in the thread's own pid namespace, from 3.11 on; 0 when not started yet.
    pub native_thread_id: Option<u64>,
}

/// Every thread state that can be reached.
///
/// # Errors
/// When `_PyRuntime` cannot be read. An interpreter that is still starting has no thread states.
pub fn thread_states(
    reader: &dyn MemoryReader,
    runtime_address: u64,
    offsets: &Offsets,
) -> Result<Vec<ThreadState>, PythonError> {
    let mut states = Vec::new();
    let head = u64::from(offsets.runtime.interpreters_head);
    let mut interpreter = object::read_word(reader, runtime_address, head)?;
    for _ in 0..INTERPRETERS_MAX {
        if !is_pointer(interpreter) {
            break;
        }
        add_states_of(reader, interpreter, offsets, &mut states);
        let next = u64::from(offsets.runtime.interpreter_next);
        interpreter = object::read_word(reader, interpreter, next).unwrap_or(0);
    }
    Ok(states)
}

fn add_states_of(
    reader: &dyn MemoryReader,
    interpreter: u64,
    offsets: &Offsets,
    states: &mut Vec<ThreadState>,
) {
    let head = u64::from(offsets.runtime.threads_head);
    let mut address = object::read_word(reader, interpreter, head).unwrap_or(0);
    while is_pointer(address) && states.len() < THREADS_MAX {
        let Ok((state, next)) = read_state(reader, address, offsets) else { return };
        states.push(state);
        address = next;
    }
}

/// A thread state, and the address of the next one.
fn read_state(
    reader: &dyn MemoryReader,
    address: u64,
    offsets: &Offsets,
) -> Result<(ThreadState, u64), Unreadable> {
    let field = |offset: u16| object::read_word(reader, address, u64::from(offset));
    let state = ThreadState {
        address,
        thread_id: field(offsets.thread.thread_id)?,
        native_thread_id: offsets.thread.native_thread_id.map(field).transpose()?,
    };
    Ok((state, field(offsets.thread.next)?))
}

/// The innermost frame of a thread state, 0 when the thread is not in Python.
pub(super) fn innermost_frame(
    reader: &dyn MemoryReader,
    state: u64,
    offsets: &Offsets,
) -> Result<u64, Unreadable> {
    let frame = object::read_word(reader, state, u64::from(offsets.thread.frame))?;
    match offsets.thread.cframe {
        None => Ok(frame),
        Some(offset) => object::read_word(reader, frame, u64::from(offset)),
    }
}
