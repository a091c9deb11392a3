//! The aggregator's door for windows: what the session tells and asks of a process' samples.
//!
//! The course of a process in windows: [`Aggregator::begin_windows`], then for each window `begin_window`, records,
//! `candidates` and `just_freed`, `fingerprinted`, and `close_window` or `void_window`; between windows `due` and
//! `judged`. All of these do nothing for a process that is not in windows, or a window that is not open.

use memtrace_common::DropReason;

use super::Aggregator;
use super::samples::{Candidate, SampleNumber, Verdict, WindowShare, WindowStart};

impl Aggregator {
    /// From now on a process is seen in windows only. A random part of its live blocks becomes samples: these are
    /// returned, to be fingerprinted while their frees are still seen. `seed` decides what is random.
    pub fn begin_windows(&mut self, target: u32, now_ns: u64, seed: u64) -> Vec<Candidate> {
        let Some(ledger) = self.processes.get_mut(&target) else { return Vec::new() };
        self.shared.books += usize::from(ledger.book.is_none());
        ledger.begin_windows(seed, &mut self.shared, now_ns)
    }

    /// From now on every record of a process is seen. Its samples are followed until they die.
    pub fn begin_exact(&mut self, target: u32) {
        if let Some(ledger) = self.processes.get_mut(&target) {
            ledger.begin_exact(&mut self.shared);
        }
    }

    /// True when a process has samples to follow.
    #[must_use]
    pub fn has_samples(&self, target: u32) -> bool {
        self.processes.get(&target).is_some_and(|ledger| ledger.book.is_some())
    }

    /// Opens a window, before its first record can come. One that is still open is void.
    pub fn begin_window(&mut self, target: u32, start: WindowStart) {
        let Some(ledger) = self.processes.get_mut(&target) else { return };
        let Some(book) = ledger.book.as_mut() else { return };
        self.shared.drops.add(DropReason::WindowVoid, book.begin_window(start));
    }

    /// The open window's samples that live as far as is known: read their memory now, while their frees are seen.
    #[must_use]
    pub fn candidates(&self, target: u32, window: u32) -> Vec<Candidate> {
        let book = self.processes.get(&target).and_then(|ledger| ledger.book.as_ref());
        book.map(|book| book.candidates(window)).unwrap_or_default()
    }

    /// A few addresses of libc's that were freed in the open window and not handed out again, the last one first.
    #[must_use]
    pub fn just_freed(&self, target: u32, window: u32) -> Vec<u64> {
        let book = self.processes.get(&target).and_then(|ledger| ledger.book.as_ref());
        book.map(|book| book.just_freed(window)).unwrap_or_default()
    }

    /// These candidates' memory was read. The others will be unknown.
    pub fn fingerprinted(&mut self, target: u32, window: u32, samples: &[SampleNumber]) {
        let book = self.processes.get_mut(&target).and_then(|ledger| ledger.book.as_mut());
        if let Some(book) = book {
            book.fingerprinted(window, samples);
        }
    }

    /// Ends a window: its samples get their weights. It is void when the share makes no sense, or when there was no
    /// room for its samples.
    pub fn close_window(&mut self, target: u32, window: u32, share: &WindowShare) {
        if let Some(ledger) = self.processes.get_mut(&target) {
            ledger.close_window(window, share, &mut self.shared);
        }
    }

    /// Ends a window that cannot be trusted. The next one stands for its time too.
    pub fn void_window(&mut self, target: u32, window: u32) {
        let book = self.processes.get_mut(&target).and_then(|ledger| ledger.book.as_mut());
        if let Some(lost) = book.and_then(|book| book.void_window(window)) {
            self.shared.drops.add(DropReason::WindowVoid, lost);
        }
    }

    /// The samples whose memory is to be read now, and no more than `max`: those that are overdue longest first.
    pub fn due(&mut self, target: u32, now_ns: u64, max: usize) -> Vec<Candidate> {
        let book = self.processes.get_mut(&target).and_then(|ledger| ledger.book.as_mut());
        book.map(|book| book.due(now_ns, max)).unwrap_or_default()
    }

    /// Notes what a look at a sample's memory showed, at this time. Nothing, if the sample has gone.
    pub fn judged(&mut self, target: u32, sample: SampleNumber, verdict: Verdict, time_ns: u64) {
        let book = self.processes.get_mut(&target).and_then(|ledger| ledger.book.as_mut());
        if let Some(book) = book {
            book.judged(sample, verdict, time_ns);
        }
    }

    /// True when a sample is still followed: when it is not, what was remembered of its memory can go.
    #[must_use]
    pub fn is_followed(&self, target: u32, sample: SampleNumber) -> bool {
        let book = self.processes.get(&target).and_then(|ledger| ledger.book.as_ref());
        book.is_some_and(|book| book.follows(sample))
    }

    /// Samples followed, of all processes.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.processes.values().filter_map(|ledger| ledger.book.as_ref()).map(|book| book.len()).sum()
    }
}
