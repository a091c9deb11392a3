//! pymalloc's notes about a block (`Objects/obmalloc.c`): the header of its pool, and the pool's list of free blocks,
//! each of which holds the address of the next in its first word.
//!
//! A live object may have any of a pool's addresses in its first word as well: the garbage collector links objects
//! there, and a list's first item may be a neighbour. `free` writes 0 or an address of the pool, so other words show
//! that a block is in use; with these the list itself has to be read, and agree with the pool's count.

use memtrace_common::Domain;

use super::block::{Allocators, Block};
use super::ranges::{POOL_HEADER_BYTES, Range, pool_of};
use super::verdict::DeathProof;
use super::words::{half_at, word_at};

/// `ALIGNMENT`: size class 0 serves 16 bytes.
const CLASS_BYTES: u32 = 16;

/// Classes up to 512 bytes.
const CLASSES: u32 = 32;

/// What a pool says of itself, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pool {
    address: u64,
    pool_bytes: u32,
    /// Blocks in use.
    used: u32,
    first_free: u64,
    pub(super) class: u8,
    /// Where blocks begin that were never handed out.
    next_offset: u32,
}

impl Pool {
    /// `None` when it is no pool that could hold this block.
    pub(super) fn read(block: &Block, allocators: &Allocators, header: &[u8]) -> Option<Self> {
        let class = half_at(header, 36).filter(|class| *class < CLASSES)?;
        let pool = Self {
            address: pool_of(block.address, allocators),
            pool_bytes: allocators.pool_bytes,
            used: half_at(header, 0)?,
            first_free: word_at(header, 8)?,
            class: class as u8,
            next_offset: half_at(header, 40)?,
        };
        Some(pool)
    }

    /// True when the block is one of the pool's, in use, and of a size for which the pool is.
    pub(super) fn is_sound_for(&self, block: &Block) -> bool {
        block.domain == Domain::Pymalloc
            && self.used > 0
            && self.holds(block.address)
            && block.size_bytes <= u64::from(self.block_bytes())
    }

    pub(super) fn block_bytes(&self) -> u32 {
        (u32::from(self.class) + 1) * CLASS_BYTES
    }

    /// True for the beginning of a block that was handed out once.
    fn holds(&self, address: u64) -> bool {
        let Some(offset) = address.checked_sub(self.address) else { return false };
        let Some(blocks_offset) = offset.checked_sub(u64::from(POOL_HEADER_BYTES)) else { return false };
        offset < u64::from(self.next_offset.min(self.pool_bytes))
            && blocks_offset.is_multiple_of(u64::from(self.block_bytes()))
    }

    fn is_link(&self, word: u64) -> bool {
        word == 0 || self.holds(word)
    }
}

/// What the notes say of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    Free(DeathProof),
    InUse,
    /// The list of free blocks has to be read: this is where.
    Look(Range),
}

/// What the pool's header and the first word of a block say of it. `None` is a header that says nothing sensible.
pub(super) fn slot(address: u64, class_before: u8, pool: Option<&Pool>, first_word: u64) -> Slot {
    let Some(pool) = pool else { return Slot::Free(DeathProof::PoolChanged) };
    if pool.class != class_before || pool.used == 0 || !pool.holds(address) {
        return Slot::Free(DeathProof::PoolChanged);
    }
    if pool.first_free == address {
        return Slot::Free(DeathProof::InFreeList);
    }
    if pool.first_free == 0 || !pool.is_link(first_word) {
        return Slot::InUse;
    }
    Slot::Look(Range { address: pool.address, length: pool.pool_bytes })
}

/// Whether a block is in its pool's list of free blocks; `None` when list and count disagree, because the pool was in
/// use while it was read.
pub(super) fn is_in_free_list(address: u64, pool: &Pool, bytes: &[u8]) -> Option<bool> {
    let handed_out =
        pool.next_offset.min(pool.pool_bytes).checked_sub(POOL_HEADER_BYTES)? / pool.block_bytes();
    let free = handed_out.checked_sub(pool.used)?;
    let mut next = pool.first_free;
    let mut is_found = false;
    for _ in 0..free {
        if !pool.holds(next) {
            return None;
        }
        is_found |= next == address;
        next = word_at(bytes, (next - pool.address) as usize)?;
    }
    (next == 0).then_some(is_found)
}
