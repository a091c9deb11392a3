//! What paired figures say: ratios, their spread, and how well their mean is known.
//!
//! In: a ratio for each pair. Out: the geometric mean with a 95 % interval by Student's t on the logarithms, and
//! quartiles. The geometric mean, because a ratio of two noisy figures has a mean above 1 even when they are alike:
//! 5 % of noise would show as 0.25 % of overhead. Refuses to give an interval of fewer than two pairs: it is infinite.

/// Of the ratios of one figure in some pairs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Ratios {
    pub(super) mean: f64,
    /// Ends of the 95 % interval of the mean.
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) quartiles: [f64; 3],
}

impl Ratios {
    pub(super) fn of(ratios: &[f64]) -> Self {
        let logarithms: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        let (mean, half_width) = mean_and_half_width(&logarithms);
        Self {
            mean: mean.exp(),
            low: (mean - half_width).exp(),
            high: (mean + half_width).exp(),
            quartiles: [0.25, 0.5, 0.75].map(|share| quantile(ratios, share)),
        }
    }

    /// Half the interval's width, in parts of the mean.
    pub(super) fn half_width(&self) -> f64 {
        if self.low > 0.0 && self.high.is_finite() {
            (self.high / self.low).ln() / 2.0
        } else {
            f64::INFINITY
        }
    }
}

fn mean_and_half_width(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return (mean, f64::INFINITY);
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, student_975(count - 1.0) * (variance / count).sqrt())
}

/// The 97.5 % quantile of Student's distribution, by its expansion around the normal one (Abramowitz and Stegun
/// 26.7.5), which is good to 0.2 % from three degrees of freedom on; the two below are exact.
fn student_975(degrees: f64) -> f64 {
    if degrees < 1.5 {
        return 12.706;
    }
    if degrees < 2.5 {
        return 4.303;
    }
    let z: f64 = 1.959_964;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    let fourth = (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5) - 1920.0 * z.powi(3) - 945.0 * z)
        / 92160.0;
    z + first / degrees + second / degrees.powi(2) + third / degrees.powi(3) + fourth / degrees.powi(4)
}

/// The value below which `share` of them lie, between neighbours where it falls between them; NaN of none.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let position = share * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    values[below] + (values[above] - values[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64, tolerance: f64) -> bool {
        (left - right).abs() <= tolerance * right.abs()
    }

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        for (degrees, quantile) in [(1.0, 12.706), (2.0, 4.303), (3.0, 3.182), (9.0, 2.262), (30.0, 2.042)] {
            assert!(close(student_975(degrees), quantile, 0.002), "{degrees}: {}", student_975(degrees));
        }
    }

    #[test]
    fn a_ratio_and_its_inverse_cancel() {
        let ratios = Ratios::of(&[2.0, 0.5]);
        assert!(close(ratios.mean, 1.0, 1e-12));
        assert!(ratios.low < 0.5 && ratios.high > 2.0, "{ratios:?}");
    }

    #[test]
    fn equal_ratios_leave_no_doubt() {
        let ratios = Ratios::of(&[1.5; 4]);
        assert!(close(ratios.low, 1.5, 1e-12) && close(ratios.high, 1.5, 1e-12));
        assert!(ratios.half_width() < 1e-12);
    }

    #[test]
    fn one_pair_says_nothing_about_the_mean() {
        assert!(Ratios::of(&[1.5]).half_width().is_infinite());
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert!(close(quantile(&[4.0, 1.0, 2.0, 3.0], 0.5), 2.5, 1e-12));
        assert!(close(quantile(&[1.0, 2.0, 3.0], 0.25), 1.5, 1e-12));
        assert!(quantile(&[], 0.5).is_nan());
    }
}
