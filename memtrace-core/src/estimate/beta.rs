//! The exact interval of a share (Clopper & Pearson 1934), for counts that need not be whole.
//!
//! In: a share of 0..=1 and the number of independent observations it rests on, which weighting makes fractional.
//! Out: the 95 % interval, by quantiles of the beta distribution. Invariant: within 0..=1, and around the share.

use super::gamma::{Tail, away_from_zero, log_gamma};
use super::interval::Interval;

/// The interval of a share that was seen in `observations` independent cases.
pub(super) fn share_interval(share: f64, observations: f64) -> Interval {
    let hits = share * observations;
    let misses = observations - hits;
    let low = if hits > 0.0 { quantile(Tail::Lower, hits, misses + 1.0) } else { 0.0 };
    let high = if misses > 0.0 { quantile(Tail::Upper, hits + 1.0, misses) } else { 1.0 };
    Interval { value: share, low: low.min(share), high: high.max(share) }
}

/// Halvings of 0..1: the quantile is good to 1e-12, far more than a share is shown with.
const HALVINGS: u32 = 40;

fn quantile(tail: Tail, a: f64, b: f64) -> f64 {
    let (mut below, mut above) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(below, above);
        if cumulative(a, b, middle) < tail.probability() {
            below = middle;
        } else {
            above = middle;
        }
    }
    f64::midpoint(below, above)
}

/// The regularised incomplete beta function I_x(a, b), for x inside 0..1.
fn cumulative(a: f64, b: f64, x: f64) -> f64 {
    let log_beta = log_gamma(a) + log_gamma(b) - log_gamma(a + b);
    let factor = (a * x.ln() + b * (-x).ln_1p() - log_beta).exp();
    // The fraction converges fast on this side of the mean; the other side is its mirror image.
    if x < (a + 1.0) / (a + b + 2.0) {
        factor * fraction(a, b, x) / a
    } else {
        1.0 - factor * fraction(b, a, 1.0 - x) / b
    }
}

const TERMS_MAX: u32 = 1_000;

/// Abramowitz & Stegun 26.5.8, evaluated by Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..TERMS_MAX {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            step = d * c;
            value *= step;
        }
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intervals_are_those_of_clopper_and_pearson() {
        // (hits, of, low, high)
        let table = [
            (0.0, 10.0, 0.0, 0.308_497_1),
            (1.0, 10.0, 0.002_528_6, 0.445_016_1),
            (5.0, 10.0, 0.187_086_0, 0.812_914_0),
            (10.0, 10.0, 0.691_502_9, 1.0),
            (20.0, 1000.0, 0.012_257_0, 0.030_722_0),
        ];
        for (hits, of, low, high) in table {
            let interval = share_interval(hits / of, of);
            assert!((interval.low - low).abs() < 1e-5, "{hits}/{of}: {interval:?}");
            assert!((interval.high - high).abs() < 1e-5, "{hits}/{of}: {interval:?}");
        }
    }

    #[test]
    fn no_number_of_observations_breaks_the_order() {
        for observations in [0.0, 1e-9, 0.3, 1.0, 7.7, 1e3, 1e6, 1e12] {
            for share in [0.0, 1e-12, 0.02, 0.5, 0.999, 1.0] {
                let Interval { value, low, high } = share_interval(share, observations);
                assert!(0.0 <= low && low <= value && value <= high && high <= 1.0, "{share} {observations}");
            }
        }
    }
}
