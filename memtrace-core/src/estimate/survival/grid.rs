//! Ages, grouped into a bounded number of cells.
//!
//! In: the times at which lives were seen alive or dead, and the age that is asked about. Out: the cells in which a
//! life may have ended, and which part of the first and of the last of them: within a cell ends are spread evenly, so
//! where the bounds happen to lie tips no balance. Invariant: the age is a bound, so every cell lies wholly before or
//! wholly beyond it.

use super::Span;

/// Cells on either side of the age. More follow the lives closer, and their chance clusters too.
pub(super) const CELLS: usize = 24;

/// The upper bounds of the cells, rising. A cell holds its upper bound, not its lower one; the last has none.
pub(super) struct Grid {
    bounds_ns: Vec<u64>,
    beyond: usize,
}

impl Grid {
    pub(super) fn around(age_ns: u64, spans: &[Span]) -> Self {
        let ends = spans.iter().flat_map(|span| [Some(span.alive_ns), span.dead_ns]).flatten();
        let mut bounds_ns = quantiles(ends.filter(|end_ns| *end_ns > 0 && *end_ns < age_ns).collect());
        bounds_ns.push(age_ns);
        let beyond = bounds_ns.len();
        // Beyond the age it only matters where lives end of which it is not known whether they reached it.
        let unsure = spans.iter().filter(|span| span.alive_ns < age_ns);
        bounds_ns
            .extend(quantiles(unsure.filter_map(|span| span.dead_ns).filter(|end| *end > age_ns).collect()));
        Self { bounds_ns, beyond }
    }

    /// The first cell beyond the age.
    pub(super) fn beyond(&self) -> usize {
        self.beyond
    }

    /// How many cells there are.
    pub(super) fn cells(&self) -> usize {
        self.bounds_ns.len() + 1
    }

    /// Where a life may have ended.
    pub(super) fn reach(&self, span: &Span) -> Reach {
        let never = self.bounds_ns.len();
        let last = span.dead_ns.map_or(never, |dead_ns| self.bounds_ns.partition_point(|b| *b < dead_ns));
        // Who was seen alive and dead at one time that is a bound died in the cell that ends there.
        let first = self.bounds_ns.partition_point(|bound_ns| *bound_ns <= span.alive_ns).min(last);
        let in_first = self.part_between(first, span.alive_ns, u64::MAX);
        let in_last = span.dead_ns.map_or(1.0, |dead_ns| self.part_between(last, 0, dead_ns));
        Reach { first, last, in_first, in_last }
    }

    /// Which part of a cell lies between two times; all of the last, which has no end.
    fn part_between(&self, cell: usize, from_ns: u64, to_ns: u64) -> f64 {
        let begin_ns = if cell == 0 { 0 } else { self.bounds_ns[cell - 1] };
        let Some(end_ns) = self.bounds_ns.get(cell).copied() else { return 1.0 };
        let part_ns = to_ns.min(end_ns).saturating_sub(from_ns.max(begin_ns));
        part_ns as f64 / end_ns.saturating_sub(begin_ns).max(1) as f64
    }
}

/// Where a life may have ended: from the last part of one cell to the first part of another.
pub(super) struct Reach {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) in_first: f64,
    pub(super) in_last: f64,
}

/// At most one less than [`CELLS`] of the times, evenly spread over them, rising.
fn quantiles(mut times_ns: Vec<u64>) -> Vec<u64> {
    times_ns.sort_unstable();
    times_ns.dedup();
    let wanted = CELLS - 1;
    if times_ns.len() <= wanted {
        return times_ns;
    }
    // The last is kept: nothing that ends by it reaches into the cell after it.
    (1..=wanted).map(|n| times_ns[n * times_ns.len() / wanted - 1]).collect()
}
