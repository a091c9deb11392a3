//! Where a thread keeps the pointer to its thread state, counted from its FS base.
//!
//! In: the thread states, and the pthread key that CPython keeps them under (`_PyRuntime.autoTSSkey`). Out: one
//! [`Slot`] that holds for the whole process. It refuses to choose between slots that nothing tells apart.
//!
//! Invariant: the slot returned held, in at least one thread, exactly the pointer to that thread's own state, and no
//! other slot of the control block held it in more threads.
//!
//! glibc keeps the first 32 keys in the thread's control block (`struct pthread.specific_1stblock` at 0x310, unchanged
//! since 2.4: 16-byte entries of a sequence number and the pointer) and the others in blocks that
//! `struct pthread.specific` at 0x510 points at. musl keeps an array of pointers that `struct pthread.tsd` points at.
//! Other programs may keep the same pointer under keys of their own (pybind11 does), so the key decides, not the match
//! alone.

use std::collections::BTreeMap;

use super::error::PythonError;
use super::object::{self, is_pointer};
use super::thread_state::ThreadState;
use crate::world::MemoryReader;

/// Bytes looked at from the FS base: glibc's `struct pthread` has 2,368 (2.36).
const CONTROL_BLOCK_BYTES: u32 = 4096;

/// Bytes of musl's `struct pthread`, rounded up.
const MUSL_CONTROL_BLOCK_BYTES: u32 = 256;

const PAGE_BYTES: u64 = 4096;

/// Threads looked at. More would not make the answer surer.
const THREADS_COMPARED: usize = 64;

const GLIBC_FIRST_BLOCK: u32 = 0x310;
const GLIBC_BLOCKS: u32 = 0x510;
const GLIBC_BLOCK_KEYS: u32 = 32;
const GLIBC_ENTRY_BYTES: u32 = 16;
const GLIBC_ENTRY_POINTER: u32 = 8;
const MUSL_ENTRY_BYTES: u32 = 8;

/// Where the pointer to the thread state is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Slot {
    /// At this offset from the FS base.
    Direct { offset: u32 },
    /// At `index_offset` in the array that the pointer at `offset` from the FS base leads to.
    Indirect { offset: u32, index_offset: u32 },
}

/// Finds the slot.
pub(super) fn find(
    reader: &dyn MemoryReader,
    states: &[ThreadState],
    key: Option<u32>,
) -> Result<Slot, PythonError> {
    let threads = observe(reader, states);
    let best_of = |slots: &mut dyn Iterator<Item = Slot>| Best::of(reader, &threads, slots);
    let direct = best_of(&mut direct_slots());
    if let Some(key) = key {
        let glibc = best_of(&mut std::iter::once(glibc_slot(key)));
        let musl = best_of(&mut musl_slots(key));
        if glibc.matches > 0 && glibc.matches >= direct.matches.max(musl.matches) {
            return glibc.only(threads.len());
        }
        if musl.matches > 0 && musl.matches >= direct.matches {
            return musl.only(threads.len());
        }
    }
    direct.only(threads.len())
}

/// Every word of the control block but the first.
fn direct_slots() -> impl Iterator<Item = Slot> {
    (8..CONTROL_BLOCK_BYTES).step_by(8).map(|offset| Slot::Direct { offset })
}

const fn glibc_slot(key: u32) -> Slot {
    let entry = (key % GLIBC_BLOCK_KEYS) * GLIBC_ENTRY_BYTES + GLIBC_ENTRY_POINTER;
    if key < GLIBC_BLOCK_KEYS {
        Slot::Direct { offset: GLIBC_FIRST_BLOCK + entry }
    } else {
        Slot::Indirect { offset: GLIBC_BLOCKS + 8 * (key / GLIBC_BLOCK_KEYS), index_offset: entry }
    }
}

/// `tsd` is somewhere in musl's `struct pthread`; where has changed.
fn musl_slots(key: u32) -> impl Iterator<Item = Slot> {
    let index_offset = MUSL_ENTRY_BYTES * key;
    (8..MUSL_CONTROL_BLOCK_BYTES).step_by(8).map(move |offset| Slot::Indirect { offset, index_offset })
}

/// A thread's control block, and the thread states that say they are this thread's: more than one with
/// sub-interpreters.
struct Thread {
    words: Vec<u64>,
    states: Vec<u64>,
}

impl Thread {
    fn holds_state(&self, reader: &dyn MemoryReader, slot: Slot) -> bool {
        let word = |offset: u32| self.words.get(offset as usize / 8).copied().unwrap_or(0);
        let held = match slot {
            Slot::Direct { offset } => word(offset),
            Slot::Indirect { offset, index_offset } => {
                object::read_word(reader, word(offset), u64::from(index_offset)).unwrap_or(0)
            }
        };
        self.states.contains(&held)
    }
}

/// The slots of a family that hold the thread state in the most threads.
struct Best {
    slots: Vec<Slot>,
    matches: usize,
}

impl Best {
    fn of(reader: &dyn MemoryReader, threads: &[Thread], slots: &mut dyn Iterator<Item = Slot>) -> Self {
        let mut best = Self { slots: Vec::new(), matches: 0 };
        for slot in slots {
            let matches = threads.iter().filter(|thread| thread.holds_state(reader, slot)).count();
            if matches > best.matches {
                best = Self { slots: vec![slot], matches };
            } else if matches == best.matches && matches > 0 {
                best.slots.push(slot);
            }
        }
        best
    }

    fn only(&self, threads: usize) -> Result<Slot, PythonError> {
        match *self.slots {
            [] => Err(PythonError::ThreadStateNotFound { threads }),
            [slot] => Ok(slot),
            _ => Err(PythonError::ThreadStateAmbiguous { places: self.slots.len() }),
        }
    }
}

/// Reads the control blocks of the threads that have one.
fn observe(reader: &dyn MemoryReader, states: &[ThreadState]) -> Vec<Thread> {
    let mut states_by_base: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for state in states.iter().filter(|state| is_pointer(state.thread_id)) {
        states_by_base.entry(state.thread_id).or_default().push(state.address);
    }
    states_by_base
        .into_iter()
        .filter_map(|(base, states)| {
            let words = read_control_block(reader, base);
            // The x86-64 ABI has the FS base itself at offset 0: what has not is no control block.
            (words.first() == Some(&base)).then_some(Thread { words, states })
        })
        .take(THREADS_COMPARED)
        .collect()
}

/// Reads page by page, because the control block of a thread ends with its mapping; what cannot be read is 0.
fn read_control_block(reader: &dyn MemoryReader, base: u64) -> Vec<u64> {
    let mut bytes = vec![0; CONTROL_BLOCK_BYTES as usize];
    let first_page_bytes = (PAGE_BYTES - base % PAGE_BYTES) as usize;
    let (first_page, second_page) = bytes.split_at_mut(first_page_bytes.min(CONTROL_BLOCK_BYTES as usize));
    if object::read(reader, base, first_page).is_err() {
        first_page.fill(0);
    }
    if !second_page.is_empty() && reader.read(base + first_page_bytes as u64, second_page).is_err() {
        second_page.fill(0);
    }
    bytes
        .chunks_exact(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            u64::from_le_bytes(word)
        })
        .collect()
}

#[cfg(test)]
mod tests;
