//! A block's content, as hashes of its words, and which of them could tell it from another block.

use super::glibc::ADDRESS_END;
use super::ranges::CONTENT_BYTES;
use super::words::word_at;

/// Words of a block that are looked at.
pub(super) const WORDS: usize = (CONTENT_BYTES / 8) as usize;

/// Numbers nearer to zero than this are everywhere.
const SMALL: u64 = 4096;

/// The words of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Content {
    pub(super) hashes: [u32; WORDS],
    pub(super) count: u8,
    /// A bit for each word that is neither small nor one byte repeated nor an address in the block itself, which any
    /// owner of the slot could have there.
    telling: u16,
    /// A bit for each word that is not zero.
    set: u16,
    /// A bit for each word that may be the type of a Python object: an address, after a reference count.
    pub(super) types: u16,
}

impl Content {
    /// The content of a block of this size, of which `bytes` is the beginning. What lies beyond the size is not its.
    pub(super) fn read(bytes: &[u8], address: u64, size_bytes: u64) -> Self {
        let length = bytes.len().min(size_bytes.min(CONTENT_BYTES) as usize);
        let own = address..=address.saturating_add(size_bytes);
        let mut content = Self { hashes: [0; WORDS], count: 0, telling: 0, set: 0, types: 0 };
        let mut word_before = 0;
        for (index, chunk) in bytes[..length].chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            content.hashes[index] = hash(word);
            content.telling |= u16::from(may_tell(word) && !own.contains(&word)) << index;
            content.set |= u16::from(word != 0) << index;
            content.types |= u16::from(is_count(word_before) && may_be_address(word)) << index;
            word_before = word;
            content.count += 1;
        }
        content
    }

    /// A bit for each word that does not tell by itself.
    pub(super) fn small(&self) -> u16 {
        !self.telling
    }

    /// What has become of this content, when words of `common` tell nothing.
    pub(super) fn compare(&self, now: &Self, common: u16) -> Comparison {
        let telling = self.telling & !common;
        let mut equal = 0_u16;
        for index in 0..usize::from(self.count) {
            equal |= u16::from(self.hashes[index] == now.hashes[index]) << index;
        }
        let all = if self.count == 16 { u16::MAX } else { (1 << self.count) - 1 };
        Comparison {
            kept: telling & equal,
            kept_small: self.set & !self.telling & !common & equal,
            lost: telling & !equal,
            changed: all & !equal,
        }
    }

    #[cfg(test)]
    pub(super) fn telling(&self) -> u16 {
        self.telling
    }
}

/// What has become of the words that tell: a bit for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Comparison {
    pub(super) kept: u16,
    /// Small numbers that the kin do not have: each says a little.
    pub(super) kept_small: u16,
    pub(super) lost: u16,
    /// Words that have changed, whether they tell or not.
    pub(super) changed: u16,
}

/// A hash of a word: equal ones are taken for equal words, which is wrong once in 2^32.
pub(super) fn hash(word: u64) -> u32 {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

fn may_tell(word: u64) -> bool {
    let is_small = |number: u64| number < SMALL || number > SMALL.wrapping_neg();
    let is_small_half = |half: u32| half < SMALL as u32 || half > (SMALL as u32).wrapping_neg();
    let is_one_byte = word == u64::from(word as u8) * 0x0101_0101_0101_0101;
    let are_halves_small = is_small_half(word as u32) && is_small_half((word >> 32) as u32);
    !(is_small(word) || is_one_byte || are_halves_small)
}

/// A living object's references. CPython's immortal ones have 2^32 - 1 at most in the lower half.
fn is_count(word: u64) -> bool {
    (1..1 << 32).contains(&word)
}

fn may_be_address(word: u64) -> bool {
    word.is_multiple_of(8) && (1 << 16..ADDRESS_END).contains(&word)
}

/// The first word of a block's content, and the second, as they are.
pub(super) fn first_words(content: &[u8]) -> Option<(u64, u64)> {
    Some((word_at(content, 0)?, word_at(content, 8)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_and_text_may_tell_and_small_numbers_may_not() {
        let mut bytes = Vec::new();
        for word in
            [0x7f12_3456_7890_u64, u64::from_le_bytes(*b"a string"), 7, u64::MAX, 0x0000_0005_0000_0007]
        {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend([0xab; 8]);
        assert_eq!(Content::read(&bytes, 0x1000, 48).telling(), 0b11);
    }

    #[test]
    fn an_address_in_the_block_itself_tells_nothing() {
        let bytes: Vec<u8> =
            [0x7f12_0000_1010_u64, 0x7f12_0000_2010].into_iter().flat_map(u64::to_le_bytes).collect();
        assert_eq!(Content::read(&bytes, 0x7f12_0000_1000, 48).telling(), 0b10);
    }

    #[test]
    fn what_lies_beyond_the_size_is_not_looked_at() {
        let before = Content::read(b"a string with a rest", 0x1000, 10);
        let after = Content::read(b"a string wANOTHER one", 0x1000, 10);
        assert_eq!(before, after);
        assert_eq!(before.compare(&after, 0).changed, 0);
    }

    #[test]
    fn a_changed_word_is_lost_and_a_common_one_tells_nothing() {
        let before = Content::read(b"one word two wordsixteen bytes..", 0x1000, 32);
        let after = Content::read(b"one word 2nd wordsixteen bytes..", 0x1000, 32);
        let comparison = before.compare(&after, 0b1);
        assert_eq!((comparison.kept, comparison.lost, comparison.changed), (0b1100, 0b10, 0b10));
    }
}
