//! What traps cost in windows, where probes are armed through anchors and programs measure themselves.
//!
//! In: the helper, anchors to arm it through, and its meter. Out: [`WindowCosts`]. What a call costs more with probes
//! than without, less the time in its programs, is the price of its traps. It refuses what is no plausible price.
//! Invariant: when it returns, nothing of the helper is armed, anchored or metered.

use memtrace_common::{Allowance, Meter};
use memtrace_core::estimate::{Hits, TrapCosts};

use super::{
    CalibrationError, Helper, TARGET,
    code::Kind,
    figures::{PLAUSIBLE_NS, Round},
    helper,
};
use crate::{
    host::mappings,
    kernel::anchor::{AnchorFile, Anchors},
    windows::{Borne, Instruments},
};

/// What traps cost in windows, programs left out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WindowCosts {
    /// An entry on an instruction that the kernel emulates.
    pub entry_ns: f64,
    /// An entry on an instruction that the kernel steps over.
    pub stepped_entry_ns: f64,
    /// A return.
    pub return_ns: f64,
    /// From the end of an entry program to the beginning of its return program; 0 when it was not measured.
    pub gap_ns: f64,
}

/// Without a measurement: what most machines take, and no more than a guess.
impl Default for WindowCosts {
    fn default() -> Self {
        Self { entry_ns: 450.0, stepped_entry_ns: 15_000.0, return_ns: 550.0, gap_ns: 0.0 }
    }
}

/// How far off the price of a target's traps may be, once its gaps have been compared. Loops that work in registers were
/// met within a few percent on a virtual machine; what works on its stack is slowed by traps beyond them, for the
/// processor forgets what it predicted of loads, and looked as if they were up to a fifth dearer.
const ERROR: f64 = 0.2;

/// When nothing was measured.
const ERROR_ASSUMED: f64 = 0.6;

/// Stepped entries that are fewer than this part are none, for their number is a guess that errs upwards.
const STEPPED_LEAST: f64 = 0.1;

impl WindowCosts {
    /// What traps cost a target of whose entries this share is stepped. That share is a guess, so if it is not small,
    /// anything between none and all of it is possible.
    #[must_use]
    pub fn of_target(&self, stepped_share: f64) -> TrapCosts {
        let error = if self.gap_ns > 0.0 { ERROR } else { ERROR_ASSUMED };
        let stepped_share = stepped_share.clamp(0.0, 1.0);
        let is_stepped = stepped_share >= STEPPED_LEAST;
        let stepped_ns =
            if is_stepped { (self.stepped_entry_ns - self.entry_ns).max(0.0) * stepped_share } else { 0.0 };
        TrapCosts {
            entry_ns: self.entry_ns + stepped_ns,
            return_ns: self.return_ns,
            gap_ns: self.gap_ns,
            relative_error: if is_stepped { 1.0 } else { error },
        }
    }
}

/// Kinds that tell of traps.
const KINDS: [Kind; 3] = [Kind::Returning, Kind::Emulated, Kind::Stepped];

/// One round, and what its programs measured.
struct WindowRound {
    round: Round,
    hits: Hits,
}

impl Helper {
    /// Arms the helper's functions as in a window and has it call them. It has to be followed.
    ///
    /// # Errors
    /// When it cannot be armed, the helper fails, or the figures are not plausible.
    pub fn measure_in_window(
        mut self,
        anchors: &mut Anchors,
        instruments: &Instruments,
    ) -> Result<WindowCosts, CalibrationError> {
        // Sampling nothing: it is for traps alone, and a target's programs measure themselves.
        let allowance =
            Allowance { window: 1, entries_max: u64::MAX, opens_ns: u64::MAX, ..Allowance::default() };
        instruments.meters.follow(TARGET)?;
        let rounds = instruments.allowances.set(TARGET, allowance).map_err(CalibrationError::from);
        let rounds = rounds.and_then(|()| self.window_rounds(anchors, instruments));
        instruments.allowances.clear(TARGET);
        instruments.meters.forget(TARGET);
        evaluate(&rounds?)
    }

    fn window_rounds(
        &mut self,
        anchors: &mut Anchors,
        instruments: &Instruments,
    ) -> Result<Vec<WindowRound>, CalibrationError> {
        self.wait_until_ready()?;
        let probes = KINDS.map(helper::probe).into_iter().collect::<Option<Vec<_>>>();
        let own = mappings::own_mapping(KINDS[0].probed() as usize).zip(probes);
        let (own, probes) = own.ok_or(CalibrationError::NoFunctions)?;
        let file = AnchorFile { path: mappings::OWN_FILE.as_ref(), id: own.file, probes: &probes };
        anchors.warm_up();
        let rounds = match anchors.arm(&[file], self.pid()) {
            Ok(_armed) => self.armed_rounds(instruments),
            Err(error) => Err(error.into()),
        };
        anchors.forget(&own.file);
        rounds
    }

    fn armed_rounds(&mut self, instruments: &Instruments) -> Result<Vec<WindowRound>, CalibrationError> {
        let meter = || instruments.meters.read(TARGET).unwrap_or_default();
        let mut rounds = Vec::new();
        for _ in 0..helper::ROUNDS {
            for kind in KINDS {
                let before: Meter = meter();
                let round = self.round(kind)?;
                rounds.push(WindowRound { round, hits: Borne::between(&before, &meter()).hits });
            }
        }
        Ok(rounds)
    }
}

fn evaluate(rounds: &[WindowRound]) -> Result<WindowCosts, CalibrationError> {
    let emulated_ns = price(rounds, Kind::Emulated)?;
    let returning_ns = price(rounds, Kind::Returning)?;
    let gaps =
        of_kind(rounds, Kind::Returning).map(|round| round.hits.gaps_ns as f64 / round.hits.gaps as f64);
    let gap_ns = median(gaps.filter(|gap_ns| gap_ns.is_finite()));
    let gap_ns = gap_ns.filter(|gap_ns| PLAUSIBLE_NS.contains(gap_ns));
    Ok(WindowCosts {
        entry_ns: emulated_ns,
        stepped_entry_ns: price(rounds, Kind::Stepped)?.max(emulated_ns),
        return_ns: (returning_ns - emulated_ns).max(0.0),
        gap_ns: gap_ns.ok_or_else(|| CalibrationError::Implausible("no gaps".to_owned()))?,
    })
}

fn of_kind(rounds: &[WindowRound], kind: Kind) -> impl Iterator<Item = &WindowRound> {
    rounds.iter().filter(move |round| round.round.kind == kind)
}

/// Of the traps of one call.
fn price(rounds: &[WindowRound], kind: Kind) -> Result<f64, CalibrationError> {
    let each_ns = of_kind(rounds, kind).map(|WindowRound { round, hits }| {
        // The programs ran for calls that were not timed, too.
        let program_ns = hits.program_ns as f64 / hits.entries as f64;
        (round.probed_ns as f64 - round.bare_ns as f64) / f64::from(kind.calls()) - program_ns
    });
    let median_ns = median(each_ns).unwrap_or(f64::NAN);
    if PLAUSIBLE_NS.contains(&median_ns) {
        Ok(median_ns)
    } else {
        Err(CalibrationError::Implausible(format!("{kind:?}: traps of {median_ns:.0} ns in windows")))
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(kind: Kind, traps_ns: u64, program_ns: u64, gap_ns: u64) -> impl Iterator<Item = WindowRound> {
        let calls = u64::from(kind.calls());
        let returns = if kind == Kind::Returning { calls + 1 } else { 0 };
        (0..15).map(move |index| {
            let noise_ns = if index % 4 == 0 { 10_000_000 } else { 0 };
            let round =
                Round { kind, probed_ns: (traps_ns + program_ns + 2) * calls + noise_ns, bare_ns: 2 * calls };
            let hits = Hits {
                entries: calls + 1,
                returns,
                program_ns: program_ns * (calls + 1),
                gaps: returns,
                gaps_ns: gap_ns * returns,
            };
            WindowRound { round, hits }
        })
    }

    fn all(emulated_ns: u64, returning_ns: u64, gap_ns: u64) -> Vec<WindowRound> {
        rounds(Kind::Emulated, emulated_ns, 300, 0)
            .chain(rounds(Kind::Returning, returning_ns, 500, gap_ns))
            .chain(rounds(Kind::Stepped, 9_000, 300, 0))
            .collect()
    }

    #[test]
    fn programs_are_no_part_of_the_price_of_traps() {
        let costs = evaluate(&all(450, 1_000, 520)).expect("plausible");
        let expected = [(costs.entry_ns, 450.0), (costs.stepped_entry_ns, 9_000.0), (costs.return_ns, 550.0)];
        for (price_ns, expected_ns) in expected.into_iter().chain([(costs.gap_ns, 520.0)]) {
            assert!((price_ns - expected_ns).abs() < 1e-6, "{costs:?}");
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        assert!(evaluate(&[]).is_err());
        assert!(evaluate(&all(0, 1_000, 520)).is_err(), "traps take time");
        assert!(evaluate(&all(450, 1_000, 0)).is_err(), "and so do gaps");
    }

    #[test]
    fn a_guess_of_stepped_entries_leaves_the_price_open_and_a_small_one_is_ignored() {
        let costs = evaluate(&all(450, 1_000, 520)).expect("plausible");
        assert!((costs.of_target(0.02).entry_ns - 450.0).abs() < 1e-6);
        let stepped = costs.of_target(0.5);
        assert!((stepped.entry_ns - (450.0 + 8_550.0 * 0.5)).abs() < 1e-6);
        assert!((stepped.relative_error - 1.0).abs() < 1e-9);
        assert!(WindowCosts::default().of_target(0.0).relative_error > costs.of_target(0.0).relative_error);
    }
}
