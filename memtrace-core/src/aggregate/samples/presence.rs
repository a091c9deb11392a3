//! How much of a sample is there at a moment.
//!
//! A window stands for a stretch of time, and its samples for blocks that were born anywhere in it. Just after a
//! window, what it saw alive is still young; if all of it counted at once, then blocks that live for a millisecond would
//! count as if a whole stretch of them were alive. So a sample counts by the part of the last stretch's time in which
//! it was alive: the mean over the moments at which the window could as well have been. For a steady process that is
//! without bias for every lifetime; what grows is seen half a stretch late.
//!
//! In: a sample and a moment, now or past. Out: shares in 0..=1. Invariant: `certain <= possible`.

use super::decline::Declines;
use super::sample::{Sample, State};

/// Two answers, by what is made of blocks of which nothing is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Presence {
    /// The unknown count as dead, and of those not looked at lately as many as usually die.
    pub(super) certain: f64,
    /// The unknown count as alive as usually live, and those not looked at lately all.
    pub(super) possible: f64,
}

impl Presence {
    pub(super) fn of(sample: &Sample, at_ns: u64, declines: &Declines) -> Self {
        let verified = verified(sample, at_ns, declines);
        match sample.state {
            State::Died { .. } => Self { certain: verified, possible: verified },
            // Some of those that were alive when last looked at will have died since. That is a guess: all may live.
            State::Alive { .. } => Self {
                certain: verified + presumed(sample, at_ns, declines),
                possible: verified + unverified(sample, at_ns),
            },
            State::Unknown { .. } => {
                // What does not live for certain at the end does not live: an unknown block is not a recent death.
                let certain = if at_ns > sample.alive_until_ns() { 0.0 } else { verified };
                Self { certain, possible: verified + presumed(sample, at_ns, declines) }
            }
        }
    }
}

/// The stretch before a moment, in which the sample's life counts.
const fn stretch(sample: &Sample, at_ns: u64) -> (u64, u64) {
    (at_ns.saturating_sub(sample.stretch.length_ns), at_ns)
}

/// The part of the stretch in which the sample was seen to be alive, or must have been.
fn verified(sample: &Sample, at_ns: u64, declines: &Declines) -> f64 {
    let end_ns = match sample.state {
        State::Died { after_ns, before_ns } => {
            let ages_ns = (sample.age_ns(after_ns), sample.age_ns(before_ns));
            sample.born_ns.saturating_add(declines.death_age_ns(sample.site, ages_ns.0, ages_ns.1))
        }
        State::Alive { .. } | State::Unknown { .. } => sample.alive_until_ns(),
    };
    overlap(sample, at_ns, sample.born_ns, end_ns)
}

fn overlap(sample: &Sample, at_ns: u64, from_ns: u64, to_ns: u64) -> f64 {
    let (start_ns, end_ns) = stretch(sample, at_ns);
    let (from_ns, to_ns) = (from_ns.max(start_ns), to_ns.min(end_ns));
    to_ns.saturating_sub(from_ns) as f64 / sample.stretch.length_ns.max(1) as f64
}

/// The part of the stretch since it was last seen alive.
fn unverified(sample: &Sample, at_ns: u64) -> f64 {
    overlap(sample, at_ns, sample.alive_until_ns(), at_ns)
}

/// The same, less those that will have died in it.
fn presumed(sample: &Sample, at_ns: u64, declines: &Declines) -> f64 {
    let checked_ns = sample.alive_until_ns();
    let part = unverified(sample, at_ns);
    if part <= 0.0 {
        return 0.0;
    }
    let checked_age_ns = sample.age_ns(checked_ns);
    let share_at = |moment_ns| declines.share(sample.site, checked_age_ns, sample.age_ns(moment_ns));
    let start_ns = stretch(sample, at_ns).0.max(checked_ns);
    part * f64::midpoint(share_at(start_ns), share_at(at_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(sample: &Sample, at_ns: u64) -> (f64, f64) {
        let mut declines = Declines::default();
        for _ in 0..20_000 {
            declines.survived(0, SECOND, 3 * SECOND);
            declines.survived(0, 10 * SECOND, 30 * SECOND);
        }
        let presence = Presence::of(sample, at_ns, &declines);
        ((presence.certain * 1e3).round() / 1e3, (presence.possible * 1e3).round() / 1e3)
    }

    #[test]
    fn a_sample_comes_in_over_the_length_of_its_stretch() {
        let sample = Sample::for_test(10 * SECOND, 2 * SECOND, State::Alive { checked_ns: 20 * SECOND });
        assert_eq!(at(&sample, 9 * SECOND), (0.0, 0.0));
        assert_eq!(at(&sample, 11 * SECOND), (0.5, 0.5));
        assert_eq!(at(&sample, 12 * SECOND), (1.0, 1.0));
        assert_eq!(at(&sample, 25 * SECOND), (1.0, 1.0), "nobody dies at this age");
    }

    #[test]
    fn a_dead_one_leaves_over_the_length_of_its_stretch() {
        let died = State::Died { after_ns: 14 * SECOND, before_ns: 16 * SECOND };
        let sample = Sample::for_test(10 * SECOND, 2 * SECOND, died);
        assert_eq!(at(&sample, 14 * SECOND), (1.0, 1.0));
        // At an age of 4.9 s, as far as is known: the mean of the logarithms.
        assert_eq!(at(&sample, 16 * SECOND), (0.449, 0.449));
        assert_eq!(at(&sample, 17 * SECOND), (0.0, 0.0));
    }

    #[test]
    fn an_unknown_one_is_possible_and_not_certain() {
        let sample = Sample::for_test(10 * SECOND, SECOND, State::Unknown { since_ns: 14 * SECOND });
        assert_eq!(at(&sample, 13 * SECOND), (1.0, 1.0));
        assert_eq!(at(&sample, 15 * SECOND), (0.0, 1.0));
    }
}
