//! Blocks between the two records of a realloc.
//!
//! From its begin on, another thread may get the address; until its end, nobody knows whether the call succeeds. So
//! the block waits here, out of the table of addresses and still alive.

use hashbrown::HashMap;
use memtrace_common::Domain;

use super::blocks::Block;

/// The block that a realloc was asked to change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Old {
    /// This one.
    Known(Block),
    /// One whose allocation was not seen.
    Unknown,
    /// Python's realloc passed one of libc's blocks on to libc, whose own records account for it.
    LeftToLibc,
}

/// A realloc in progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Held {
    pub(super) address: u64,
    pub(super) old: Old,
}

/// The reallocs in progress of one process: at most one for each thread and domain, since Python's may call libc's
/// and not the other way round.
#[derive(Debug, Default)]
pub(super) struct Reallocs {
    held: HashMap<(u32, Domain), Held>,
}

impl Reallocs {
    /// True when there is no room. Then a begin does nothing, and its end finds the block at its address.
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.held.len() >= limit
    }

    pub(super) fn hold(&mut self, thread: u32, domain: Domain, held: Held) {
        self.held.insert((thread, domain), held);
    }

    #[inline]
    pub(super) fn release(&mut self, thread: u32, domain: Domain) -> Option<Held> {
        self.held.remove(&(thread, domain))
    }

    /// Inside a Python realloc of an unknown block, libc was handed the same address: so it was libc's block.
    #[inline]
    pub(super) fn leave_to_libc(&mut self, thread: u32, address: u64) {
        if self.held.is_empty() {
            return;
        }
        if let Some(held) = self.held.get_mut(&(thread, Domain::Pymalloc))
            && held.address == address
            && held.old == Old::Unknown
        {
            held.old = Old::LeftToLibc;
        }
    }

    /// Threads that have a realloc in progress.
    pub(super) fn threads(&self) -> Vec<u32> {
        self.held.keys().map(|&(thread, _)| thread).collect()
    }

    /// Blocks that live though they are at no address.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.held.values().filter_map(|held| match &held.old {
            Old::Known(block) => Some(block),
            Old::Unknown | Old::LeftToLibc => None,
        })
    }
}
