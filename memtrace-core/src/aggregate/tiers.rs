//! A process between the exact ledger and windows: which of the two each record belongs to.
//!
//! | tier | a record with a window | one without |
//! |---|---|---|
//! | exact, never was in windows | is late, and left out | the ledger's; this file is not asked |
//! | windows | the book's | is late: it ends samples, and nothing is entered |
//! | exact, after windows | is late: it ends samples | it ends samples, and the ledger enters it |
//!
//! A free of a block that the book follows is no unknown free of the ledger's.

use memtrace_common::DropReason;

use super::history::History;
use super::ledger::ProcessLedger;
use super::samples::{Adopted, Births, Candidate, Closed, SampleBook, Tier, WindowShare};
use super::shared::Shared;
use crate::decode::{Allocation, Event, ReallocEnd};

impl ProcessLedger {
    /// True when records are not simply the ledger's.
    #[inline]
    pub(super) const fn is_special(&self) -> bool {
        self.is_closed || self.book.is_some()
    }

    /// As `apply`, for a process that is closed, or has a book, or for a record of a window.
    #[cold]
    pub(super) fn apply_special(&mut self, event: &Event<'_>, shared: &mut Shared) {
        if self.is_closed {
            return;
        }
        let Some(book) = &mut self.book else {
            if let Event::Allocated(_) = event {
                shared.count(DropReason::WindowVoid);
            }
            return;
        };
        let (is_exact, ended) = match event {
            Event::Allocated(allocation) => {
                book.heard(allocation.time_ns);
                let ended = book.handed_out(allocation.address);
                self.sampled(allocation, shared);
                (allocation.origin.window == 0, ended)
            }
            Event::HandedOut(address) => (false, book.handed_out(address.address)),
            Event::Freed(free) => (free.origin.window == 0, book.freed(free.address, free.origin.domain)),
            Event::ReallocBegun(begin) => {
                book.realloc_begun(begin.origin.thread, begin.origin.domain, begin.address);
                (begin.origin.window == 0, false)
            }
            Event::ReallocEnded(end) => {
                book.heard(end.time_ns);
                let ended = book.realloc_ended(end);
                if end.new_address != 0 && !end.new_block_is_libc && !end.is_unsampled {
                    self.sampled(&new_block(end), shared);
                }
                (end.origin.window == 0, ended)
            }
            _ => return,
        };
        if is_exact && self.tier() == Tier::Exact {
            self.apply_exact(event, ended, shared);
        }
    }

    fn tier(&self) -> Tier {
        self.book.as_ref().map_or(Tier::Exact, |book| book.tier)
    }

    /// Enters an allocation of a window among the samples.
    fn sampled(&mut self, allocation: &Allocation, shared: &mut Shared) {
        if allocation.origin.window == 0 {
            return;
        }
        let site = self.site_of(allocation.stack_id, allocation.origin.domain, shared);
        let is_sampled = self.book.as_mut().is_some_and(|book| book.sampled(allocation, site));
        if !is_sampled {
            shared.count(DropReason::WindowVoid);
        }
    }

    fn apply_exact(&mut self, event: &Event<'_>, ended_sample: bool, shared: &mut Shared) {
        let frees_unknown = self.totals.frees_unknown;
        match event {
            Event::Allocated(allocation) => self.allocated(allocation, shared),
            Event::Freed(free) => self.freed(free, shared),
            Event::ReallocBegun(begin) => self.realloc_begun(begin, shared),
            Event::ReallocEnded(end) => self.realloc_ended(end, shared),
            _ => {}
        }
        if ended_sample {
            self.totals.frees_unknown = frees_unknown;
        }
    }

    /// From now on only windows are seen: the blocks of the ledger become samples, and the ledger is empty.
    pub(super) fn begin_windows(&mut self, seed: u64, shared: &mut Shared, now_ns: u64) -> Vec<Candidate> {
        if self.book.as_ref().is_some_and(|book| book.tier == Tier::Windows) {
            return Vec::new();
        }
        let blocks = self.take_blocks(shared);
        let book = self.book.get_or_insert_with(|| Box::new(SampleBook::new(seed, now_ns)));
        book.tier = Tier::Windows;
        // Of blocks that died in the exact tier, the book knows nothing; so growth begins anew.
        self.history = History::starting(now_ns);
        book.adopt(&blocks, now_ns)
    }

    /// From now on every record is seen: the ledger starts empty, and the samples are followed until they die.
    pub(super) fn begin_exact(&mut self, shared: &mut Shared) {
        if let Some(book) = &mut self.book {
            shared.drops.add(DropReason::WindowVoid, book.void_open_window());
            book.tier = Tier::Exact;
        }
    }

    /// Empties the ledger of live blocks; what was allocated and freed stays counted.
    fn take_blocks(&mut self, shared: &mut Shared) -> Vec<Adopted> {
        self.give_up_reallocs(shared);
        let blocks = std::mem::take(&mut self.blocks);
        let adopted = blocks.iter_placed().map(|(address, block)| Adopted {
            address,
            size_bytes: block.size_bytes,
            born_ns: shared.epoch.time_ns(block.born),
            site: block.site,
            domain: self.sites.get(block.site).domain,
        });
        let adopted: Vec<_> = adopted.collect();
        self.passed_on.add(self.totals.live_blocks, self.totals.live_bytes);
        shared.live_blocks -= self.totals.live_blocks as usize;
        self.totals.live_blocks = 0;
        self.totals.live_bytes = 0;
        self.sites.forget_live();
        adopted
    }

    /// Ends a window; what it says of allocations is counted.
    pub(super) fn close_window(&mut self, window: u32, share: &WindowShare, shared: &mut Shared) {
        let Some(closed) = self.book.as_mut().and_then(|book| book.close_window(window, share)) else {
            return;
        };
        match closed {
            Closed::Void(samples) => shared.drops.add(DropReason::WindowVoid, samples),
            Closed::Counted(births) => births.iter().for_each(|births| self.count_births(births)),
        }
        self.fit_samples(shared);
        self.enter_history(share.closed_ns);
    }

    /// Allocations that nothing followed one by one.
    fn count_births(&mut self, births: &Births) {
        let bytes = births.blocks.wrapping_mul(births.size_bytes);
        let site = self.sites.get_mut(births.site);
        site.allocations += births.blocks;
        site.allocated_bytes = site.allocated_bytes.wrapping_add(bytes);
        self.totals.allocations += births.blocks;
        self.totals.allocated_bytes = self.totals.allocated_bytes.wrapping_add(bytes);
        self.passed_on.add(births.blocks, bytes);
    }

    /// Drops samples if there are more than this process' part of the room.
    pub(super) fn fit_samples(&mut self, shared: &mut Shared) {
        if let Some(book) = &mut self.book {
            let dropped = book.fit(shared.samples_max());
            shared.drops.add(DropReason::SamplesFull, dropped);
        }
    }

    pub(super) fn enter_history(&mut self, now_ns: u64) {
        self.history.enter(now_ns, self.sites.iter().map(|site| site.live_bytes));
    }
}

/// The new block of a realloc is an allocation like any other.
const fn new_block(end: &ReallocEnd) -> Allocation {
    Allocation {
        origin: end.origin,
        address: end.new_address,
        size_bytes: end.size_bytes,
        stack_id: end.stack_id,
        time_ns: end.time_ns,
        rarity_log2: end.rarity_log2,
    }
}
