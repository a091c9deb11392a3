//! What is kept of a block to recognize it by: no content, only hashes of it, and the allocator's notes.

use memtrace_common::Domain;

use super::block::{Allocators, Block, Libc};
use super::content::{Comparison, Content, first_words, hash};
use super::glibc::Chunk;
use super::kin::Class;
use super::musl;
use super::pymalloc::Pool;
use super::ranges::{HEADER_BYTES, Parts};

/// A block as it was while its frees were still seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint {
    block: Block,
    pub(super) content: Content,
    first_word_hash: u32,
    second_word_hash: u32,
    pub(super) notes: Notes,
}

/// The allocator's notes about a block in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Notes {
    Glibc {
        chunk_bytes: u64,
        is_mapped_alone: bool,
    },
    Pymalloc {
        class: u8,
    },
    Musl {
        header: u32,
    },
    /// None that could be understood.
    None,
}

/// Where an object's type is, by what lies before the object: nothing, the garbage collector's links, and since 3.11
/// two words for its attributes as well.
const OBJECT_HEADS: u16 = 1 << 1 | 1 << 3 | 1 << 5;

const _: () = assert!(size_of::<Fingerprint>() <= 160);

impl Fingerprint {
    /// From what was read of the block's [`super::ranges`]; `None` when its content could not be read.
    #[must_use]
    pub fn from_bytes(block: Block, allocators: &Allocators, parts: &Parts<'_>) -> Option<Self> {
        let content_bytes = content_of(&block, allocators, parts)?;
        let (first_word, second_word) = first_words(content_bytes)?;
        Some(Self {
            block,
            content: Content::read(content_bytes, block.address, block.size_bytes),
            first_word_hash: hash(first_word),
            second_word_hash: hash(second_word),
            notes: Notes::read(&block, allocators, parts),
        })
    }

    /// The block.
    #[must_use]
    pub const fn block(&self) -> &Block {
        &self.block
    }

    pub(super) fn is_first_word(&self, word: u64) -> bool {
        self.first_word_hash == hash(word)
    }

    pub(super) fn is_second_word(&self, word: u64) -> bool {
        self.second_word_hash == hash(word)
    }

    /// True when it was a Python object, and its type is not where it was. An object's type is the first word of the
    /// kind in it, and one that its kin have too.
    pub(super) fn is_of_other_type(&self, comparison: &Comparison, common: u16) -> bool {
        let types = self.content.types & common;
        let first = types & types.wrapping_neg();
        matches!(self.notes, Notes::Pymalloc { .. }) && first & OBJECT_HEADS & comparison.changed != 0
    }

    /// The block is known to be the same: from now on it is recognized by what it is now.
    pub(super) fn take_content(&mut self, now: &Self) {
        self.content = now.content;
        self.first_word_hash = now.first_word_hash;
        self.second_word_hash = now.second_word_hash;
    }

    pub(super) fn class(&self) -> Class {
        let slot_bytes = match self.notes {
            Notes::Glibc { chunk_bytes, .. } => chunk_bytes,
            Notes::Pymalloc { class } => class_slot_bytes(class),
            Notes::Musl { .. } | Notes::None => {
                self.block.size_bytes.checked_next_multiple_of(16).unwrap_or(0)
            }
        };
        Class { domain: self.block.domain, slot_bytes }
    }
}

/// The size of pymalloc's slots of a class.
pub(super) fn class_slot_bytes(class: u8) -> u64 {
    (u64::from(class) + 1) * 16
}

impl Notes {
    fn read(block: &Block, allocators: &Allocators, parts: &Parts<'_>) -> Self {
        match (block.domain, allocators.libc) {
            (Domain::Pymalloc, _) => parts[1]
                .and_then(|header| Pool::read(block, allocators, header))
                .filter(|pool| pool.is_sound_for(block))
                .map_or(Self::None, |pool| Self::Pymalloc { class: pool.class }),
            (Domain::Libc, Libc::Glibc { .. }) => {
                Chunk::read(block.size_bytes, parts).filter(Chunk::is_sound).map_or(Self::None, |chunk| {
                    Self::Glibc { chunk_bytes: chunk.bytes, is_mapped_alone: chunk.is_mapped_alone }
                })
            }
            (Domain::Libc, Libc::Musl) => {
                parts[0].and_then(musl::header).map_or(Self::None, |header| Self::Musl { header })
            }
            (Domain::Libc, Libc::Other) => Self::None,
        }
    }
}

/// The part that is the block's content.
pub(super) fn content_of<'a>(block: &Block, allocators: &Allocators, parts: &Parts<'a>) -> Option<&'a [u8]> {
    let has_header =
        block.domain == Domain::Libc && matches!(allocators.libc, Libc::Glibc { .. } | Libc::Musl);
    parts[0]?.get(if has_header { HEADER_BYTES as usize } else { 0 }..)
}
