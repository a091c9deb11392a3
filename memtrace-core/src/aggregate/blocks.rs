//! Blocks by address.
//!
//! One process can hold ten million, so size and pauses both matter: an entry is 24 bytes, and the table is split
//! into shards that grow and shrink one at a time. Doubling one table of ten million entries would stop the reader
//! of the ring for half a second and hold the old and the new table at once.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::sites::SiteNumber;

const SHARDS: usize = 64;

/// A shard below this many places is not worth shrinking.
const SHRINK_PLACES_MIN: usize = 1024;

/// A block that somebody holds. Its domain is its site's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) size_bytes: u64,
    pub(super) site: SiteNumber,
    /// A tick of the aggregator's epoch.
    pub(super) born: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    address: u64,
    block: Block,
}

const _: () = assert!(size_of::<Slot>() == 24);

/// What was found at an address that somebody wants to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    /// This block, which is out of the table now.
    Block(Block),
    /// A block that was refused and stays.
    Refused,
    /// Nothing.
    Nothing,
}

/// The blocks of one process that are at an address.
///
/// Addresses are chosen by the target, so the hash is keyed with a random seed: they cannot be made to collide.
#[derive(Debug)]
pub(super) struct BlockTable {
    shards: Box<[HashTable<Slot>; SHARDS]>,
    hasher: DefaultHashBuilder,
}

impl Default for BlockTable {
    fn default() -> Self {
        Self::new()
    }
}

impl BlockTable {
    pub(super) fn new() -> Self {
        Self { shards: Box::new([const { HashTable::new() }; SHARDS]), hasher: DefaultHashBuilder::default() }
    }

    /// Puts a block at its address and returns the one that was there.
    #[inline]
    pub(super) fn insert(&mut self, address: u64, block: Block) -> Option<Block> {
        let hash = self.hasher.hash_one(address);
        let hasher = &self.hasher;
        let shard = &mut self.shards[shard_of(hash)];
        match shard.entry(hash, |slot| slot.address == address, |slot| hasher.hash_one(slot.address)) {
            Entry::Occupied(mut slot) => Some(std::mem::replace(&mut slot.get_mut().block, block)),
            Entry::Vacant(place) => {
                place.insert(Slot { address, block });
                None
            }
        }
    }

    /// Takes the block at an address out of the table, if `accept` agrees.
    #[inline]
    pub(super) fn take(&mut self, address: u64, accept: impl FnOnce(&Block) -> bool) -> Taken {
        let hash = self.hasher.hash_one(address);
        let shard = &mut self.shards[shard_of(hash)];
        let Ok(entry) = shard.find_entry(hash, |slot| slot.address == address) else {
            return Taken::Nothing;
        };
        if !accept(&entry.get().block) {
            return Taken::Refused;
        }
        let (slot, _) = entry.remove();
        if shard.capacity() >= SHRINK_PLACES_MIN && shard.len() < shard.capacity() / 8 {
            let hasher = &self.hasher;
            shard.shrink_to(shard.len() * 2, |slot| hasher.hash_one(slot.address));
        }
        Taken::Block(slot.block)
    }

    #[inline]
    pub(super) fn get(&self, address: u64) -> Option<&Block> {
        let hash = self.hasher.hash_one(address);
        self.shards[shard_of(hash)].find(hash, |slot| slot.address == address).map(|slot| &slot.block)
    }

    #[inline]
    pub(super) fn contains(&self, address: u64) -> bool {
        self.get(address).is_some()
    }

    /// Each block with its address.
    pub(super) fn iter_placed(&self) -> impl Iterator<Item = (u64, &Block)> {
        self.shards.iter().flatten().map(|slot| (slot.address, &slot.block))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.shards.iter().flatten().map(|slot| &slot.block)
    }
}

/// The shard comes from bits that hashbrown does not look at in a table of this size: it takes the lowest as the
/// place and the highest seven as the tag.
#[inline]
const fn shard_of(hash: u64) -> usize {
    (hash >> 48) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(size_bytes: u64) -> Block {
        Block { size_bytes, site: 0, born: 0 }
    }

    #[test]
    fn a_block_is_found_once_and_only_at_its_address() {
        let mut table = BlockTable::new();
        assert_eq!(table.insert(16, block(1)), None);
        assert_eq!(table.insert(16, block(2)), Some(block(1)));
        assert_eq!(table.take(32, |_| true), Taken::Nothing);
        assert_eq!(table.take(16, |_| false), Taken::Refused);
        assert_eq!(table.take(16, |_| true), Taken::Block(block(2)));
        assert!(!table.contains(16));
    }

    #[test]
    fn memory_goes_back_after_most_blocks_are_freed() {
        let places = |table: &BlockTable| table.shards.iter().map(HashTable::capacity).sum::<usize>();
        let mut table = BlockTable::new();
        for address in 0..200_000 {
            table.insert(address, block(1));
        }
        assert!(places(&table) >= 200_000);
        for address in 1_000..200_000 {
            table.take(address, |_| true);
        }
        assert!(places(&table) <= SHARDS * SHRINK_PLACES_MIN, "{} places", places(&table));
        assert_eq!(table.iter().count(), 1_000);
        assert!((0..1_000).all(|address| table.contains(address)));
    }
}
