//! A block, and who keeps the notes about it.

use memtrace_common::Domain;

/// A block as its allocation reported it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Where it begins.
    pub address: u64,
    /// How much was asked for.
    pub size_bytes: u64,
    /// Whose bytes it is.
    pub domain: Domain,
}

/// The C library's allocator, as far as its notes are understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Libc {
    /// glibc's ptmalloc; the version is (2, 36) for 2.36.
    Glibc {
        /// None when it could not be found out: then nothing is taken from what only some versions do.
        version: Option<(u32, u32)>,
    },
    /// musl 1.2.1 or later (mallocng).
    Musl,
    /// Any other: no notes that could be read, so nothing but an unmapped block is ever certain.
    Other,
}

/// The allocators of one process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allocators {
    /// Behind `malloc`.
    pub libc: Libc,
    /// The size of pymalloc's pools, see [`Allocators::pool_bytes_of`].
    pub pool_bytes: u32,
}

impl Allocators {
    /// The size of a pool of CPython 3.`minor`: a page, until 3.10 enlarged it (`POOL_BITS` in `pycore_obmalloc.h`,
    /// in 3.10 and 3.11 `obmalloc.c`).
    #[must_use]
    pub const fn pool_bytes_of(minor: u8) -> u32 {
        if minor >= 10 { 16 << 10 } else { 4 << 10 }
    }
}
