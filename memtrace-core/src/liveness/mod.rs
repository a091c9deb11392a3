//! Whether a sampled block still lives, told from memory alone: its frees are not traced.
//!
//! In: bytes of a target around a block, first while every free was still seen, then at random times later.
//! Out: a [`Verdict`]. It refuses to guess: what is neither proven dead nor recognized is unknown.
//!
//! Two questions are asked of every reading, in this order:
//!
//! 1. Is the *slot* free? The allocator's own notes answer: `glibc`, `pymalloc`, `musl`. Free is dead, for a
//!    block that was followed from its allocation on.
//! 2. Is it the same *block*? Its content answers (`content`), as far as another owner of the slot would have
//!    written something else: a word that the kin of a block share tells nothing (`kin`).
//!
//! Invariant: bytes of a target are hostile. Whatever they are, a verdict is made of them without a panic and without
//! more work than the size of one pool.

mod block;
mod content;
mod fingerprint;
mod glibc;
mod judge;
mod kin;
mod libc_file;
mod likeness;
mod musl;
mod pymalloc;
mod ranges;
mod thread_cache;
mod verdict;
mod words;

pub use block::{Allocators, Block, Libc};
pub use fingerprint::Fingerprint;
pub use judge::{Judge, Opinion};
pub use ranges::{Parts, Range, Ranges, freed_ranges, ranges};
pub use verdict::{DeathProof, Doubt, Verdict};
