//! The samples of one process: what each record means for them.
//!
//! | record | what happens to samples |
//! |---|---|
//! | `Allocated` in the open window | what was at the address has died; the block is a sample |
//! | `Allocated` elsewhere, `HandedOut` | what was at the address has died |
//! | `Freed` | what is at the address has died, if it is of the same domain; else the other's record follows |
//! | `ReallocBegun` | what is at the address leaves it, and waits for the end |
//! | `ReallocEnded` | it succeeded: the old block has died, and so has what was at the new address |
//! | | it failed: the old block goes back |
//! | (the window closes) | the end of a realloc will not be seen: the block goes back, as unknown |
//!
//! So whoever is found dead here is dead. The other way round it takes looks at memory: outside windows nothing is
//! seen of a process, which is why the caller reports what it finds ([`SampleBook::judged`]).
//!
//! Invariant: an address leads to at most one sample, and no sample is at two addresses.

use hashbrown::HashMap;
use memtrace_common::Domain;

use super::cut::Weights;
use super::followed::{Followed, Verdict};
use super::random::{mixed, unit};
use super::sample::{Sample, SampleNumber, State, Stretch};
use super::window::{Candidate, Fortune, OpenWindow, WindowStart};
use crate::aggregate::sites::SiteNumber;
use crate::decode::{Allocation, ReallocEnd};
use crate::limits;

/// What the records of a process without a window number mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::aggregate) enum Tier {
    /// They come late: the exact ledger is closed.
    Windows,
    /// The exact ledger follows every block that is born now.
    Exact,
}

/// Where a sample is.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: SampleNumber,
    domain: Domain,
}

/// A sample between the two records of a realloc.
#[derive(Clone, Copy, Debug)]
struct Held {
    address: u64,
    place: Place,
}

/// The samples of one process.
#[derive(Debug)]
pub(in crate::aggregate) struct SampleBook {
    pub(in crate::aggregate) tier: Tier,
    pub(super) open: Option<OpenWindow>,
    pub(super) followed: Followed,
    by_address: HashMap<u64, Place>,
    held: HashMap<(u32, Domain), Held>,
    pub(super) next_number: SampleNumber,
    /// The latest time that was heard of: records of frees carry none.
    pub(super) clock_ns: u64,
    /// The end of the last window that was not void.
    pub(super) stretch_began_ns: u64,
    /// No window has told yet of what was born since the exact ledger was closed.
    pub(super) is_first_stretch: bool,
}

/// Where windows fail to come for this long, as in a process that is not traced for a while, nothing bounds what was
/// born since the last one.
const UNSEEN_NS: u64 = 30_000_000_000;

impl SampleBook {
    pub(in crate::aggregate) fn new(seed: u64, now_ns: u64) -> Self {
        Self {
            tier: Tier::Windows,
            open: None,
            followed: Followed::new(seed),
            by_address: HashMap::new(),
            held: HashMap::new(),
            next_number: 1,
            clock_ns: now_ns,
            stretch_began_ns: now_ns,
            is_first_stretch: true,
        }
    }

    /// True when blocks may have been born of which no window has told anything.
    pub(in crate::aggregate) fn is_blind(&self, now_ns: u64) -> bool {
        let unseen_ns = now_ns.saturating_sub(self.stretch_began_ns);
        let unseen_max_ns = if self.is_first_stretch { 0 } else { UNSEEN_NS };
        self.tier == Tier::Windows && unseen_ns > unseen_max_ns
    }

    /// Takes blocks of the exact ledger along, as many as there is room for: address and block. What was taken.
    pub(in crate::aggregate) fn adopt(&mut self, blocks: &[Adopted], now_ns: u64) -> Vec<Candidate> {
        self.heard(now_ns);
        self.stretch_began_ns = now_ns;
        self.is_first_stretch = true;
        let cut =
            Weights::of(blocks.iter().map(|block| block.size_bytes as f64)).cut(limits::SAMPLES_ADOPTED);
        // By the address and not in turn: the blocks come in no order that a seed would repeat.
        let draw = self.followed.random.next();
        let mut taken = Vec::new();
        for block in blocks {
            let probability = cut.probability(block.size_bytes as f64);
            if unit(mixed(block.address ^ draw)) >= probability {
                continue;
            }
            let number = self.next_number;
            self.next_number += 1;
            self.put(block.address, Place { number, domain: block.domain });
            let sample = Sample {
                number,
                address: block.address,
                size_bytes: block.size_bytes,
                born_ns: block.born_ns.min(now_ns),
                site: block.site,
                domain: block.domain,
                state: State::Alive { checked_ns: now_ns },
                weight: 1.0 / probability,
                stretch: Stretch::EXACT,
            };
            self.followed.follow(sample, now_ns);
            taken.push(candidate(&sample));
        }
        taken
    }

    /// Opens a window, unless everything is seen anyway. One that is still open is void: how many samples that cost.
    pub(in crate::aggregate) fn begin_window(&mut self, start: WindowStart) -> u64 {
        let lost = self.void_open_window();
        self.heard(start.opens_ns);
        if self.tier == Tier::Exact {
            return lost;
        }
        self.open = Some(OpenWindow::new(start, self.next_number));
        lost
    }

    /// A time was heard of.
    pub(in crate::aggregate) fn heard(&mut self, time_ns: u64) {
        self.clock_ns = self.clock_ns.max(time_ns);
    }

    /// An allocation that was sampled, at an address that was handed out. False when its window is not open.
    pub(in crate::aggregate) fn sampled(&mut self, allocation: &Allocation, site: SiteNumber) -> bool {
        self.heard(allocation.time_ns);
        let window = allocation.origin.window;
        let Some(open) = self.open.as_mut().filter(|open| open.start.window == window) else { return false };
        if open.born.len() >= limits::WINDOW_SAMPLES {
            open.overflown += 1;
            return true;
        }
        let number = open.sampled(allocation, site);
        self.put(allocation.address, Place { number, domain: allocation.origin.domain });
        true
    }

    /// An address was handed out: what was there has died. True when that was a sample.
    pub(in crate::aggregate) fn handed_out(&mut self, address: u64) -> bool {
        if let Some(open) = &mut self.open {
            open.handed_out(address);
        }
        let place = self.by_address.remove(&address);
        if let Some(place) = place {
            self.end(place.number);
        }
        place.is_some()
    }

    /// A block was given back. True when it was a sample.
    pub(in crate::aggregate) fn freed(&mut self, address: u64, domain: Domain) -> bool {
        if let Some(open) = &mut self.open
            && domain == Domain::Libc
        {
            open.freed(address);
        }
        let place = self.take(address, domain);
        if let Some(place) = place {
            self.end(place.number);
        }
        place.is_some()
    }

    /// A realloc was entered.
    pub(in crate::aggregate) fn realloc_begun(&mut self, thread: u32, domain: Domain, address: u64) {
        self.put_back(thread, domain);
        if let Some(place) = self.take(address, domain) {
            self.set_fortune(place.number, Fortune::Held);
            self.held.insert((thread, domain), Held { address, place });
        }
    }

    /// A realloc returned. True when its old block was a sample, and has died.
    pub(in crate::aggregate) fn realloc_ended(&mut self, end: &ReallocEnd) -> bool {
        let key = (end.origin.thread, end.origin.domain);
        let is_failed = end.new_address == 0 && end.size_bytes != 0;
        let is_of_this_call = self.held.get(&key).is_some_and(|held| held.address == end.old_address);
        if is_failed || !is_of_this_call {
            self.put_back(key.0, key.1);
        }
        if is_failed {
            return false;
        }
        let old = match self.held.remove(&key) {
            Some(held) => Some(held.place),
            None => self.take(end.old_address, key.1),
        };
        if let Some(place) = old {
            self.end(place.number);
        }
        if end.new_address != 0 && !end.new_block_is_libc {
            self.handed_out(end.new_address);
        }
        old.is_some()
    }

    /// A thread exited: a realloc that it did not end is given up, and its block lives on.
    pub(in crate::aggregate) fn forget_thread(&mut self, thread: u32) {
        self.put_back(thread, Domain::Pymalloc);
        self.put_back(thread, Domain::Libc);
    }

    /// Notes what a look at a sample showed.
    pub(in crate::aggregate) fn judged(&mut self, number: SampleNumber, verdict: Verdict, time_ns: u64) {
        self.heard(time_ns);
        if let Some(sample) = self.followed.judged(number, verdict, time_ns) {
            self.leave(sample.address, number);
        }
    }

    /// The samples to look at now, and no more than `max`.
    pub(in crate::aggregate) fn due(&mut self, now_ns: u64, max: usize) -> Vec<Candidate> {
        self.followed.due(now_ns, max).iter().map(candidate).collect()
    }

    /// Drops samples until at most `max` are followed: how many were.
    pub(in crate::aggregate) fn fit(&mut self, max: usize) -> u64 {
        let dropped = self.followed.fit(max);
        for sample in &dropped {
            self.leave(sample.address, sample.number);
        }
        dropped.len() as u64
    }

    /// True for samples of the open window, too.
    pub(in crate::aggregate) fn follows(&self, number: SampleNumber) -> bool {
        let is_open = self.open.as_ref().is_some_and(|open| number >= open.first);
        is_open || self.followed.samples.contains_key(&number)
    }

    /// Forgets ends that no figure looks back to.
    pub(in crate::aggregate) fn forget_ended(&mut self, now_ns: u64) {
        self.followed.forget_ended(now_ns);
    }

    /// True when nothing is left that any figure needs.
    pub(in crate::aggregate) fn is_empty(&self) -> bool {
        self.open.is_none() && self.followed.samples.is_empty() && self.followed.ended.is_empty()
    }

    /// Samples followed.
    pub(in crate::aggregate) fn len(&self) -> usize {
        self.followed.samples.len()
    }

    /// The probes are gone: how the reallocs end that are in progress will not be seen.
    pub(super) fn lose_sight_of_reallocs(&mut self) {
        let held: Vec<_> = self.held.drain().map(|(_, held)| held).collect();
        for Held { address, place } in held {
            self.followed.lose_sight(place.number);
            self.put_at(address, place);
        }
    }

    fn put_back(&mut self, thread: u32, domain: Domain) {
        if let Some(Held { address, place }) = self.held.remove(&(thread, domain)) {
            self.set_fortune(place.number, Fortune::Alive);
            self.put_at(address, place);
        }
    }

    /// Back to its address, unless another came to sit there: then it must have died.
    fn put_at(&mut self, address: u64, place: Place) {
        if self.by_address.contains_key(&address) {
            self.end(place.number);
        } else {
            self.by_address.insert(address, place);
        }
    }

    fn put(&mut self, address: u64, place: Place) {
        if let Some(replaced) = self.by_address.insert(address, place) {
            self.end(replaced.number);
        }
    }

    /// Takes the sample at an address away from it, if it is of this domain.
    fn take(&mut self, address: u64, domain: Domain) -> Option<Place> {
        let is_same = self.by_address.get(&address).is_some_and(|place| place.domain == domain);
        if is_same { self.by_address.remove(&address) } else { None }
    }

    /// A sample is no longer at its address, where somebody else may be, nor in a realloc.
    pub(super) fn leave(&mut self, address: u64, number: SampleNumber) {
        if self.by_address.get(&address).is_some_and(|place| place.number == number) {
            self.by_address.remove(&address);
        } else {
            self.held.retain(|_, held| held.place.number != number);
        }
    }

    fn end(&mut self, number: SampleNumber) {
        if !self.set_fortune(number, Fortune::Ended) {
            self.followed.end(number, self.clock_ns);
        }
    }

    /// False when it is not a sample of the open window.
    fn set_fortune(&mut self, number: SampleNumber, fortune: Fortune) -> bool {
        let born = self.open.as_mut().and_then(|open| open.get_mut(number));
        if let Some(born) = born {
            born.fortune = fortune;
            return true;
        }
        false
    }
}

/// A block of the exact ledger.
#[derive(Clone, Copy, Debug)]
pub(in crate::aggregate) struct Adopted {
    pub(in crate::aggregate) address: u64,
    pub(in crate::aggregate) size_bytes: u64,
    pub(in crate::aggregate) born_ns: u64,
    pub(in crate::aggregate) site: SiteNumber,
    pub(in crate::aggregate) domain: Domain,
}

const fn candidate(sample: &Sample) -> Candidate {
    Candidate {
        sample: sample.number,
        address: sample.address,
        size_bytes: sample.size_bytes,
        domain: sample.domain,
    }
}

#[cfg(test)]
impl SampleBook {
    /// The invariant: addresses and samples lead to each other.
    pub(in crate::aggregate) fn assert_consistent(&self) {
        let held = self.held.values().map(|held| (held.address, held.place));
        let places = self.by_address.iter().map(|(&address, &place)| (address, place)).chain(held);
        let mut found = 0;
        for (address, place) in places {
            let born = self
                .open
                .as_ref()
                .and_then(|open| open.born.get(usize::try_from(place.number.checked_sub(open.first)?).ok()?));
            match born {
                Some(born) => assert!(born.address == address && born.fortune != Fortune::Ended),
                None => {
                    let sample = self.followed.samples.get(&place.number);
                    assert_eq!(sample.map(|sample| sample.address), Some(address), "{place:?}");
                }
            }
            found += 1;
        }
        let alive =
            self.open.iter().flat_map(|open| &open.born).filter(|born| born.fortune != Fortune::Ended);
        assert_eq!(found, self.followed.samples.len() + alive.count());
    }
}
