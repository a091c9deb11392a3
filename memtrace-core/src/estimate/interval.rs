//! An estimate and the range the truth lies in with 95 % confidence.
//!
//! In: numbers, and factors of uncertainty. Out: [`Interval`]s. Invariant, kept by every function here for operands
//! that keep it: `low <= value <= high`, `value` finite, nothing NaN; `low` may be `-inf` and `high` `inf`.
//!
//! Sums and differences of independent intervals follow MOVER, the method of variance estimates recovery (Zou &
//! Donner, Statistics in Medicine 27:1693, 2008): distances to the bounds add in squares, each side for itself, so a
//! skewed interval stays skewed.

pub use crate::model::Interval;

impl Interval {
    /// The sum of two quantities that were estimated independently.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let value = self.value + other.value;
        let below = (self.value - self.low).hypot(other.value - other.low);
        let above = (self.high - self.value).hypot(other.high - other.value);
        Self { value, low: value - below, high: value + above }
    }

    /// The difference of two quantities that were estimated independently, or are positively correlated: then it is
    /// wider than need be.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.plus(Self { value: -other.value, low: -other.high, high: -other.low })
    }
}

/// Multiplies the uncertainty of a sampling share in: the truth may be `low` to `high` times what `interval` says.
///
/// The factors lie around 1: `low` in 0..=1, `high` from 1 to infinite; one that does not (or is NaN) is taken as
/// the nearest, NaN as not known at all. `value` stays.
#[must_use]
pub fn scaled(interval: Interval, low: f64, high: f64) -> Interval {
    let low = if low.is_nan() { 0.0 } else { low.clamp(0.0, 1.0) };
    let high = if high.is_nan() { f64::INFINITY } else { high.max(1.0) };
    // A bound below zero moves away from the value when it is multiplied by the larger factor.
    Interval {
        value: interval.value,
        low: product(interval.low, if interval.low < 0.0 { high } else { low }),
        high: product(interval.high, if interval.high < 0.0 { low } else { high }),
    }
}

/// A product in which zero is certain: nothing, however often, is nothing.
fn product(bound: f64, factor: f64) -> f64 {
    // An infinite bound says nothing, and a factor of 0 says nothing of it either.
    if bound == 0.0 || bound.is_infinite() { bound } else { bound * factor }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Interval = Interval { value: 10.0, low: 7.0, high: 14.0 };

    #[test]
    fn an_exact_part_shifts_and_does_not_widen() {
        assert_eq!(WIDE.plus(Interval::exact(5.0)), Interval { value: 15.0, low: 12.0, high: 19.0 });
        assert_eq!(WIDE.minus(Interval::exact(5.0)), Interval { value: 5.0, low: 2.0, high: 9.0 });
    }

    #[test]
    fn independent_errors_add_in_squares_each_side_for_itself() {
        let sum = WIDE.plus(Interval { value: 20.0, low: 16.0, high: 23.0 });
        assert_eq!(sum, Interval { value: 30.0, low: 25.0, high: 35.0 });
    }

    #[test]
    fn a_difference_takes_the_far_ends_of_both() {
        let difference = WIDE.minus(Interval { value: 10.0, low: 7.0, high: 14.0 });
        assert_eq!(difference, Interval { value: 0.0, low: -5.0, high: 5.0 });
    }

    #[test]
    fn what_nothing_bounds_stays_unbounded_on_its_side() {
        let unbounded = Interval { value: 1.0, low: 0.0, high: f64::INFINITY };
        assert_eq!(WIDE.plus(unbounded).high, f64::INFINITY);
        assert_eq!(WIDE.minus(unbounded).low, f64::NEG_INFINITY);
        assert!(WIDE.minus(unbounded).high.is_finite());
    }

    #[test]
    fn scaling_widens_on_both_sides_of_zero() {
        assert_eq!(scaled(WIDE, 0.5, 2.0), Interval { value: 10.0, low: 3.5, high: 28.0 });
        let shrinking = Interval { value: -10.0, low: -14.0, high: -7.0 };
        assert_eq!(scaled(shrinking, 0.5, 2.0), Interval { value: -10.0, low: -28.0, high: -3.5 });
    }

    #[test]
    fn an_unknown_share_leaves_only_the_sign() {
        assert_eq!(scaled(WIDE, 0.0, f64::INFINITY), Interval { value: 10.0, low: 0.0, high: f64::INFINITY });
        assert_eq!(scaled(WIDE, f64::NAN, f64::NAN), scaled(WIDE, 0.0, f64::INFINITY));
        assert_eq!(scaled(Interval::exact(0.0), 0.0, f64::INFINITY), Interval::exact(0.0));
        assert_eq!(scaled(WIDE, 3.0, -1.0), WIDE);
    }
}
