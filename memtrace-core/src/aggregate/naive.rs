//! The ledger once more, slow and obvious, to compare with: a list of blocks, and sums made when asked for.

use std::collections::BTreeMap;

use memtrace_common::Domain;

use crate::decode::{Event, ReallocEnd};
use crate::model::Totals;

/// Where a live block is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    At(u64),
    InRealloc,
}

#[derive(Clone, Debug)]
struct NaiveBlock {
    number: u64,
    place: Place,
    size_bytes: u64,
    domain: Domain,
    stack_id: u64,
}

/// A realloc that began, and what the block was.
#[derive(Clone, Copy, Debug)]
enum Begun {
    Block { address: u64, number: u64 },
    Unknown { address: u64 },
    LeftToLibc { address: u64 },
}

impl Begun {
    const fn address(self) -> u64 {
        match self {
            Self::Block { address, .. } | Self::Unknown { address } | Self::LeftToLibc { address } => address,
        }
    }
}

/// The books of one process, without limits.
#[derive(Default, Debug)]
pub(super) struct NaiveLedger {
    blocks: Vec<NaiveBlock>,
    begun: BTreeMap<(u32, Domain), Begun>,
    python_free: BTreeMap<u32, u64>,
    libc_free: BTreeMap<u32, u64>,
    totals: Totals,
    pub(super) frees_inferred: u64,
}

impl NaiveLedger {
    pub(super) fn apply(&mut self, event: &Event<'_>) {
        match *event {
            Event::Allocated(allocation) => {
                self.python_free.remove(&allocation.origin.thread);
                self.enter(
                    allocation.address,
                    allocation.size_bytes,
                    allocation.origin.domain,
                    allocation.stack_id,
                );
            }
            Event::Freed(free) => {
                let python_freed = self.python_free.remove(&free.origin.thread);
                self.free(free.origin.thread, free.origin.domain, free.address, python_freed);
            }
            Event::ReallocBegun(begin) => {
                let (thread, domain) = (begin.origin.thread, begin.origin.domain);
                self.python_free.remove(&thread);
                if domain == Domain::Pymalloc {
                    self.give_up(thread, Domain::Pymalloc);
                }
                self.give_up(thread, Domain::Libc);
                if domain == Domain::Libc {
                    self.libc_was_handed(thread, begin.address);
                }
                let begun = self.begin(begin.address, domain);
                self.begun.insert((thread, domain), begun);
            }
            Event::ReallocEnded(end) => self.end(&end),
            _ => {}
        }
    }

    pub(super) fn forget_thread(&mut self, thread: u32) {
        self.python_free.remove(&thread);
        self.give_up(thread, Domain::Pymalloc);
        self.give_up(thread, Domain::Libc);
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            live_bytes: self.blocks.iter().map(|block| block.size_bytes).sum(),
            live_blocks: self.blocks.len() as u64,
            ..self.totals
        }
    }

    /// For each domain and stack id: live bytes and live blocks.
    pub(super) fn live_by_site(&self) -> BTreeMap<(Domain, u64), (u64, u64)> {
        let mut sites = BTreeMap::new();
        for block in &self.blocks {
            let (bytes, blocks) = sites.entry((block.domain, block.stack_id)).or_insert((0, 0));
            *bytes += block.size_bytes;
            *blocks += 1;
        }
        sites
    }

    fn at(&self, address: u64) -> Option<usize> {
        self.blocks.iter().position(|block| block.place == Place::At(address))
    }

    fn end_block(&mut self, index: usize) {
        let block = self.blocks.remove(index);
        self.totals.frees += 1;
        self.totals.freed_bytes += block.size_bytes;
    }

    fn enter(&mut self, address: u64, size_bytes: u64, domain: Domain, stack_id: u64) {
        if let Some(index) = self.at(address) {
            self.frees_inferred += 1;
            self.end_block(index);
        }
        self.totals.allocations += 1;
        self.totals.allocated_bytes += size_bytes;
        let number = self.totals.allocations;
        self.blocks.push(NaiveBlock { number, place: Place::At(address), size_bytes, domain, stack_id });
    }

    fn free(&mut self, thread: u32, domain: Domain, address: u64, python_freed: Option<u64>) {
        let is_begun_again =
            domain == Domain::Libc && self.libc_free.insert(thread, address) == Some(address);
        let index = self.at(address);
        match index.map(|index| self.blocks[index].domain) {
            Some(found) if found == domain => self.end_block(index.expect("found")),
            Some(Domain::Libc) => {}
            _ if domain == Domain::Pymalloc => {
                self.totals.frees_unknown += 1;
                self.python_free.insert(thread, address);
            }
            _ => {
                self.libc_was_handed(thread, address);
                if python_freed != Some(address) && !is_begun_again {
                    self.totals.frees_unknown += 1;
                }
            }
        }
    }

    fn libc_was_handed(&mut self, thread: u32, address: u64) {
        if let Some(begun) = self.begun.get_mut(&(thread, Domain::Pymalloc))
            && matches!(*begun, Begun::Unknown { address: unknown } if unknown == address)
        {
            *begun = Begun::LeftToLibc { address };
        }
    }

    fn begin(&mut self, address: u64, domain: Domain) -> Begun {
        let Some(index) = self.at(address) else { return Begun::Unknown { address } };
        let block = &mut self.blocks[index];
        match (domain, block.domain) {
            (Domain::Pymalloc, Domain::Libc) => Begun::LeftToLibc { address },
            (Domain::Libc, Domain::Pymalloc) => Begun::Unknown { address },
            _ => {
                block.place = Place::InRealloc;
                Begun::Block { address, number: block.number }
            }
        }
    }

    fn give_up(&mut self, thread: u32, domain: Domain) {
        if let Some(begun) = self.begun.remove(&(thread, domain)) {
            self.put_back(begun);
        }
    }

    fn put_back(&mut self, begun: Begun) {
        let Begun::Block { address, number } = begun else { return };
        let index = self.numbered(number);
        if self.at(address).is_some() {
            self.frees_inferred += 1;
            self.end_block(index);
        } else {
            self.blocks[index].place = Place::At(address);
        }
    }

    fn numbered(&self, number: u64) -> usize {
        self.blocks.iter().position(|block| block.number == number).expect("a begun block is live")
    }

    fn end(&mut self, end: &ReallocEnd) {
        self.python_free.remove(&end.origin.thread);
        let mut begun = self.begun.remove(&(end.origin.thread, end.origin.domain));
        if let Some(stale) = begun.filter(|begun| begun.address() != end.old_address) {
            self.put_back(stale);
            begun = None;
        }
        let begun = begun.unwrap_or_else(|| self.begin(end.old_address, end.origin.domain));
        if end.new_address == 0 && end.size_bytes > 0 {
            return self.put_back(begun);
        }
        match begun {
            Begun::Block { number, .. } => self.end_block(self.numbered(number)),
            Begun::Unknown { .. } => self.totals.frees_unknown += 1,
            Begun::LeftToLibc { .. } => {}
        }
        if end.new_address != 0 && !end.new_block_is_libc {
            self.enter(end.new_address, end.size_bytes, end.origin.domain, end.stack_id);
        }
    }
}
