//! Blocks that could take a sampled block's slot: those of its size class. A word that they have in the same place
//! would be there after a change of owner too.

use hashbrown::HashMap;
use memtrace_common::Domain;

use super::content::{Content, WORDS};

/// Contents kept of each class: a word that one kin in 64 has is still seen once on average.
const KEPT: usize = 64;

/// Classes at most; of further ones nothing is known.
const CLASSES_MAX: usize = 256;

/// A class is still when less than one in so many of its blocks has been seen to die.
const BLOCKS_A_DEATH: u32 = 64;

/// Blocks from which on the absence of deaths says something.
const BLOCKS_MIN: u32 = 8;

/// Blocks that share slots.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Class {
    pub(super) domain: Domain,
    pub(super) slot_bytes: u64,
}

/// The kin of every block of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Kin {
    classes: HashMap<Class, Contents>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    kept: Vec<[u32; WORDS]>,
    next: usize,
    blocks: u32,
    deaths: u32,
}

impl Kin {
    /// A block of this class was seen alive.
    pub(super) fn remember(&mut self, class: Class, content: &Content) {
        let Some(contents) = self.entry(class) else { return };
        contents.blocks = contents.blocks.saturating_add(1);
        if contents.kept.len() < KEPT {
            contents.kept.push(content.hashes);
        } else {
            contents.kept[contents.next] = content.hashes;
            contents.next = (contents.next + 1) % KEPT;
        }
    }

    /// A block of this class was freed.
    pub(super) fn remember_death(&mut self, class: Class) {
        if let Some(contents) = self.entry(class) {
            contents.deaths = contents.deaths.saturating_add(1);
        }
    }

    /// A bit for each word that the kin share; of small numbers too, unless there are too few kin to say.
    pub(super) fn common(&self, class: Class, content: &Content) -> u16 {
        let small = content.small();
        let Some(contents) = self.classes.get(&class) else { return small };
        // The block itself is one of them while there are few, and may be later.
        let shared_min = if contents.kept.len() < KEPT / 2 { 2 } else { 3 };
        let mut counts = [0_u8; WORDS];
        for kept in &contents.kept {
            for (count, (theirs, ours)) in counts.iter_mut().zip(kept.iter().zip(&content.hashes)) {
                *count += u8::from(theirs == ours);
            }
        }
        let bits = counts.iter().enumerate().map(|(index, count)| u16::from(*count >= shared_min) << index);
        let few_say_nothing = if contents.kept.len() < KEPT / 2 { small } else { 0 };
        bits.fold(few_say_nothing, |common, bit| common | bit)
    }

    /// True when blocks of this class are hardly ever freed: then no slot changes its owner.
    pub(super) fn is_still(&self, class: Class) -> bool {
        self.classes.get(&class).is_some_and(|contents| {
            contents.blocks >= BLOCKS_MIN && contents.deaths.saturating_mul(BLOCKS_A_DEATH) < contents.blocks
        })
    }

    fn entry(&mut self, class: Class) -> Option<&mut Contents> {
        if self.classes.len() >= CLASSES_MAX && !self.classes.contains_key(&class) {
            return None;
        }
        Some(self.classes.entry(class).or_default())
    }
}
