//! How to keep fewer samples: each with a probability in proportion to its bytes, and certainly from a size on.
//!
//! Large ones are few and matter; small ones are many and stand for each other. Whoever is kept with probability `p`
//! weighs `1/p` times as much, so every sum stays right on average.
//!
//! In: what each of many weighs, in bytes. Out: the probability for each. Invariant: on average no more are kept than
//! asked for, less a margin for chance.

/// Weights by their power of two; what is heavier counts as the heaviest.
const POWERS: usize = 128;

/// Cuts by their power of two: at the last, none of 2^32 of the heaviest is certain, and hardly any is kept.
const CUTS: usize = POWERS + 32;

/// Kept on average, of what there is room for: what comes out stays below by many standard deviations.
const FILLING: f64 = 0.9;

/// How many there are, and how heavy, in each class of weight.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    count: [f64; POWERS],
    bytes: [f64; POWERS],
}

impl Weights {
    pub(super) fn of(weights_bytes: impl Iterator<Item = f64>) -> Self {
        let mut weights = Self { count: [0.0; POWERS], bytes: [0.0; POWERS] };
        for bytes in weights_bytes {
            let bytes = plausible(bytes);
            let power = (bytes.log2() as usize).min(POWERS - 1);
            weights.count[power] += 1.0;
            weights.bytes[power] += bytes;
        }
        weights
    }

    /// The cut after which at most `kept_max` are left, but for chance.
    pub(super) fn cut(&self, kept_max: usize) -> Cut {
        let room = kept_max as f64 * FILLING;
        if self.count.iter().sum::<f64>() <= kept_max as f64 {
            return Cut { certain_bytes: 0.0 };
        }
        let power = (0..CUTS).find(|&power| self.kept(power) <= room).unwrap_or(CUTS);
        Cut { certain_bytes: 2_f64.powi(power as i32) }
    }

    /// How many are kept on average when those from this power of two on are certain.
    fn kept(&self, power: usize) -> f64 {
        let (chosen, certain) = self.bytes.split_at(power.min(POWERS));
        let certain = &self.count[POWERS - certain.len()..];
        certain.iter().sum::<f64>() + chosen.iter().sum::<f64>() / 2_f64.powi(power as i32)
    }
}

/// At least a byte, and not more than has a class; what is no number is a byte.
fn plausible(bytes: f64) -> f64 {
    bytes.max(1.0).min(2_f64.powi(POWERS as i32 - 1))
}

/// From this many bytes on, a sample is kept; below, by chance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Cut {
    certain_bytes: f64,
}

impl Cut {
    /// In 0..=1, and never 0: what cannot be kept cannot be estimated.
    pub(super) fn probability(self, weight_bytes: f64) -> f64 {
        let bytes = plausible(weight_bytes);
        if bytes >= self.certain_bytes { 1.0 } else { bytes / self.certain_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_kept_as_there_is_room_for_and_the_bytes_stay() {
        let sizes: Vec<f64> = (0..100_000).map(|i| f64::from(i % 1000)).chain([1e9, 1e9]).collect();
        let cut = Weights::of(sizes.iter().copied()).cut(1_000);
        let kept: f64 = sizes.iter().map(|&size| cut.probability(size)).sum();
        assert!((400.0..1_000.0).contains(&kept), "{kept}");
        assert!((cut.probability(1e9) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_crowd_of_the_heaviest_is_thinned_too() {
        let cut = Weights::of((0..10_000).map(|_| f64::INFINITY)).cut(100);
        assert!(cut.probability(f64::INFINITY) * 10_000.0 <= 90.0);
    }

    #[test]
    fn where_there_is_room_all_are_kept() {
        let cut = Weights::of([1.0, 0.0, f64::NAN].into_iter()).cut(3);
        assert!((cut.probability(0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn hostile_weights_leave_a_probability() {
        let cut = Weights::of([f64::INFINITY, 1e300, -5.0, 0.0].into_iter()).cut(1);
        for weight in [f64::INFINITY, 1e300, 0.0, -5.0] {
            let probability = cut.probability(weight);
            assert!(probability > 0.0 && probability <= 1.0, "{weight}: {probability}");
        }
    }
}
