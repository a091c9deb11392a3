//! From samples to intervals.
//!
//! In: what each sample contributes. Out: sums with their errors: that of the draw (windows are the draws, so what one
//! window saw is one event) and that of the windows' shares of the work, which moves all samples of a window alike.

use super::sample::Sample;
use crate::estimate::{Cluster, Interval, change, scaled, weighted_total};

/// What a sample contributes to a sum, before its weight: for live bytes, its bytes times how much of it is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) sample: &'a Sample,
    pub(super) amount: f64,
}

/// Sums over samples, which have to come window by window.
#[derive(Debug, Default)]
struct Sums {
    /// What chance has no part in.
    certain: f64,
    gained: Vec<Cluster>,
    lost: Vec<Cluster>,
    /// The sums of what chance has a part in, as it is, as low and as high as the shares can make it.
    drawn: f64,
    drawn_low: f64,
    drawn_high: f64,
}

impl Sums {
    fn of(parts: &[Part<'_>]) -> Self {
        let mut sums = Self::default();
        let mut current = None;
        let (mut weight, mut weight_max) = (0.0_f64, 0.0_f64);
        for &Part { sample, amount } in parts {
            if current != Some(sample.cluster()) {
                sums.enter(weight, weight_max);
                (weight, weight_max, current) = (0.0, 0.0, Some(sample.cluster()));
            }
            let certain = sample.certain_weight();
            let drawn = (sample.weight - certain) * amount;
            sums.certain += certain * amount;
            sums.drawn += drawn.abs();
            sums.drawn_low += drawn.abs() * sample.stretch.share_low;
            // Nothing of something unbounded is nothing.
            sums.drawn_high += if drawn == 0.0 { 0.0 } else { drawn.abs() * sample.stretch.share_high };
            weight += drawn;
            weight_max = weight_max.max(drawn.abs());
        }
        sums.enter(weight, weight_max);
        sums
    }

    fn enter(&mut self, weight: f64, weight_max: f64) {
        let cluster = Cluster { weight: weight.abs(), weight_max: weight_max.min(weight.abs()) };
        if weight > 0.0 {
            self.gained.push(cluster);
        } else if weight < 0.0 {
            self.lost.push(cluster);
        }
    }

    /// The drawn sum with the shares' error, and then the certain one, which has none.
    fn finish(&self, drawn: Interval) -> Interval {
        let (low, high) = if self.drawn > 0.0 {
            (self.drawn_low / self.drawn, self.drawn_high / self.drawn)
        } else {
            (1.0, 1.0)
        };
        let Interval { value, low, high } = scaled(drawn, low, high);
        Interval { value: value + self.certain, low: low + self.certain, high: high + self.certain }
    }
}

/// The sum of parts none of which is negative. `heaviest_unseen` is what one sample more could weigh.
pub(super) fn total(parts: &[Part<'_>], heaviest_unseen: f64) -> Interval {
    let sums = Sums::of(parts);
    sums.finish(weighted_total(sums.gained.iter().copied(), heaviest_unseen))
}

/// The sum of parts of which some were gained and some lost.
pub(super) fn difference(parts: &[Part<'_>], heaviest_unseen: f64) -> Interval {
    let sums = Sums::of(parts);
    sums.finish(change(&sums.gained, &sums.lost, heaviest_unseen))
}
