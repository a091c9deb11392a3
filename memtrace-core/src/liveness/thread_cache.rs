//! The mark of glibc's per-thread caches: learned from blocks that have just been freed, without symbols.
//!
//! Since 2.34 it is one random number a process (`tcache_key`), before that the address of the thread's cache, since
//! 2.29. A number is believed when three freed blocks carry it, an address when there is such a chunk as well; and never
//! again when a living block carries it.

use super::glibc::{ADDRESS_END, Linking, chunk_bytes_in, header_range, may_be_link};
use super::ranges::{HEADER_BYTES, Range};

/// Blocks that have to carry a mark.
const BLOCKS_MIN: usize = 3;

/// Marks and candidates at most: one a thread before 2.34.
const KEYS_MAX: usize = 64;

/// The chunk of a `tcache_perthread_struct`: until 2.29, when counts took a byte, and since, when they take two.
const CACHE_CHUNK_BYTES: [u64; 2] = [0x250, 0x290];

/// The marks of one process.
#[derive(Clone, Debug)]
pub(super) struct ThreadCacheKeys {
    known: Vec<u64>,
    candidates: Vec<Candidate>,
    refuted: Vec<u64>,
    /// 2.34 and later.
    is_random: bool,
    linking: Linking,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    key: u64,
    addresses: [u64; BLOCKS_MIN],
    count: usize,
}

impl ThreadCacheKeys {
    pub(super) fn new(version: Option<(u32, u32)>) -> Self {
        Self {
            known: Vec::new(),
            candidates: Vec::new(),
            refuted: Vec::new(),
            is_random: version.is_some_and(|version| version >= (2, 34)),
            linking: Linking::of(version),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn contains(&self, word: u64) -> bool {
        self.known.contains(&word)
    }

    /// Takes the first words of a block that has just been freed, if it was not handed out again meanwhile: then
    /// they are anything.
    ///
    /// When it asks for a range, what is there is to be given to [`Self::confirm`].
    pub(super) fn learn(&mut self, address: u64, first_word: u64, second_word: u64) -> Option<Range> {
        let is_settled = self.known.len() >= if self.is_random { 1 } else { KEYS_MAX };
        if is_settled
            || self.contains(second_word)
            || self.refuted.contains(&second_word)
            || !self.is_plausible(second_word)
            || !may_be_link(address, first_word, self.linking)
        {
            return None;
        }
        let Some(place) = self.candidates.iter().position(|candidate| candidate.key == second_word) else {
            if self.candidates.len() >= KEYS_MAX {
                self.candidates.remove(0);
            }
            let addresses = [address; BLOCKS_MIN];
            self.candidates.push(Candidate { key: second_word, addresses, count: 1 });
            return None;
        };
        let candidate = &mut self.candidates[place];
        if !candidate.addresses.contains(&address) {
            candidate.addresses[candidate.count] = address;
            candidate.count += 1;
        }
        if candidate.count < BLOCKS_MIN {
            return None;
        }
        self.candidates.remove(place);
        if second_word < ADDRESS_END {
            return Some(header_range(second_word.wrapping_sub(u64::from(HEADER_BYTES))));
        }
        self.known.push(second_word);
        None
    }

    /// Believes in the cache whose header was asked for, if it is one.
    pub(super) fn confirm(&mut self, asked: Range, header: Option<&[u8]>) {
        let key = asked.address.wrapping_add(u64::from(HEADER_BYTES));
        let is_cache =
            header.and_then(chunk_bytes_in).is_some_and(|bytes| CACHE_CHUNK_BYTES.contains(&bytes));
        if is_cache && self.known.len() < KEYS_MAX && !self.contains(key) {
            self.known.push(key);
        }
    }

    /// A living block has this second word. Before 2.34 it is then no mark: marks are wiped when a block is handed
    /// out. Later ones cannot be anything else, and may be left over from a cache that ended with its thread.
    pub(super) fn refute_if(&mut self, is_second_word: impl Fn(u64) -> bool) {
        self.candidates.retain(|candidate| !is_second_word(candidate.key));
        if self.is_random {
            return;
        }
        let Some(place) = self.known.iter().position(|key| is_second_word(*key)) else { return };
        let key = self.known.swap_remove(place);
        if self.refuted.len() >= KEYS_MAX {
            self.refuted.remove(0);
        }
        self.refuted.push(key);
    }

    /// A random number is no address, but for one in 2^17; an address of a cache is aligned.
    fn is_plausible(&self, word: u64) -> bool {
        let may_be_address = word.is_multiple_of(16) && (0x1000..ADDRESS_END).contains(&word);
        let may_be_random = word >= ADDRESS_END;
        if self.is_random {
            may_be_random
        } else {
            may_be_address || (may_be_random && self.linking.may_be_protected)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: u64 = 0x9abc_def0_1234_5678;

    fn link(address: u64, next: u64) -> u64 {
        (address >> 12) ^ next
    }

    #[test]
    fn a_mark_is_believed_when_three_freed_blocks_carry_it() {
        let mut keys = ThreadCacheKeys::new(Some((2, 36)));
        for address in [0x5555_0000_1000, 0x5555_0000_1000, 0x5555_0000_2000] {
            keys.learn(address, link(address, 0), KEY);
        }
        assert!(!keys.contains(KEY));
        keys.learn(0x5555_0000_3000, link(0x5555_0000_3000, 0x5555_0000_2000), KEY);
        assert!(keys.contains(KEY));
    }

    #[test]
    fn what_a_block_that_was_handed_out_again_holds_is_not_taken_for_a_mark() {
        let mut keys = ThreadCacheKeys::new(Some((2, 36)));
        for address in (1..9).map(|page| 0x5555_0000_0000_u64 + (page << 12)) {
            keys.learn(address, link(address, 0), 0x5555_1234_5670);
            keys.learn(address, u64::from_le_bytes(*b"a string"), u64::from_le_bytes(*b" and one"));
        }
        assert!(keys.is_empty());
    }

    #[test]
    fn an_older_glibc_has_a_mark_for_each_thread_which_is_the_address_of_its_cache() {
        let mut keys = ThreadCacheKeys::new(Some((2, 31)));
        let marks: [u64; 3] = [0x5555_0000_0010, 0x7f00_0000_0b20, 0x5555_0000_7770];
        let headers = [0x291, 0x295, 0x41_u64].map(|size| [[0; 8], size.to_le_bytes()].concat());
        for (mark, header) in marks.iter().zip(&headers) {
            let learn = |page: u64| keys.learn(0x5555_0100_0000_u64 + (page << 12), 0, *mark);
            let asked: Vec<Range> = (1..4).filter_map(learn).collect();
            assert_eq!(asked, [Range { address: mark - 16, length: 16 }]);
            keys.confirm(asked[0], Some(header));
        }
        assert_eq!(marks.map(|mark| keys.contains(mark)), [true, true, false]);
        keys.refute_if(|word| word == marks[1]);
        assert_eq!(marks.map(|mark| keys.contains(mark)), [true, false, false]);
    }
}
