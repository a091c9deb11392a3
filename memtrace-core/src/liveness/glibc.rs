//! glibc's notes about a chunk (`malloc/malloc.c`): the size word before the block, what `free` writes into its first
//! two words, and the bit in the next chunk that says whether this one is in use.
//!
//! A freed chunk is in exactly one of these places:
//!
//! - a thread's cache: `e->key` in the second word (2.29 and later), a link in the first, protected by the address
//!   since 2.32 (`PROTECT_PTR`);
//! - a fastbin (up to 2.42, chunks of 128 bytes at most): a link in the first word, nothing else;
//! - a bin, or merged with a neighbour or with the top: `PREV_INUSE` of the next chunk is clear, or the size changed;
//! - unmapped, when it was mapped by itself.
//!
//! So a chunk with the same size, its neighbour's bit set, no key and no link is in use, unless its header is only left
//! over: a chunk that was merged with a free one before it keeps its header, inside what is now another chunk. Its own
//! `PREV_INUSE` bit was clear then, so the chunk before has to be where the header says. One case leaves no trace: the
//! last chunk of a fastbin before 2.32 when its first word was zero already (there is one in every bin).

use super::block::Block;
use super::ranges::{CONTENT_BYTES, HEADER_BYTES, Range};
use super::thread_cache::ThreadCacheKeys;
use super::verdict::DeathProof;
use super::words::word_at;

const PREV_INUSE: u64 = 1;
const IS_MMAPPED: u64 = 2;
const FLAGS: u64 = 7;

/// Chunks are aligned to this, and multiples of it.
const ALIGNMENT: u64 = 16;

/// The smallest chunk, `MINSIZE`.
const CHUNK_BYTES_MIN: u64 = 32;

/// A chunk may be larger than was asked for, by what could not become a chunk of its own. (An aligned one may have
/// twice that; looking there could leave the heap, whose last chunk may have no more than [`CHUNK_BYTES_MIN`].)
const EXCESS_BYTES_MAX: u64 = ALIGNMENT;

/// The largest chunk that a thread's cache takes, unless a tunable says otherwise.
const CACHED_CHUNK_BYTES_MAX: u64 = 0x410;

/// Where a link's neighbours are looked at.
const LINKED_HEADER: Range = Range { address: 0, length: 32 };

/// User space ends here.
pub(super) const ADDRESS_END: u64 = 1 << 47;

/// `request2size`.
fn chunk_bytes_of(size_bytes: u64) -> u64 {
    let padded = size_bytes.saturating_add(8).saturating_add(ALIGNMENT - 1) & !(ALIGNMENT - 1);
    padded.max(CHUNK_BYTES_MIN)
}

/// Where the size word of the chunk after a block is looked for, counted from the block.
fn next_size_offset(size_bytes: u64) -> u64 {
    chunk_bytes_of(size_bytes).saturating_sub(8)
}

/// The chunk's header and content, and the next chunk's size word: one range for small blocks.
pub(super) fn ranges(block: &Block, content_bytes: u32) -> [Range; 2] {
    let address = block.address.wrapping_sub(u64::from(HEADER_BYTES));
    let next_bytes = EXCESS_BYTES_MAX + 8;
    let next = next_size_offset(block.size_bytes);
    if block.size_bytes <= CONTENT_BYTES {
        let length = u64::from(HEADER_BYTES) + next + next_bytes;
        return [Range { address, length: length as u32 }, Range::default()];
    }
    let header = Range { address, length: HEADER_BYTES + content_bytes };
    [header, Range { address: block.address.wrapping_add(next), length: next_bytes as u32 }]
}

/// What a reading shows of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    /// The size word without its flags.
    pub(super) bytes: u64,
    pub(super) is_mapped_alone: bool,
    /// The size of the chunk before, when that is free.
    free_before_bytes: Option<u64>,
    /// None when the next chunk is not where it should be, or could not be read.
    next_says_in_use: Option<bool>,
    pub(super) first_word: u64,
    pub(super) second_word: u64,
}

impl Chunk {
    /// `None` when the bytes hold no header.
    pub(super) fn read(size_bytes: u64, parts: &[Option<&[u8]>]) -> Option<Self> {
        let bytes = parts.first().copied().flatten()?;
        let header = word_at(bytes, 8)?;
        let chunk_bytes = header & !FLAGS;
        let is_mapped_alone = header & IS_MMAPPED != 0;
        Some(Self {
            bytes: chunk_bytes,
            is_mapped_alone,
            free_before_bytes: (header & (PREV_INUSE | IS_MMAPPED) == 0).then_some(word_at(bytes, 0)?),
            next_says_in_use: (!is_mapped_alone)
                .then(|| next_size_word(size_bytes, chunk_bytes, parts))
                .flatten()
                .map(|word| word & PREV_INUSE != 0),
            first_word: word_at(bytes, 16)?,
            second_word: word_at(bytes, 24)?,
        })
    }

    /// True when the size is one that glibc would have given, and the next chunk agrees that this one is in use.
    pub(super) fn is_sound(&self) -> bool {
        self.is_mapped_alone || self.next_says_in_use == Some(true)
    }
}

fn next_size_word(size_bytes: u64, chunk_bytes: u64, parts: &[Option<&[u8]>]) -> Option<u64> {
    let excess = chunk_bytes.checked_sub(chunk_bytes_of(size_bytes))?;
    if excess > EXCESS_BYTES_MAX {
        return None;
    }
    let excess = excess as usize;
    if size_bytes <= CONTENT_BYTES {
        let offset = HEADER_BYTES as usize + next_size_offset(size_bytes) as usize;
        return word_at(parts.first().copied().flatten()?, offset + excess);
    }
    word_at(parts.get(1).copied().flatten()?, excess)
}

/// What the notes say of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    Free(DeathProof),
    InUse,
    /// Free if there is a chunk of this size at the end of the link.
    Linked(u64),
    /// Not a slot any more, unless there is a chunk that ends where this one begins: where its header is.
    After(u64),
    MayBeFree,
}

/// What of the fingerprint the notes are compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Before {
    pub(super) chunk_bytes: u64,
    pub(super) is_mapped_alone: bool,
    pub(super) is_first_word_equal: bool,
    pub(super) is_second_word_equal: bool,
}

/// Which links are to be expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Linking {
    /// 2.32 and later, and unknown versions.
    pub(super) may_be_protected: bool,
    /// 2.31 and earlier, and unknown versions.
    pub(super) may_be_plain: bool,
}

impl Linking {
    pub(super) fn of(version: Option<(u32, u32)>) -> Self {
        Self {
            may_be_protected: version.is_none_or(|version| version >= (2, 32)),
            may_be_plain: version.is_none_or(|version| version < (2, 32)),
        }
    }
}

/// What the notes say of the slot of the block at `address`.
pub(super) fn slot(
    address: u64,
    now: &Chunk,
    before: &Before,
    linking: Linking,
    keys: &ThreadCacheKeys,
) -> Slot {
    if now.bytes != before.chunk_bytes || now.is_mapped_alone != before.is_mapped_alone {
        return Slot::Free(DeathProof::SlotChanged);
    }
    if now.is_mapped_alone {
        return Slot::InUse;
    }
    if keys.contains(now.second_word) && !before.is_second_word_equal {
        return Slot::Free(DeathProof::InThreadCache);
    }
    match now.next_says_in_use {
        Some(false) => return Slot::Free(DeathProof::Coalesced),
        None => return Slot::MayBeFree,
        Some(true) => {}
    }
    if linking.may_be_protected {
        match now.first_word ^ (address >> 12) {
            0 if before.is_first_word_equal => return Slot::MayBeFree,
            0 => return Slot::Free(DeathProof::Linked),
            next if is_link(next) => return Slot::Linked(next),
            _ => {}
        }
    }
    if linking.may_be_plain {
        if keys.is_empty() && now.bytes <= CACHED_CHUNK_BYTES_MAX {
            return Slot::MayBeFree;
        }
        if !before.is_first_word_equal && is_link(now.first_word) {
            return Slot::Linked(now.first_word);
        }
    }
    match now.free_before_bytes {
        Some(bytes) => Slot::After(address.wrapping_sub(u64::from(HEADER_BYTES)).wrapping_sub(bytes)),
        None => Slot::InUse,
    }
}

fn is_link(word: u64) -> bool {
    word.is_multiple_of(ALIGNMENT) && (0x1000..ADDRESS_END).contains(&word)
}

impl Chunk {
    /// True when the chunk whose header these bytes are is the free one before this one.
    pub(super) fn follows(&self, header: &[u8]) -> bool {
        let size = word_at(header, 8).map(|word| word & !FLAGS);
        self.free_before_bytes.is_some() && self.free_before_bytes == size
    }
}

/// Where to look for the header of a chunk.
pub(super) fn header_range(chunk: u64) -> Range {
    Range { address: chunk, length: HEADER_BYTES }
}

/// Where to look whether a link leads to a chunk.
pub(super) fn linked_range(link: u64) -> Range {
    Range { address: link.wrapping_sub(u64::from(HEADER_BYTES)), ..LINKED_HEADER }
}

/// True when there is a chunk of this size where a link leads: a thread's cache links blocks, a fastbin chunks.
/// A plain link to a block may as well be a pointer of a live list node to the next, so it shows nothing.
pub(super) fn leads_to_chunk(bytes: &[u8], chunk_bytes: u64, linking: Linking) -> bool {
    let is_size_at = |offset| word_at(bytes, offset).is_some_and(|word| word & !FLAGS == chunk_bytes);
    is_size_at(24) || (!linking.may_be_plain && is_size_at(8))
}

/// True for a first word that `free` may have written.
pub(super) fn may_be_link(address: u64, first_word: u64, linking: Linking) -> bool {
    let is_link_or_end = |word| word == 0 || is_link(word);
    (linking.may_be_protected && is_link_or_end(first_word ^ (address >> 12)))
        || (linking.may_be_plain && is_link_or_end(first_word))
}

/// The size of the chunk whose header these bytes begin with.
pub(super) fn chunk_bytes_in(bytes: &[u8]) -> Option<u64> {
    word_at(bytes, 8).map(|word| word & !FLAGS)
}
