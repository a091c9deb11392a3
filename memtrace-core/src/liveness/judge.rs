//! The judge of one process: it compares readings with fingerprints, and learns what freed blocks look like there.

use memtrace_common::Domain;

use super::block::{Allocators, Block, Libc};
use super::content::{Comparison, Content, first_words};
use super::fingerprint::{Fingerprint, Notes, class_slot_bytes, content_of};
use super::glibc::{self, Before, Chunk, Linking};
use super::kin::{Class, Kin};
use super::musl;
use super::pymalloc::{self, Pool};
use super::ranges::{Parts, Range};
use super::thread_cache::ThreadCacheKeys;
use super::verdict::{DeathProof, Doubt, Verdict};

/// What a first reading leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opinion {
    /// This is the verdict.
    Settled(Verdict),
    /// Read this as well, and ask [`Judge::settle`].
    Look(Range),
}

/// Judges the blocks of one process.
#[derive(Clone, Debug)]
pub struct Judge {
    allocators: Allocators,
    linking: Linking,
    keys: ThreadCacheKeys,
    kin: Kin,
}

/// What the notes say of a slot.
enum Slot {
    Free(DeathProof),
    InUse,
    Look(Range),
    Doubtful(Doubt),
}

impl Judge {
    /// Of a process with these allocators.
    #[must_use]
    pub fn new(allocators: Allocators) -> Self {
        let version = match allocators.libc {
            Libc::Glibc { version } => version,
            Libc::Musl | Libc::Other => None,
        };
        Self {
            allocators,
            linking: Linking::of(version),
            keys: ThreadCacheKeys::new(version),
            kin: Kin::default(),
        }
    }

    /// The allocators that it was made for.
    #[must_use]
    pub const fn allocators(&self) -> &Allocators {
        &self.allocators
    }

    /// Takes note of a block that is alive: once, when it begins to be followed.
    pub fn remember(&mut self, fingerprint: &Fingerprint) {
        self.kin.remember(fingerprint.class(), &fingerprint.content);
        if matches!(fingerprint.notes, Notes::Glibc { .. }) {
            self.keys.refute_if(|word| fingerprint.is_second_word(word));
        }
    }

    /// Takes note of a block that has just been freed, from what was read of its [`super::freed_ranges`]. It may be
    /// in use again.
    pub fn learn_freed(&mut self, address: u64, domain: Domain, parts: &Parts<'_>) {
        let block = Block { address, size_bytes: 16, domain };
        let words = content_of(&block, &self.allocators, parts).and_then(first_words);
        let Some((first_word, second_word)) = words else { return };
        let slot_bytes = match (domain, self.allocators.libc) {
            (Domain::Pymalloc, _) => parts[1]
                .and_then(|header| Pool::read(&block, &self.allocators, header))
                .map(|pool| class_slot_bytes(pool.class)),
            (Domain::Libc, Libc::Glibc { .. }) => {
                self.keys.learn(address, first_word, second_word);
                parts[0].and_then(glibc::chunk_bytes_in)
            }
            (Domain::Libc, Libc::Musl | Libc::Other) => None,
        };
        if let Some(slot_bytes) = slot_bytes {
            self.kin.remember_death(Class { domain, slot_bytes });
        }
    }

    /// What a reading of a block's [`super::ranges`] says of it.
    pub fn judge(&mut self, before: &Fingerprint, parts: &Parts<'_>) -> Opinion {
        let verdict = match self.slot(before, parts) {
            Slot::Free(proof) => self.dead(before, proof),
            Slot::InUse => self.recognize(before, parts),
            Slot::Look(range) => return Opinion::Look(range),
            Slot::Doubtful(doubt) => Verdict::Unknown(doubt),
        };
        Opinion::Settled(verdict)
    }

    /// The verdict, when `looked` is what was read of the range that [`Judge::judge`] asked for; `None` when it could
    /// not be read.
    pub fn settle(&mut self, before: &Fingerprint, parts: &Parts<'_>, looked: Option<&[u8]>) -> Verdict {
        let proof = match before.notes {
            Notes::Glibc { chunk_bytes, .. } => {
                let is_chunk =
                    looked.is_some_and(|bytes| glibc::leads_to_chunk(bytes, chunk_bytes, self.linking));
                let is_new =
                    self.chunk(before, parts).is_some_and(|now| !before.is_first_word(now.first_word));
                if is_chunk && !is_new {
                    return Verdict::Unknown(Doubt::MayBeFree);
                }
                is_chunk.then_some(DeathProof::Linked)
            }
            Notes::Pymalloc { class } => {
                match looked.and_then(|bytes| self.is_in_free_list(before, class, bytes)) {
                    Some(is_free) => is_free.then_some(DeathProof::InFreeList),
                    None => return Verdict::Unknown(Doubt::Torn),
                }
            }
            Notes::Musl { .. } | Notes::None => return Verdict::Unknown(Doubt::NoNotes),
        };
        match proof {
            Some(proof) => self.dead(before, proof),
            None => self.recognize(before, parts),
        }
    }

    fn slot(&self, before: &Fingerprint, parts: &Parts<'_>) -> Slot {
        let Some(bytes) = parts[0] else { return Slot::Free(DeathProof::Unmapped) };
        match before.notes {
            Notes::Glibc { chunk_bytes, is_mapped_alone } => {
                self.glibc_slot(before, chunk_bytes, is_mapped_alone, parts)
            }
            Notes::Pymalloc { class } => self.pymalloc_slot(before, class, parts),
            Notes::Musl { header } => musl::death(header, bytes).map_or(Slot::InUse, Slot::Free),
            Notes::None => Slot::Doubtful(Doubt::NoNotes),
        }
    }

    fn glibc_slot(
        &self,
        before: &Fingerprint,
        chunk_bytes: u64,
        is_mapped_alone: bool,
        parts: &Parts<'_>,
    ) -> Slot {
        let Some(now) = self.chunk(before, parts) else { return Slot::Doubtful(Doubt::NoNotes) };
        let compared = Before {
            chunk_bytes,
            is_mapped_alone,
            is_first_word_equal: before.is_first_word(now.first_word),
            is_second_word_equal: before.is_second_word(now.second_word),
        };
        match glibc::slot(before.block().address, &now, &compared, self.linking, &self.keys) {
            glibc::Slot::Free(proof) => Slot::Free(proof),
            glibc::Slot::InUse => Slot::InUse,
            glibc::Slot::Linked(link) => Slot::Look(glibc::linked_range(link)),
            glibc::Slot::MayBeFree => Slot::Doubtful(Doubt::MayBeFree),
        }
    }

    fn pymalloc_slot(&self, before: &Fingerprint, class: u8, parts: &Parts<'_>) -> Slot {
        let block = before.block();
        let Some(header) = parts[1] else { return Slot::Free(DeathProof::Unmapped) };
        let Some((first_word, _)) = content_of(block, &self.allocators, parts).and_then(first_words) else {
            return Slot::Doubtful(Doubt::NoNotes);
        };
        let pool = Pool::read(block, &self.allocators, header);
        match pymalloc::slot(block.address, class, pool.as_ref(), first_word) {
            pymalloc::Slot::Free(proof) => Slot::Free(proof),
            pymalloc::Slot::InUse => Slot::InUse,
            pymalloc::Slot::Look(range) => Slot::Look(range),
        }
    }

    fn is_in_free_list(&self, before: &Fingerprint, class: u8, bytes: &[u8]) -> Option<bool> {
        let block = before.block();
        let pool = Pool::read(block, &self.allocators, bytes).filter(|pool| pool.class == class)?;
        pymalloc::is_in_free_list(block.address, &pool, bytes)
    }

    fn chunk(&self, before: &Fingerprint, parts: &Parts<'_>) -> Option<Chunk> {
        Chunk::read(before.block().size_bytes, parts)
    }

    fn dead(&mut self, before: &Fingerprint, proof: DeathProof) -> Verdict {
        self.kin.remember_death(before.class());
        Verdict::Dead(proof)
    }

    /// Whether the slot, which is in use, is still used by the same block.
    fn recognize(&self, before: &Fingerprint, parts: &Parts<'_>) -> Verdict {
        let block = before.block();
        let Some(bytes) = content_of(block, &self.allocators, parts) else {
            return Verdict::Unknown(Doubt::NoNotes);
        };
        let class = before.class();
        let now = Content::read(bytes, block.size_bytes);
        let comparison = before.content.compare(&now, self.kin.common(class, &before.content));
        if is_recognized(block.domain, &comparison) || (comparison.is_equal && self.kin.is_still(class)) {
            Verdict::Alive
        } else if comparison.lost == 0 {
            Verdict::Unknown(Doubt::NothingTells)
        } else {
            Verdict::Unknown(Doubt::Changed)
        }
    }
}

/// Whether what is left of a block's distinctive words is enough.
///
/// A new owner overwrites what it needs and leaves the rest as it was, so a word may outlive its block: one that is
/// left is not enough when others are gone. But `free` itself overwrites the first two words in glibc, so these never
/// outlive it.
fn is_recognized(domain: Domain, comparison: &Comparison) -> bool {
    let (mut lost, mut certain) = (comparison.lost, 0);
    match domain {
        // Links of the garbage collector and the reference count change all the time.
        Domain::Pymalloc => lost &= !0b111,
        Domain::Libc => certain = comparison.kept & 0b11,
    }
    let (kept, lost) = (comparison.kept.count_ones(), lost.count_ones());
    certain != 0 || (kept > 0 && lost == 0) || (kept >= 2 && kept >= lost)
}
