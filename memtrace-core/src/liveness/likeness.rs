//! How well a block is recognized by what is left of its distinctive words.
//!
//! A new owner overwrites what it needs and leaves the rest as it was, so a word may outlive its block: one that is
//! left is not enough when others are gone. But glibc's `free` itself overwrites the first two words, so these never
//! outlive it, and when both are gone the others show nothing.

use super::content::Comparison;
use super::fingerprint::Notes;

/// The words that glibc's `free` writes to.
const FIRST_TWO: u16 = 0b11;

/// Links of the garbage collector and reference counts: they change all the time.
const PYTHON_HEAD: u16 = 0b111;

/// How well a block is recognized.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Likeness {
    /// It is the same, and may be recognized by what it is now from here on.
    Sure,
    /// It is the same, if much of it has changed.
    Fair,
    /// It cannot be told.
    Poor,
}

/// Of a block with these notes, when this has become of its words.
pub(super) fn likeness(notes: Notes, comparison: &Comparison) -> Likeness {
    let (kept, mut lost) = (comparison.kept, comparison.lost);
    match notes {
        Notes::Glibc { .. } if kept & FIRST_TWO != 0 => return Likeness::Sure,
        Notes::Glibc { .. } if lost & FIRST_TWO == FIRST_TWO => return Likeness::Poor,
        Notes::Pymalloc { .. } => lost &= !PYTHON_HEAD,
        _ => {}
    }
    // Nodes of trees and hash tables have small keys; Python's objects have lengths and counts, which say nothing.
    let small = if matches!(notes, Notes::Pymalloc { .. }) { 0 } else { comparison.kept_small };
    let all_kept = (kept | small).count_ones();
    match (kept.count_ones(), lost.count_ones()) {
        (1.., 0) => Likeness::Sure,
        (1.., lost) if all_kept >= lost.max(2) => Likeness::Fair,
        _ => Likeness::Poor,
    }
}
