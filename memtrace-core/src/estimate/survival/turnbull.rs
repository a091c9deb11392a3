//! Turnbull's self-consistent shares: how the ends of lives are distributed over the cells of a grid.
//!
//! In: lives with the cells in which they may have ended. Out: the share that ended beyond the age. Every round
//! spreads each life over its cells in proportion to the shares of the round before; the likelihood never falls, and
//! the rounds are bounded.
//!
//! Where the lives do not tell one cell from the next the shares stay in the proportion they started with, so the
//! bounds of an interval start from opposite ends: what cannot be known shows as their distance.

use super::Span;
use super::grid::Grid;

/// From which shares the rounds start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    /// The same in each cell.
    Even,
    /// Nearly all at young ages.
    Early,
    /// Nearly all beyond the age.
    Late,
}

/// How much less one start holds in the cell beyond the age than another.
const SKEW: f64 = 1e-3;

impl Start {
    fn share(self, is_beyond: bool) -> f64 {
        match (self, is_beyond) {
            (Self::Even, _) | (Self::Early, false) | (Self::Late, true) => 1.0,
            (Self::Early, true) | (Self::Late, false) => SKEW,
        }
    }
}

const ROUNDS_MAX: u32 = 500;

/// A share that moves by less in one round is told.
const STILL: f64 = 1e-7;

/// The share of lives, by weight, that end beyond the age. `spans` is not empty.
pub(super) fn share_beyond(spans: &[Span], age_ns: u64, start: Start) -> f64 {
    let grid = Grid::up_to(age_ns, spans);
    let beyond = grid.beyond();
    let groups = groups(spans, &grid);
    let mut shares: Vec<f64> = (0..=beyond).map(|cell| start.share(cell == beyond)).collect();
    for _ in 0..ROUNDS_MAX {
        let next = spread(&groups, &shares);
        let moved = (next[beyond] - shares[beyond]).abs();
        shares = next;
        if moved < STILL {
            break;
        }
    }
    shares[beyond].clamp(0.0, 1.0)
}

/// Lives that may have ended in the same cells, and their part of all weight.
struct Group {
    first: usize,
    last: usize,
    weight: f64,
}

fn groups(spans: &[Span], grid: &Grid) -> Vec<Group> {
    let cells = grid.beyond() + 1;
    let heaviest = spans.iter().map(|span| span.weight).fold(0.0, f64::max);
    let mut weights = vec![0.0; cells * cells];
    for span in spans {
        let (first, last) = grid.cells(span);
        weights[first * cells + last] += span.weight / heaviest;
    }
    let total: f64 = weights.iter().sum();
    let group =
        |(at, weight): (usize, f64)| Group { first: at / cells, last: at % cells, weight: weight / total };
    weights.into_iter().enumerate().filter(|(_, weight)| *weight > 0.0).map(group).collect()
}

/// One round.
fn spread(groups: &[Group], shares: &[f64]) -> Vec<f64> {
    let mut next = vec![0.0; shares.len()];
    for group in groups {
        let cells = group.first..=group.last;
        let held: f64 = shares[cells.clone()].iter().sum();
        if held > 0.0 {
            for cell in cells {
                next[cell] += group.weight * shares[cell] / held;
            }
        }
    }
    next
}
