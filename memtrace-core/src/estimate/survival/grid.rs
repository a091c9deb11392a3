//! Ages, grouped into a bounded number of cells up to an age, and one beyond it.
//!
//! In: the times at which lives were seen alive or dead, and the age that is asked about. Out: the cell in which a
//! time lies. Invariant: the age is a bound, so every cell lies wholly before or wholly beyond it.

use super::Span;

/// Cells up to the age. With no more distinct times than this the grouping loses nothing.
pub(super) const CELLS: usize = 32;

/// The upper bounds of the cells, rising; the last is the age. A cell holds its upper bound, not its lower one.
pub(super) struct Grid {
    bounds_ns: Vec<u64>,
}

impl Grid {
    pub(super) fn up_to(age_ns: u64, spans: &[Span]) -> Self {
        let ends = spans.iter().flat_map(|span| [Some(span.alive_ns), span.dead_ns]).flatten();
        let mut times: Vec<u64> = ends.filter(|time_ns| *time_ns > 0 && *time_ns < age_ns).collect();
        times.sort_unstable();
        times.dedup();
        let inner = CELLS - 1;
        let mut bounds_ns: Vec<u64> = if times.len() <= inner {
            times
        } else {
            (0..inner).map(|n| times[n * times.len() / inner]).collect()
        };
        bounds_ns.push(age_ns);
        Self { bounds_ns }
    }

    /// The cell beyond the age.
    pub(super) fn beyond(&self) -> usize {
        self.bounds_ns.len()
    }

    /// The cells in which a life may have ended, first and last.
    pub(super) fn cells(&self, span: &Span) -> (usize, usize) {
        let last =
            span.dead_ns.map_or(self.beyond(), |dead_ns| self.bounds_ns.partition_point(|b| *b < dead_ns));
        let first = self.bounds_ns.partition_point(|bound_ns| *bound_ns <= span.alive_ns);
        // Who was seen alive and dead at one time that is a bound died in the cell that ends there.
        (first.min(last), last)
    }
}
