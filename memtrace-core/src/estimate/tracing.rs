//! What tracing took of a process's CPU time in its windows.
//!
//! In: what its probes were hit by ([`Hits`]), and what a trap costs ([`TrapCosts`], measured on another process). Out:
//! CPU time. A hit is a trap, half of it before the program and half behind, and the program itself. Programs measure
//! themselves, where they run. Traps cannot: their price was measured in a loop that finds every cache warm, and a
//! target pays more, or less on a better day of the processor. But a call with a result has a *gap* between its two
//! programs, the second half of one trap and the first half of the other, and gaps are measured in both places: traps
//! are taken to cost the target as many times more as gaps do.
//!
//! Invariant: no figure is negative or NaN. Refused: costs that are not positive numbers count as 0, a relative error
//! that is not one as total ignorance, a comparison of gaps that is not plausible as its bound.

/// What a process bore in windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hits {
    /// Entry probes hit.
    pub entries: u64,
    /// Return probes hit.
    pub returns: u64,
    /// Time in the programs.
    pub program_ns: u64,
    /// Calls whose gap was measured.
    pub gaps: u64,
    /// Their gaps.
    pub gaps_ns: u64,
}

impl Hits {
    /// What is in these and not in those.
    #[must_use]
    pub const fn less(&self, other: &Self) -> Self {
        Self {
            entries: self.entries.saturating_sub(other.entries),
            returns: self.returns.saturating_sub(other.returns),
            program_ns: self.program_ns.saturating_sub(other.program_ns),
            gaps: self.gaps.saturating_sub(other.gaps),
            gaps_ns: self.gaps_ns.saturating_sub(other.gaps_ns),
        }
    }
}

/// What traps cost in windows, without the programs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TrapCosts {
    /// An entry.
    pub entry_ns: f64,
    /// A return.
    pub return_ns: f64,
    /// The mean gap where these were measured; 0 when it was not, and then targets are taken to pay the same.
    pub gap_ns: f64,
    /// The true cost lies within this part of the charged one, above or below.
    pub relative_error: f64,
}

impl TrapCosts {
    /// These costs, for every target alike.
    #[must_use]
    pub const fn fixed(entry_ns: f64, return_ns: f64, relative_error: f64) -> Self {
        Self { entry_ns, return_ns, gap_ns: 0.0, relative_error }
    }

    /// By the prices, as they were measured.
    pub(super) fn traps_ns(&self, hits: &Hits) -> f64 {
        positive(self.entry_ns) * hits.entries as f64 + positive(self.return_ns) * hits.returns as f64
    }

    pub(super) fn error(&self) -> f64 {
        if self.relative_error >= 0.0 { self.relative_error.min(1.0) } else { 1.0 }
    }

    /// By how much dearer a target's traps are, from its gaps.
    pub(super) fn slowness(&self, gaps: f64, gaps_ns: f64) -> f64 {
        /// Fewer tell nothing: one that an interrupt fell into would count for too much.
        const GAPS_LEAST: f64 = 50.0;
        if gaps < GAPS_LEAST || positive(self.gap_ns) <= 0.0 {
            return 1.0;
        }
        (gaps_ns / gaps / self.gap_ns).clamp(SLOWNESS.0, SLOWNESS.1)
    }
}

/// What is believed of a comparison of gaps. Processors change their pace by less than a half; threads that contend in
/// the kernel paid ten times the price before Linux 6.14, and gaps that long are not measured any more.
const SLOWNESS: (f64, f64) = (0.5, 8.0);

const fn positive(each_ns: f64) -> f64 {
    if each_ns.is_finite() { each_ns.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: TrapCosts =
        TrapCosts { entry_ns: 600.0, return_ns: 400.0, gap_ns: 500.0, relative_error: 0.1 };

    #[test]
    fn traps_cost_what_gaps_say_that_they_cost() {
        assert!((COSTS.slowness(1_000.0, 600_000.0) - 1.2).abs() < 1e-9);
        assert!((COSTS.slowness(1_000.0, 400_000.0) - 0.8).abs() < 1e-9);
        let hits = Hits { entries: 10, returns: 5, ..Hits::default() };
        assert!((COSTS.traps_ns(&hits) - 8_000.0).abs() < 1e-9);
    }

    #[test]
    fn a_comparison_with_nothing_says_nothing_and_an_absurd_one_little() {
        assert!((COSTS.slowness(3.0, 30_000.0) - 1.0).abs() < 1e-9, "too few");
        let unknown = TrapCosts { gap_ns: 0.0, ..COSTS };
        assert!((unknown.slowness(1_000.0, 600_000.0) - 1.0).abs() < 1e-9);
        assert!((COSTS.slowness(1_000.0, 0.0) - 0.5).abs() < 1e-9);
        assert!((COSTS.slowness(1_000.0, 1e12) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_in_a_part_is_not_in_the_rest() {
        let whole = Hits { entries: 9, returns: 5, program_ns: 700, gaps: 4, gaps_ns: 80 };
        let part = Hits { entries: 4, returns: 2, program_ns: 300, gaps: 1, gaps_ns: 30 };
        let rest = Hits { entries: 5, returns: 3, program_ns: 400, gaps: 3, gaps_ns: 50 };
        assert_eq!((whole.less(&part), part.less(&whole)), (rest, Hits::default()));
    }
}
