//! From what the helper timed to prices. In: its lines, a kind, the time of a round of calls with probes, and the same
//! without. Out: medians, whose spread says how far they may be off. It refuses what is no plausible price.

use memtrace_core::budget::Costs;

use super::{Calibrated, CalibrationError, code::Kind};

/// One round of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Round {
    pub(super) kind: Kind,
    pub(super) probed_ns: u64,
    pub(super) bare_ns: u64,
}

/// A loop finds every cache warm, which a target does not. So the prices are taken to be this much off at least.
const ERROR_LEAST: f64 = 0.25;

/// And at most: what is further apart is noise.
const ERROR_MOST: f64 = 1.0;

/// No trap is faster, and none was ever measured to be slower.
pub(super) const PLAUSIBLE_NS: std::ops::Range<f64> = 50.0..200_000.0;

pub(super) fn evaluate(rounds: &[Round]) -> Result<Calibrated, CalibrationError> {
    let emulated = price(rounds, Kind::Emulated)?;
    let stepped = price(rounds, Kind::Stepped)?;
    let returning = price(rounds, Kind::Returning)?;
    let stack = price(rounds, Kind::Stack)?;
    let spread = [emulated, stepped, returning, stack].iter().map(|price| price.spread).fold(0.0, f64::max);
    let costs = Costs {
        entry_ns: emulated.median_ns,
        // A kernel that emulates what is stepped elsewhere makes them the same.
        stepped_entry_ns: stepped.median_ns.max(emulated.median_ns),
        return_ns: (returning.median_ns - emulated.median_ns).max(0.0),
        relative_error: spread.clamp(ERROR_LEAST, ERROR_MOST),
        ..Costs::default()
    };
    Ok(Calibrated { costs, stack_ns: (stack.median_ns - returning.median_ns).max(0.0) })
}

#[derive(Clone, Copy)]
struct Price {
    median_ns: f64,
    /// The quartiles' distance from the median, as a part of it.
    spread: f64,
}

/// Of one call.
fn price(rounds: &[Round], kind: Kind) -> Result<Price, CalibrationError> {
    let implausible = |what: String| CalibrationError::Implausible(format!("{kind:?}: {what}"));
    let mut each_ns: Vec<f64> = rounds
        .iter()
        .filter(|round| round.kind == kind)
        .map(|round| (round.probed_ns as f64 - round.bare_ns as f64) / f64::from(kind.calls()))
        .collect();
    each_ns.sort_by(f64::total_cmp);
    let quantile = |part: usize| each_ns.get(each_ns.len() * part / 4).copied();
    let (Some(low_ns), Some(median_ns), Some(high_ns)) = (quantile(1), quantile(2), quantile(3)) else {
        return Err(implausible("no figures".to_owned()));
    };
    if !PLAUSIBLE_NS.contains(&median_ns) {
        return Err(implausible(format!("{median_ns:.0} ns a hit")));
    }
    Ok(Price { median_ns, spread: (high_ns - low_ns) / 2.0 / median_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many nanoseconds a call, and as much noise in every third round.
    fn rounds(kind: Kind, each_ns: u64, noise_ns: u64) -> impl Iterator<Item = Round> {
        let calls = u64::from(kind.calls());
        (0..15).map(move |round| {
            let noise_ns = if round % 3 == 0 { noise_ns } else { 0 };
            Round { kind, probed_ns: (each_ns + 2) * calls + noise_ns, bare_ns: 2 * calls }
        })
    }

    fn all(emulated: u64, stepped: u64, returning: u64, stack: u64, noise_ns: u64) -> Vec<Round> {
        rounds(Kind::Emulated, emulated, noise_ns)
            .chain(rounds(Kind::Stepped, stepped, noise_ns))
            .chain(rounds(Kind::Returning, returning, noise_ns))
            .chain(rounds(Kind::Stack, stack, noise_ns))
            .collect()
    }

    #[test]
    fn prices_are_medians_of_differences() {
        let calibrated = evaluate(&all(500, 9_000, 830, 2_100, 10_000_000)).expect("plausible");
        assert!((calibrated.costs.entry_ns - 500.0).abs() < 1e-6);
        assert!((calibrated.costs.stepped_entry_ns - 9_000.0).abs() < 1e-6);
        assert!((calibrated.costs.return_ns - 330.0).abs() < 1e-6);
        assert!((calibrated.stack_ns - 1_270.0).abs() < 1e-6);
        assert!((calibrated.hits_per_second(0.01) - 20_000.0).abs() < 1e-3);
        assert!((calibrated.costs.toggle_ns - Costs::default().toggle_ns).abs() < 1e-9);
    }

    #[test]
    fn what_scatters_is_taken_to_be_further_off() {
        let calm = evaluate(&all(500, 9_000, 830, 2_100, 0)).expect("plausible");
        assert!((calm.costs.relative_error - ERROR_LEAST).abs() < 1e-9);
        let mut wild = all(500, 9_000, 830, 2_100, 0);
        for (index, round) in wild.iter_mut().enumerate() {
            round.probed_ns *= 1 + index as u64 % 4;
        }
        assert!(evaluate(&wild).expect("plausible").costs.relative_error > 0.3);
    }

    #[test]
    fn what_is_no_price_is_refused() {
        assert!(evaluate(&[]).is_err());
        assert!(evaluate(&all(0, 9_000, 830, 2_100, 0)).is_err(), "the probe was not hit");
        assert!(evaluate(&all(500, 9_000_000, 830, 2_100, 0)).is_err());
        let slower_bare = Round { kind: Kind::Emulated, probed_ns: 0, bare_ns: u64::MAX };
        assert!(evaluate(&[slower_bare]).is_err());
    }
}
