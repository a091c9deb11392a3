//! Quantiles of the gamma distribution: the two that bound 95 %.
//!
//! In: a shape, any number > 0. Out: the quantile for scale 1, to 2e-8 relative. A chi-square quantile with `d`
//! degrees of freedom is twice that of shape `d / 2`. Refuses nothing: a shape that is not a positive number counts
//! as the smallest one.

/// The end of the distribution that is cut off with 2.5 %.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tail {
    /// 2.5 % lie below the quantile.
    Lower,
    /// 2.5 % lie above it.
    Upper,
}

impl Tail {
    /// The probability below the quantile.
    pub(super) const fn probability(self) -> f64 {
        match self {
            Self::Lower => 0.025,
            Self::Upper => 0.975,
        }
    }

    const fn normal_quantile(self) -> f64 {
        match self {
            Self::Lower => -1.959_963_984_540_054,
            Self::Upper => 1.959_963_984_540_054,
        }
    }
}

/// From this shape on Wilson and Hilferty's cube is as good as the iteration (1e-8 relative) and much cheaper.
const CUBE_FROM_SHAPE: f64 = 10_000.0;

/// The quantile of the gamma distribution with this shape and scale 1.
pub(super) fn quantile(tail: Tail, shape: f64) -> f64 {
    let shape = shape.max(f64::MIN_POSITIVE);
    let guess = cube(tail, shape);
    if shape >= CUBE_FROM_SHAPE { guess } else { refined(tail.probability(), shape, guess) }
}

/// Wilson & Hilferty 1931: the cube root of a gamma variable is nearly normal.
fn cube(tail: Tail, shape: f64) -> f64 {
    let ninth = 1.0 / (9.0 * shape);
    shape * (1.0 - ninth + tail.normal_quantile() * ninth.sqrt()).powi(3)
}

/// Newton's steps towards `cumulative(shape, x) == probability`, held between bounds that every step narrows.
fn refined(probability: f64, shape: f64, guess: f64) -> f64 {
    let log_gamma_of_shape = log_gamma(shape);
    let (mut below, mut above) = (0.0_f64, f64::INFINITY);
    // The cube is negative for small shapes; there `x^shape / gamma(shape + 1)` is the first term of the series.
    let first_term = || ((probability.ln() + log_gamma(shape + 1.0)) / shape).exp();
    let mut x = if guess > 0.0 && shape >= 0.5 { guess } else { first_term() };
    for _ in 0..100 {
        let excess = cumulative(shape, x) - probability;
        if excess > 0.0 {
            above = above.min(x);
        } else {
            below = below.max(x);
        }
        let density = ((shape - 1.0) * x.ln() - x - log_gamma_of_shape).exp();
        let newton = x - excess / density;
        let next = if newton > below && newton < above {
            newton
        } else if above.is_finite() {
            f64::midpoint(below, above)
        } else {
            x * 2.0
        };
        if (next - x).abs() <= 1e-12 * x {
            return next;
        }
        x = next;
    }
    x
}

/// The regularised lower incomplete gamma function P(shape, x).
fn cumulative(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let factor = (shape * x.ln() - x - log_gamma(shape)).exp();
    if x < shape + 1.0 { factor * series(shape, x) } else { 1.0 - factor * fraction(shape, x) }
}

/// Terms after which either expansion has converged: they need some multiples of the root of the shape.
const TERMS_MAX: u32 = 4_000;

/// Abramowitz & Stegun 6.5.29.
fn series(shape: f64, x: f64) -> f64 {
    let mut term = 1.0 / shape;
    let mut sum = term;
    for n in 1..TERMS_MAX {
        term *= x / (shape + f64::from(n));
        sum += term;
        if term < sum * 1e-16 {
            break;
        }
    }
    sum
}

/// Abramowitz & Stegun 6.5.31, evaluated by Lentz's method.
fn fraction(shape: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - shape;
    let mut c = 1.0 / f64::MIN_POSITIVE;
    let mut d = 1.0 / b;
    let mut value = d;
    for n in 1..TERMS_MAX {
        let n = f64::from(n);
        let a = -n * (n - shape);
        b += 2.0;
        d = 1.0 / away_from_zero(a * d + b);
        c = away_from_zero(b + a / c);
        let step = d * c;
        value *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// Lentz's method divides by its terms.
pub(super) fn away_from_zero(term: f64) -> f64 {
    if term.abs() < 1e-300 { 1e-300 } else { term }
}

/// The logarithm of the gamma function for `x > 0`: Lanczos' approximation with g = 7 and nine terms, 1e-15 relative.
pub(super) fn log_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return log_gamma(x + 1.0) - x.ln();
    }
    let x = x - 1.0;
    let sum: f64 = TERMS.iter().zip(1_u8..).map(|(term, n)| term / (x + f64::from(n))).sum();
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + (0.999_999_999_999_809_9 + sum).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chi-square quantiles at 2.5 % and 97.5 %, to twelve digits, by degrees of freedom.
    const CHI_SQUARE: [(f64, f64, f64); 10] = [
        (1.0, 0.000_982_069_117_175, 5.023_886_187_31),
        (2.0, 0.050_635_615_968_6, 7.377_758_908_23),
        (3.0, 0.215_795_282_624, 9.348_403_604_5),
        (5.0, 0.831_211_613_487, 12.832_501_994),
        (10.0, 3.246_972_780_24, 20.483_177_350_8),
        (20.0, 9.590_777_392_26, 34.169_606_902_8),
        (30.0, 16.790_772_265_6, 46.979_242_243_7),
        (50.0, 32.357_363_695_7, 71.420_195_187_5),
        (100.0, 74.221_927_474_9, 129.561_197_186),
        (1000.0, 914.257_153_799, 1_089.530_912_77),
    ];

    #[test]
    fn the_quantiles_are_those_of_the_chi_square_tables() {
        for (degrees, lower, upper) in CHI_SQUARE {
            for (tail, expected) in [(Tail::Lower, lower), (Tail::Upper, upper)] {
                let quantile = 2.0 * quantile(tail, degrees / 2.0);
                assert!((quantile / expected - 1.0).abs() < 1e-9, "{degrees} {tail:?}: {quantile}");
            }
        }
    }

    #[test]
    fn the_cube_takes_over_without_a_step() {
        for tail in [Tail::Lower, Tail::Upper] {
            let cube = cube(tail, CUBE_FROM_SHAPE);
            let exact = refined(tail.probability(), CUBE_FROM_SHAPE, cube);
            assert!((cube / exact - 1.0).abs() < 2e-8, "{tail:?}: {cube} {exact}");
        }
    }

    #[test]
    fn every_shape_has_a_quantile_and_larger_shapes_have_larger_ones() {
        let shapes = (-40..60).map(|power| 10_f64.powf(f64::from(power) / 4.0));
        let quantiles: Vec<_> =
            shapes.map(|s| (quantile(Tail::Lower, s), quantile(Tail::Upper, s))).collect();
        for pair in quantiles.windows(2) {
            assert!(pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1, "{pair:?}");
            assert!(pair[1].0 <= pair[1].1 && pair[1].1.is_finite(), "{pair:?}");
        }
        for hostile in [0.0, -1.0, f64::NAN, f64::MIN_POSITIVE] {
            assert!(!quantile(Tail::Upper, hostile).is_nan(), "{hostile}");
        }
    }

    #[test]
    fn the_logarithm_of_gamma_is_that_of_factorials() {
        let mut log_factorial = 0.0;
        for n in 1..170_u32 {
            assert!((log_gamma(f64::from(n)) - log_factorial).abs() < 1e-12 * (1.0 + log_factorial), "{n}");
            log_factorial += f64::from(n).ln();
        }
        assert!((log_gamma(0.25) - 1.288_022_524_698_077_4).abs() < 1e-13);
    }
}
