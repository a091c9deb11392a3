//! The ledgers of all processes behind one door.

use std::sync::Arc;

use hashbrown::HashMap;
use memtrace_common::DropReason;

use super::drops::DropCounts;
use super::figures::ProcessFigures;
use super::ledger::ProcessLedger;
use super::query::Query;
use super::shared::{Limits, Shared};
use crate::decode::Event;
use crate::model::{FrameRef, Totals};

/// Events looked up ahead: about as many loads as a processor keeps in flight.
const WARM_ROW: usize = 16;

/// Live blocks below which the tables are in the processor's caches anyway.
const WARM_BLOCKS_MIN: usize = 50_000;

/// Keeps the books of every followed process. Times are CLOCK_MONOTONIC, as in the records.
#[derive(Debug)]
pub struct Aggregator {
    pub(super) processes: HashMap<u32, ProcessLedger>,
    pub(super) shared: Shared,
    events: u64,
}

impl Aggregator {
    /// An aggregator of no process yet, with the default limits.
    #[must_use]
    pub fn new(now_ns: u64) -> Self {
        Self::with_limits(now_ns, Limits::default())
    }

    /// As `new`, with other limits.
    #[must_use]
    pub fn with_limits(now_ns: u64, limits: Limits) -> Self {
        Self { processes: HashMap::new(), shared: Shared::new(limits, now_ns), events: 0 }
    }

    /// Follows a process from now on, with empty books. A process that is followed already keeps its books.
    /// False when there are too many processes (counted as `processes_full`).
    pub fn add_process(&mut self, target: u32, now_ns: u64) -> bool {
        if self.contains(target) {
            return true;
        }
        if self.processes.len() >= self.shared.limits.processes {
            self.shared.count(DropReason::ProcessesFull);
            return false;
        }
        self.processes.insert(target, ProcessLedger::new(now_ns));
        true
    }

    /// Enters nothing more for a process, and keeps its books as they are: it has executed a program that is not
    /// followed, and what the kernel side still sends of that one is not to be mixed in.
    pub fn close(&mut self, target: u32) {
        if let Some(ledger) = self.processes.get_mut(&target) {
            ledger.is_closed = true;
        }
    }

    /// Stops following a process and releases everything of it. False when it was not followed.
    pub fn remove_process(&mut self, target: u32) -> bool {
        let Some(ledger) = self.processes.remove(&target) else { return false };
        self.shared.live_blocks -= ledger.totals.live_blocks as usize;
        self.shared.books -= usize::from(ledger.book.is_some());
        true
    }

    /// Empties the books after an exec: the memory is gone, and so are blocks, sites and stacks. Totals restart at
    /// zero and an interval begins. Stacks must be defined anew, so the caller makes the kernel side send them.
    pub fn clear(&mut self, target: u32, now_ns: u64) {
        if self.remove_process(target) {
            self.processes.insert(target, ProcessLedger::new(now_ns));
        }
    }

    /// True when the process is followed.
    #[must_use]
    pub fn contains(&self, target: u32) -> bool {
        self.processes.contains_key(&target)
    }

    /// Says what a stack id stands for from now on; blocks allocated earlier keep their site. Ids with equal frames
    /// share a site. Another `check` than before means another stack with the same id (`stack_id_collision`): the
    /// latest one holds, because the kernel side sends a stack again whenever it finds another in its place.
    pub fn define_stack(&mut self, target: u32, stack_id: u64, check: u64, frames: Arc<[FrameRef]>) {
        match self.processes.get_mut(&target) {
            Some(ledger) => ledger.define_stack(stack_id, check, frames, &mut self.shared),
            None => self.shared.count(DropReason::UnknownTarget),
        }
    }

    /// Enters a memory event in the books; what each means stands at the top of `ledger.rs`. Other events change
    /// nothing: what they mean is the caller's to say with `define_stack`, `clear` and so on.
    #[inline]
    pub fn apply(&mut self, event: &Event<'_>) {
        let origin = match event {
            Event::Allocated(allocation) => allocation.origin,
            Event::Freed(free) => free.origin,
            Event::ReallocBegun(begin) => begin.origin,
            Event::ReallocEnded(end) => end.origin,
            Event::HandedOut(address) => address.origin,
            Event::Stack(_)
            | Event::OverAllowance { .. }
            | Event::Forked { .. }
            | Event::Executed { .. }
            | Event::Exited { .. }
            | Event::Renamed { .. } => return,
        };
        self.events += 1;
        let Some(ledger) = self.processes.get_mut(&origin.target) else {
            return self.shared.count(DropReason::UnknownTarget);
        };
        if ledger.is_special() || origin.window != 0 {
            return ledger.apply_special(event, &mut self.shared);
        }
        match event {
            Event::Allocated(allocation) => ledger.allocated(allocation, &mut self.shared),
            Event::Freed(free) => ledger.freed(free, &mut self.shared),
            Event::ReallocBegun(begin) => ledger.realloc_begun(begin, &mut self.shared),
            Event::ReallocEnded(end) => ledger.realloc_ended(end, &mut self.shared),
            _ => {}
        }
    }

    /// `apply` for each event, in order. With many live blocks this is about twice as fast: the places of a row of
    /// blocks are looked up before the first is changed, so that the processor waits for all of them at once.
    pub fn apply_all(&mut self, events: &[Event<'_>]) {
        for row in events.chunks(WARM_ROW) {
            if self.shared.live_blocks >= WARM_BLOCKS_MIN {
                row.iter().for_each(|event| self.warm(event));
            }
            row.iter().for_each(|event| self.apply(event));
        }
    }

    #[inline]
    fn warm(&self, event: &Event<'_>) {
        let (target, address) = match event {
            Event::Allocated(allocation) => (allocation.origin.target, allocation.address),
            Event::Freed(free) => (free.origin.target, free.address),
            Event::ReallocBegun(begin) => (begin.origin.target, begin.address),
            Event::ReallocEnded(end) => (end.origin.target, end.new_address),
            _ => return,
        };
        if let Some(ledger) = self.processes.get(&target) {
            ledger.warm(address);
        }
    }

    /// A thread exited: a realloc that it did not end is given up, and its block lives on.
    pub fn forget_thread(&mut self, target: u32, thread: u32) {
        if let Some(ledger) = self.processes.get_mut(&target) {
            ledger.forget_thread(thread, &mut self.shared);
        }
    }

    /// What the books of a process say now: one pass over its live blocks. `None` when it is not followed.
    #[must_use]
    pub fn figures(&self, target: u32, query: &Query, now_ns: u64) -> Option<ProcessFigures> {
        Some(self.processes.get(&target)?.figures(query, self.shared.epoch, now_ns))
    }

    /// The totals alone: at no cost, but for a process with samples, of which they are the exact part. `None` when
    /// the process is not followed.
    #[must_use]
    pub fn totals(&self, target: u32) -> Option<Totals> {
        Some(self.processes.get(&target)?.totals)
    }

    /// Ends the interval of rates and growth, and begins the next. To be called after the figures were read.
    pub fn end_interval(&mut self, target: u32, now_ns: u64) {
        if let Some(ledger) = self.processes.get_mut(&target) {
            ledger.end_interval(&mut self.shared, now_ns);
            self.shared.books -= usize::from(ledger.drop_idle_book(now_ns));
        }
    }

    /// What this stage lost.
    #[must_use]
    pub const fn drops(&self) -> &DropCounts {
        &self.shared.drops
    }

    /// Memory events received, those of unknown processes included.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Live blocks of all processes.
    #[must_use]
    pub const fn live_blocks(&self) -> usize {
        self.shared.live_blocks
    }

    /// How many live blocks there is room for.
    #[must_use]
    pub const fn live_blocks_max(&self) -> usize {
        self.shared.limits.live_blocks
    }

    #[cfg(test)]
    pub(in crate::aggregate) fn ledger(&self, target: u32) -> &ProcessLedger {
        &self.processes[&target]
    }
}
