//! The judge of one process: it compares readings with fingerprints, and learns what freed blocks look like there.

use memtrace_common::Domain;

use super::block::{Allocators, Block, Libc};
use super::content::first_words;
use super::fingerprint::{Fingerprint, Notes, class_slot_bytes, content_of};
use super::glibc::{self, Before, Chunk, Linking};
use super::kin::{Class, Kin};
use super::likeness::{Likeness, likeness};
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
#[derive(Clone, Copy, Debug)]
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
    /// in use again. When it asks for a range, read that as well, for [`Judge::learn_cache`].
    pub fn learn_freed(&mut self, address: u64, domain: Domain, parts: &Parts<'_>) -> Option<Range> {
        let block = Block { address, size_bytes: 16, domain };
        let (first_word, second_word) = content_of(&block, &self.allocators, parts).and_then(first_words)?;
        let (slot_bytes, asked) = match (domain, self.allocators.libc) {
            (Domain::Pymalloc, _) => {
                let pool = parts[1].and_then(|header| Pool::read(&block, &self.allocators, header));
                (pool.map(|pool| class_slot_bytes(pool.class)), None)
            }
            (Domain::Libc, Libc::Glibc { .. }) => {
                let asked = self.keys.learn(address, first_word, second_word);
                (parts[0].and_then(glibc::chunk_bytes_in), asked)
            }
            (Domain::Libc, Libc::Musl | Libc::Other) => (None, None),
        };
        if let Some(slot_bytes) = slot_bytes {
            self.kin.remember_death(Class { domain, slot_bytes });
        }
        asked
    }

    /// Takes what was read of the range that [`Judge::learn_freed`] asked for.
    pub fn learn_cache(&mut self, asked: Range, bytes: Option<&[u8]>) {
        self.keys.confirm(asked, bytes);
    }

    /// What a reading of a block's [`super::ranges`] says of it. A block that is surely alive is recognized by what
    /// it is now from here on.
    pub fn judge(&mut self, before: &mut Fingerprint, parts: &Parts<'_>) -> Opinion {
        match self.slot(before, parts) {
            Slot::Look(range) => Opinion::Look(range),
            slot => Opinion::Settled(self.conclude(before, parts, slot)),
        }
    }

    /// The verdict, when `looked` is what was read of the range that [`Judge::judge`] asked for; `None` when it could
    /// not be read.
    pub fn settle(&mut self, before: &mut Fingerprint, parts: &Parts<'_>, looked: Option<&[u8]>) -> Verdict {
        let slot = match before.notes {
            Notes::Glibc { .. } => self.glibc_slot_looked_at(before, parts, looked),
            Notes::Pymalloc { class } => {
                match looked.and_then(|bytes| self.is_in_free_list(before, class, bytes)) {
                    Some(true) => Slot::Free(DeathProof::InFreeList),
                    Some(false) => Slot::InUse,
                    None => Slot::Doubtful(Doubt::Torn),
                }
            }
            Notes::Musl { .. } | Notes::None => Slot::Doubtful(Doubt::NoNotes),
        };
        self.conclude(before, parts, slot)
    }

    fn conclude(&mut self, before: &mut Fingerprint, parts: &Parts<'_>, slot: Slot) -> Verdict {
        match slot {
            Slot::Free(proof) => self.dead(before, proof),
            Slot::InUse => self.recognize(before, parts),
            Slot::Doubtful(doubt) => Verdict::Unknown(doubt),
            Slot::Look(_) => Verdict::Unknown(Doubt::Torn),
        }
    }

    fn dead(&mut self, before: &Fingerprint, proof: DeathProof) -> Verdict {
        self.kin.remember_death(before.class());
        Verdict::Dead(proof)
    }

    fn slot(&self, before: &Fingerprint, parts: &Parts<'_>) -> Slot {
        let Some(bytes) = parts[0] else { return Slot::Free(DeathProof::Unmapped) };
        match before.notes {
            Notes::Glibc { .. } => match self.chunk(before, parts) {
                Some((_, slot)) => Slot::of_glibc(slot),
                None => Slot::Doubtful(Doubt::NoNotes),
            },
            Notes::Pymalloc { class } => self.pymalloc_slot(before, class, parts),
            Notes::Musl { header } => musl::death(header, bytes).map_or(Slot::InUse, Slot::Free),
            Notes::None => Slot::Doubtful(Doubt::NoNotes),
        }
    }

    /// A chunk as it is now, and what its notes say.
    fn chunk(&self, before: &Fingerprint, parts: &Parts<'_>) -> Option<(Chunk, glibc::Slot)> {
        let Notes::Glibc { chunk_bytes, is_mapped_alone } = before.notes else { return None };
        let now = Chunk::read(before.block().size_bytes, parts)?;
        let compared = Before {
            chunk_bytes,
            is_mapped_alone,
            is_first_word_equal: before.is_first_word(now.first_word),
            is_second_word_equal: before.is_second_word(now.second_word),
        };
        Some((now, glibc::slot(before.block().address, &now, &compared, self.linking, &self.keys)))
    }

    fn glibc_slot_looked_at(&self, before: &Fingerprint, parts: &Parts<'_>, looked: Option<&[u8]>) -> Slot {
        let Some((now, slot)) = self.chunk(before, parts) else { return Slot::Doubtful(Doubt::NoNotes) };
        match slot {
            glibc::Slot::Linked(_) => {
                let leads = looked.is_some_and(|bytes| glibc::leads_to_chunk(bytes, now.bytes, self.linking));
                match (leads, before.is_first_word(now.first_word)) {
                    (true, false) => Slot::Free(DeathProof::Linked),
                    // A block that was never written to keeps the link of its last time in a list.
                    (true, true) => Slot::Doubtful(Doubt::MayBeFree),
                    (false, _) => Slot::InUse,
                }
            }
            // The chunk before may have been taken between the two readings, so its absence is no proof.
            glibc::Slot::After(_) if looked.is_some_and(|bytes| now.follows(bytes)) => Slot::InUse,
            glibc::Slot::After(_) => Slot::Doubtful(Doubt::MayBeFree),
            slot => Slot::of_glibc(slot),
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

    /// Whether the slot, which is in use, is still used by the same block.
    fn recognize(&mut self, before: &mut Fingerprint, parts: &Parts<'_>) -> Verdict {
        let Some(now) = Fingerprint::from_bytes(*before.block(), &self.allocators, parts) else {
            return Verdict::Unknown(Doubt::NoNotes);
        };
        let class = before.class();
        let common = self.kin.common(class, &before.content);
        let comparison = before.content.compare(&now.content, common);
        if before.is_of_other_type(&comparison, common) {
            return self.dead(before, DeathProof::OtherType);
        }
        let likeness = likeness(before.notes, &comparison);
        if likeness == Likeness::Sure {
            // A list node whose links change one after the other stays known.
            before.take_content(&now);
        }
        if likeness != Likeness::Poor || (comparison.changed == 0 && self.kin.is_still(class)) {
            Verdict::Alive
        } else if comparison.lost == 0 {
            Verdict::Unknown(Doubt::NothingTells)
        } else {
            Verdict::Unknown(Doubt::Changed)
        }
    }
}

impl Slot {
    fn of_glibc(slot: glibc::Slot) -> Self {
        match slot {
            glibc::Slot::Free(proof) => Self::Free(proof),
            glibc::Slot::InUse => Self::InUse,
            glibc::Slot::Linked(link) => Self::Look(glibc::linked_range(link)),
            glibc::Slot::After(chunk) => Self::Look(glibc::header_range(chunk)),
            glibc::Slot::MayBeFree => Self::Doubtful(Doubt::MayBeFree),
        }
    }
}

#[cfg(test)]
mod tests;
