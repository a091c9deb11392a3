//! The books of one process: what each memory event means.
//!
//! | event | what is at the address | what happens |
//! |---|---|---|
//! | `Allocated` | nothing | the block is entered |
//! | | a block | its free was lost: it is taken out (`free_inferred`), then the new one is entered |
//! | `Freed` | a block of the same domain | it is taken out |
//! | | Python frees a block of libc's | nothing: libc's own record follows |
//! | | libc frees a block of Python's | an unknown free; the block stays |
//! | | nothing | an unknown free, never subtracted; libc's directly after Python's in one thread is the same one |
//! | | nothing, as at the thread's last free, of the same address | nothing: it is the same call (`begun_again.rs`) |
//! | `ReallocBegun` | a block of the same domain | it leaves its address, and still counts as live |
//! | | Python reallocs a block of libc's | nothing: libc's own records follow |
//! | | nothing, or a block of Python's for libc | an unknown block is noted, to be counted at the end |
//! | `ReallocEnded` | new pointer | the old block is taken out (or is an unknown free), the new one is entered |
//! | | new pointer, but the new block is libc's | the old block is taken out; libc has reported the new one |
//! | | no pointer, size 0 | the old block is taken out (or is an unknown free) |
//! | | no pointer, size not 0 | it failed: the old block goes back to its address |
//!
//! When a record was lost:
//!
//! | what is seen | what happens |
//! |---|---|
//! | an end without its begin | the old block is looked up at its address |
//! | a begin without its end, and the thread exits or begins another | the old block goes back to its address |
//! | a block goes back to an address where another sits | the other stays, the one that came is taken out (`free_inferred`) |
//! | a stack was never received | the block is entered under a site without frames (`stack_missing`) |
//!
//! At a limit: no room for sites, and the block is entered under one site for all (`sites_full`); no room for blocks,
//! and the allocation counts in the totals and its site's but is *unfollowed* (`ledger_full`): it is never live, and
//! its free is an unknown one.

use std::sync::Arc;

use memtrace_common::{Domain, DropReason};

use super::begun_again::LastFrees;
use super::blocks::{Block, BlockTable, Taken};
use super::figures::{ReportInterval, Unfollowed};
use super::history::History;
use super::realloc::{Held, Old, Reallocs};
use super::samples::SampleBook;
use super::shared::Shared;
use super::sites::{Frameless, SiteNumber, Sites};
use super::stacks::Stacks;
use super::unknown_frees::UnknownFrees;
use crate::decode::{Allocation, Free, ReallocBegin, ReallocEnd};
use crate::model::{FrameRef, Totals};

#[derive(Debug)]
pub(super) struct ProcessLedger {
    pub(super) blocks: BlockTable,
    pub(super) reallocs: Reallocs,
    pub(super) sites: Sites,
    stacks: Stacks,
    unknown_frees: UnknownFrees,
    last_frees: LastFrees,
    pub(super) totals: Totals,
    pub(super) unfollowed: Unfollowed,
    /// Counted as allocated, and followed by the book or by nobody: blocks that the ledger gave to the book, and what
    /// windows said was allocated.
    pub(super) passed_on: Unfollowed,
    pub(super) interval: ReportInterval,
    pub(super) history: History,
    /// The samples, from the first time on that the process was seen in windows.
    pub(super) book: Option<Box<SampleBook>>,
    /// Nothing is entered any more.
    pub(super) is_closed: bool,
}

impl ProcessLedger {
    pub(super) fn new(now_ns: u64) -> Self {
        Self {
            blocks: BlockTable::new(),
            reallocs: Reallocs::default(),
            sites: Sites::default(),
            stacks: Stacks::default(),
            unknown_frees: UnknownFrees::default(),
            last_frees: LastFrees::default(),
            totals: Totals::default(),
            unfollowed: Unfollowed::default(),
            passed_on: Unfollowed::default(),
            interval: ReportInterval::starting(now_ns),
            history: History::starting(now_ns),
            book: None,
            is_closed: false,
        }
    }

    pub(super) fn define_stack(
        &mut self,
        stack_id: u64,
        check: u64,
        frames: Arc<[FrameRef]>,
        shared: &mut Shared,
    ) {
        if self.stacks.define(stack_id, check, frames, shared.limits.stacks) {
            shared.count(DropReason::StackIdCollision);
        }
    }

    #[inline]
    pub(super) fn allocated(&mut self, allocation: &Allocation, shared: &mut Shared) {
        self.unknown_frees.take(allocation.origin.thread);
        let block = Block {
            size_bytes: allocation.size_bytes,
            site: self.site_of(allocation.stack_id, allocation.origin.domain, shared),
            born: shared.epoch.tick(allocation.time_ns),
        };
        self.enter(allocation.address, block, shared);
    }

    #[inline]
    pub(super) fn freed(&mut self, free: &Free, shared: &mut Shared) {
        let passed_on = self.unknown_frees.take(free.origin.thread) == Some(free.address);
        let is_begun_again = free.origin.domain == Domain::Libc
            && self.last_frees.is_begun_again(free.origin.thread, free.address);
        match (free.origin.domain, self.take(free.address, free.origin.domain)) {
            (_, Taken::Block(block)) => self.release(&block, shared),
            (Domain::Pymalloc, Taken::Refused) => {}
            (Domain::Pymalloc, Taken::Nothing) => {
                self.totals.frees_unknown += 1;
                self.unknown_frees.remember(free.origin.thread, free.address);
            }
            (Domain::Libc, Taken::Refused | Taken::Nothing) => {
                self.reallocs.leave_to_libc(free.origin.thread, free.address);
                self.totals.frees_unknown += u64::from(!passed_on && !is_begun_again);
            }
        }
    }

    pub(super) fn realloc_begun(&mut self, begin: &ReallocBegin, shared: &mut Shared) {
        let thread = begin.origin.thread;
        self.unknown_frees.take(thread);
        match begin.origin.domain {
            Domain::Pymalloc => self.abandon_reallocs(thread, shared),
            Domain::Libc => {
                self.abandon_realloc(thread, Domain::Libc, shared);
                self.reallocs.leave_to_libc(thread, begin.address);
            }
        }
        if !self.reallocs.is_full(shared.limits.reallocs) {
            let old = self.take_old(begin.address, begin.origin.domain);
            self.reallocs.hold(thread, begin.origin.domain, Held { address: begin.address, old });
        }
    }

    pub(super) fn realloc_ended(&mut self, end: &ReallocEnd, shared: &mut Shared) {
        self.unknown_frees.take(end.origin.thread);
        let held = self.held_for(end, shared);
        if end.new_address == 0 && end.size_bytes != 0 {
            return self.put_back(held, shared);
        }
        match held.old {
            Old::Known(block) => self.release(&block, shared),
            Old::Unknown => self.totals.frees_unknown += 1,
            Old::LeftToLibc => {}
        }
        if end.new_address != 0 && !end.new_block_is_libc {
            let block = Block {
                size_bytes: end.size_bytes,
                site: self.site_of(end.stack_id, end.origin.domain, shared),
                born: shared.epoch.tick(end.time_ns),
            };
            self.enter(end.new_address, block, shared);
        }
    }

    /// Reads what an event at this address will read, and changes nothing.
    #[inline]
    pub(super) fn warm(&self, address: u64) {
        std::hint::black_box(self.blocks.get(address).map(|block| self.sites.get(block.site).live_bytes));
    }

    /// The thread will not end what it began: it exited, or was seen to begin something else.
    pub(super) fn forget_thread(&mut self, thread: u32, shared: &mut Shared) {
        self.unknown_frees.take(thread);
        self.abandon_reallocs(thread, shared);
        if let Some(book) = &mut self.book {
            book.forget_thread(thread);
        }
    }

    /// No end of a realloc will be seen: every block goes back to its address.
    pub(super) fn give_up_reallocs(&mut self, shared: &mut Shared) {
        for thread in self.reallocs.threads() {
            self.abandon_reallocs(thread, shared);
        }
    }

    fn abandon_reallocs(&mut self, thread: u32, shared: &mut Shared) {
        self.abandon_realloc(thread, Domain::Pymalloc, shared);
        self.abandon_realloc(thread, Domain::Libc, shared);
    }

    fn abandon_realloc(&mut self, thread: u32, domain: Domain, shared: &mut Shared) {
        if let Some(held) = self.reallocs.release(thread, domain) {
            self.put_back(held, shared);
        }
    }

    /// What the begin of this realloc set aside; without a begin, what is at the old address.
    fn held_for(&mut self, end: &ReallocEnd, shared: &mut Shared) -> Held {
        match self.reallocs.release(end.origin.thread, end.origin.domain) {
            Some(held) if held.address == end.old_address => held,
            other => {
                if let Some(held) = other {
                    self.put_back(held, shared);
                }
                Held { address: end.old_address, old: self.take_old(end.old_address, end.origin.domain) }
            }
        }
    }

    fn put_back(&mut self, held: Held, shared: &mut Shared) {
        let Old::Known(block) = held.old else { return };
        if self.blocks.contains(held.address) {
            shared.count(DropReason::FreeInferred);
            self.release(&block, shared);
        } else {
            self.blocks.insert(held.address, block);
        }
    }

    fn take_old(&mut self, address: u64, domain: Domain) -> Old {
        match (domain, self.take(address, domain)) {
            (_, Taken::Block(block)) => Old::Known(block),
            (Domain::Pymalloc, Taken::Refused) => Old::LeftToLibc,
            (Domain::Libc, Taken::Refused) | (_, Taken::Nothing) => Old::Unknown,
        }
    }

    /// Takes the block at an address out of the table if it is of this domain. It stays in the totals.
    #[inline]
    fn take(&mut self, address: u64, domain: Domain) -> Taken {
        let sites = &self.sites;
        self.blocks.take(address, |block| sites.get(block.site).domain == domain)
    }

    /// Counts an allocation, and follows it if there is room.
    #[inline]
    fn enter(&mut self, address: u64, block: Block, shared: &mut Shared) {
        let site = self.sites.get_mut(block.site);
        site.count_allocation(block.size_bytes);
        self.totals.allocations += 1;
        self.totals.allocated_bytes = self.totals.allocated_bytes.wrapping_add(block.size_bytes);
        if shared.is_full() && !self.blocks.contains(address) {
            shared.count(DropReason::LedgerFull);
            self.unfollowed.allocations += 1;
            self.unfollowed.bytes = self.unfollowed.bytes.wrapping_add(block.size_bytes);
            return;
        }
        site.enter(block.size_bytes);
        self.totals.live_blocks += 1;
        self.totals.live_bytes = self.totals.live_bytes.wrapping_add(block.size_bytes);
        shared.live_blocks += 1;
        if let Some(replaced) = self.blocks.insert(address, block) {
            shared.count(DropReason::FreeInferred);
            self.release(&replaced, shared);
        }
        debug_assert!(self.is_balanced());
    }

    /// Counts the end of a block that is out of the table already.
    #[inline]
    fn release(&mut self, block: &Block, shared: &mut Shared) {
        self.sites.get_mut(block.site).leave(block.size_bytes);
        self.totals.frees += 1;
        self.totals.freed_bytes = self.totals.freed_bytes.wrapping_add(block.size_bytes);
        self.totals.live_blocks -= 1;
        self.totals.live_bytes = self.totals.live_bytes.wrapping_sub(block.size_bytes);
        shared.live_blocks -= 1;
        debug_assert!(self.is_balanced());
    }

    /// The first of the invariant's equations, the one that is quick to check.
    pub(super) const fn is_balanced(&self) -> bool {
        let Totals { allocated_bytes, allocations, freed_bytes, frees, .. } = self.totals;
        self.totals.live_blocks
            == allocations - frees - self.unfollowed.allocations - self.passed_on.allocations
            && self.totals.live_bytes
                == allocated_bytes
                    .wrapping_sub(freed_bytes)
                    .wrapping_sub(self.unfollowed.bytes)
                    .wrapping_sub(self.passed_on.bytes)
    }

    #[inline]
    pub(super) fn site_of(&mut self, stack_id: u64, domain: Domain, shared: &mut Shared) -> SiteNumber {
        self.stacks.site(stack_id, domain).unwrap_or_else(|| self.new_site_of(stack_id, domain, shared))
    }

    /// The site of a stack that was just defined, just came back into use, or is not known.
    #[cold]
    fn new_site_of(&mut self, stack_id: u64, domain: Domain, shared: &mut Shared) -> SiteNumber {
        let Some(stack) = self.stacks.get_mut(stack_id, shared.limits.stacks) else {
            shared.count(DropReason::StackMissing);
            return self.sites.frameless(domain, Frameless::StackMissing);
        };
        if let Some(site) = stack.site(domain) {
            return site;
        }
        let Some(site) = self.sites.intern(domain, &stack.frames, shared.limits.sites) else {
            shared.count(DropReason::SitesFull);
            return self.sites.frameless(domain, Frameless::SitesFull);
        };
        // Equal frames are kept once, the site's.
        stack.frames = Arc::clone(&self.sites.get(site).frames);
        stack.set_site(domain, site);
        site
    }
}
