//! The end of a window: its samples get their weights and are followed from now on, or are void.

use super::book::SampleBook;
use super::sample::{Sample, SampleNumber, State, Stretch};
use super::window::{Born, Candidate, Fortune, OpenWindow, WindowShare};
use crate::aggregate::sites::SiteNumber;

/// Shares below this are noise, and so would be their weights: a window of milliseconds stands for an hour then. With
/// the least chance, 2^-32, a sample stands for 2^52 blocks at most.
const SHARE_MIN: f64 = 1e-6;

/// What was allocated at a site, by what one sample of it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::aggregate) struct Births {
    pub(in crate::aggregate) site: SiteNumber,
    pub(in crate::aggregate) blocks: u64,
    pub(in crate::aggregate) size_bytes: u64,
}

/// How a window ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::aggregate) enum Closed {
    /// Its samples count.
    Counted(Vec<Births>),
    /// They do not: how many those were.
    Void(u64),
}

impl SampleBook {
    /// The open window's samples that live as far as is known; none when another window is open.
    pub(in crate::aggregate) fn candidates(&self, window: u32) -> Vec<Candidate> {
        self.open_window(window).map(OpenWindow::candidates).unwrap_or_default()
    }

    /// Addresses of libc's that were freed in the open window and not handed out again, the last one first.
    pub(in crate::aggregate) fn just_freed(&self, window: u32) -> Vec<u64> {
        self.open_window(window).map(OpenWindow::just_freed).unwrap_or_default()
    }

    fn open_window(&self, window: u32) -> Option<&OpenWindow> {
        self.open.as_ref().filter(|open| open.start.window == window)
    }

    /// The memory of these samples was read while every free was still seen, so it is theirs.
    pub(in crate::aggregate) fn fingerprinted(&mut self, window: u32, samples: &[SampleNumber]) {
        let Some(open) = self.open.as_mut().filter(|open| open.start.window == window) else { return };
        for &number in samples {
            if let Some(born) = open.get_mut(number) {
                born.has_print = true;
            }
        }
    }

    /// Ends a window. `None` when it is not open.
    pub(in crate::aggregate) fn close_window(&mut self, window: u32, share: &WindowShare) -> Option<Closed> {
        self.open_window(window)?;
        let is_overflown = self.open.as_ref().is_some_and(|open| open.overflown > 0);
        let Some(stretch) = self.stretch(window, share).filter(|_| !is_overflown) else {
            return Some(Closed::Void(self.void_open_window()));
        };
        self.lose_sight_of_reallocs();
        self.heard(share.closed_ns);
        let open = self.open.take()?;
        self.next_number += open.born.len() as SampleNumber;
        self.stretch_began_ns = share.closed_ns;
        self.is_first_stretch = false;
        let births = (open.first..).zip(&open.born).map(|(number, born)| {
            self.settle(number, born, share, stretch);
            let weight = weight(born, share);
            Births {
                site: born.site,
                blocks: self.followed.random.rounded(weight),
                size_bytes: born.size_bytes,
            }
        });
        let births = births.collect();
        self.followed.forget_ended(share.closed_ns);
        Some(Closed::Counted(births))
    }

    /// Ends a window that cannot be trusted: how many samples that cost. `None` when it is not open.
    pub(in crate::aggregate) fn void_window(&mut self, window: u32) -> Option<u64> {
        self.open_window(window)?;
        Some(self.void_open_window())
    }

    /// Frees that were seen in it are true all the same.
    pub(in crate::aggregate) fn void_open_window(&mut self) -> u64 {
        self.lose_sight_of_reallocs();
        let Some(open) = self.open.take() else { return 0 };
        self.next_number += open.born.len() as SampleNumber;
        for (number, born) in (open.first..).zip(&open.born) {
            self.leave(born.address, number);
        }
        open.born.len() as u64 + open.overflown
    }

    /// What the window stands for. `None` when the share makes no sense.
    fn stretch(&self, window: u32, share: &WindowShare) -> Option<Stretch> {
        let WindowShare { share, share_low, share_high, closed_ns, .. } = *share;
        (share.is_finite() && share >= SHARE_MIN).then(|| Stretch {
            window,
            length_ns: closed_ns.saturating_sub(self.stretch_began_ns).max(1),
            share_low: share / share_high.max(share),
            share_high: if share_low > 0.0 { share / share_low.min(share) } else { f64::INFINITY },
        })
    }

    /// Follows a sample from now on, if it lives.
    fn settle(&mut self, number: SampleNumber, born: &Born, share: &WindowShare, stretch: Stretch) {
        let weight = weight(born, share);
        let age_ns = share.closed_ns.saturating_sub(born.born_ns);
        if born.fortune == Fortune::Ended {
            self.followed.declines.died(born.site, 0, age_ns);
            return self.followed.cohorts.ended_at_once(born.site, weight, share.armed_ns);
        }
        self.followed.declines.survived(born.site, 0, age_ns);
        let is_known = born.fortune == Fortune::Alive && born.has_print;
        let seen_ns = share.closed_ns.max(born.born_ns);
        let state = if is_known {
            State::Alive { checked_ns: seen_ns }
        } else {
            State::Unknown { since_ns: seen_ns }
        };
        let sample = Sample {
            number,
            address: born.address,
            size_bytes: born.size_bytes,
            born_ns: born.born_ns,
            site: born.site,
            domain: born.domain,
            state,
            weight,
            stretch,
        };
        self.followed.cohorts.survived(&sample);
        self.followed.follow(sample, share.closed_ns);
    }
}

/// How many allocations a sample stands for.
fn weight(born: &Born, share: &WindowShare) -> f64 {
    (1.0 / (born.probability * share.share.min(1.0))).max(1.0)
}
