//! Sites: what was allocated under one stack in one domain, and what of it lives.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use memtrace_common::Domain;

use crate::model::FrameRef;

/// A site of one process, by the order in which it was first seen.
pub(super) type SiteNumber = u32;

/// Sums are modulo 2^64: an allocator that invents sizes must not stop the daemon, and equalities between sums
/// still hold.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) domain: Domain,
    pub(super) frames: Arc<[FrameRef]>,
    pub(super) live_bytes: u64,
    pub(super) live_blocks: u64,
    pub(super) allocated_bytes: u64,
    pub(super) allocations: u64,
    /// `live_bytes` when the interval began.
    pub(super) live_bytes_before: u64,
    /// `allocations` when the interval began.
    pub(super) allocations_before: u64,
}

impl Site {
    const fn new(domain: Domain, frames: Arc<[FrameRef]>) -> Self {
        Self {
            domain,
            frames,
            live_bytes: 0,
            live_blocks: 0,
            allocated_bytes: 0,
            allocations: 0,
            live_bytes_before: 0,
            allocations_before: 0,
        }
    }

    #[inline]
    pub(super) const fn count_allocation(&mut self, size_bytes: u64) {
        self.allocations += 1;
        self.allocated_bytes = self.allocated_bytes.wrapping_add(size_bytes);
    }

    #[inline]
    pub(super) const fn enter(&mut self, size_bytes: u64) {
        self.live_blocks += 1;
        self.live_bytes = self.live_bytes.wrapping_add(size_bytes);
    }

    #[inline]
    pub(super) const fn leave(&mut self, size_bytes: u64) {
        self.live_blocks -= 1;
        self.live_bytes = self.live_bytes.wrapping_sub(size_bytes);
    }
}

/// Why a site has no frames of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frameless {
    /// The stack was never received.
    StackMissing,
    /// The process has too many sites; this one stands for the rest.
    SitesFull,
}

impl Frameless {
    const fn reason(self) -> &'static str {
        match self {
            Self::StackMissing => "stack_missing",
            Self::SitesFull => "sites_full",
        }
    }
}

/// The sites of one process. None is ever removed: a block refers to its site by number.
#[derive(Debug, Default)]
pub(super) struct Sites {
    sites: Vec<Site>,
    by_frames: HashTable<SiteNumber>,
    hasher: DefaultHashBuilder,
    /// How many of `sites` are frameless; they do not count towards the limit.
    frameless: usize,
}

impl Sites {
    /// The site of these frames, new if there is room. `None` when there is not.
    pub(super) fn intern(
        &mut self,
        domain: Domain,
        frames: &Arc<[FrameRef]>,
        limit: usize,
    ) -> Option<SiteNumber> {
        if let Some(known) = self.find(domain, frames) {
            return Some(known);
        }
        (self.sites.len() - self.frameless < limit).then(|| self.add(domain, Arc::clone(frames)))
    }

    /// The site that stands in for allocations whose own site cannot be had. There is always room for these.
    pub(super) fn frameless(&mut self, domain: Domain, why: Frameless) -> SiteNumber {
        let frames = [FrameRef::Unknown { address: 0, reason: why.reason() }];
        if let Some(known) = self.find(domain, &frames) {
            return known;
        }
        self.frameless += 1;
        self.add(domain, Arc::new(frames))
    }

    fn find(&self, domain: Domain, frames: &[FrameRef]) -> Option<SiteNumber> {
        let hash = self.hasher.hash_one((domain, frames));
        let same = |&number: &SiteNumber| {
            let site = &self.sites[number as usize];
            site.domain == domain && *site.frames == *frames
        };
        self.by_frames.find(hash, same).copied()
    }

    fn add(&mut self, domain: Domain, frames: Arc<[FrameRef]>) -> SiteNumber {
        let number = self.sites.len() as SiteNumber;
        let hash = self.hasher.hash_one((domain, &*frames));
        self.sites.push(Site::new(domain, frames));
        let Self { sites, by_frames, hasher, .. } = self;
        by_frames.insert_unique(hash, number, |&number| {
            let site = &sites[number as usize];
            hasher.hash_one((site.domain, &*site.frames))
        });
        number
    }

    #[inline]
    pub(super) fn get(&self, number: SiteNumber) -> &Site {
        &self.sites[number as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: SiteNumber) -> &mut Site {
        &mut self.sites[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.sites.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter()
    }

    /// The blocks are followed elsewhere from now on.
    pub(super) fn forget_live(&mut self) {
        for site in &mut self.sites {
            site.live_bytes = 0;
            site.live_blocks = 0;
        }
    }

    /// `sampled_bytes` are live bytes that are followed elsewhere, by site; missing ones have none.
    pub(super) fn end_interval(&mut self, sampled_bytes: &[u64]) {
        let sampled_bytes = sampled_bytes.iter().copied().chain(std::iter::repeat(0));
        for (site, sampled_bytes) in self.sites.iter_mut().zip(sampled_bytes) {
            site.live_bytes_before = site.live_bytes.wrapping_add(sampled_bytes);
            site.allocations_before = site.allocations;
        }
    }
}
