//! Turnbull's self-consistent shares: how the ends of lives are distributed over the cells of a grid.
//!
//! In: lives with the cells in which they may have ended. Out: the share that ended beyond the age. Every round
//! spreads each life over its cells in proportion to the shares of the round before; the likelihood never falls, and
//! the rounds are bounded.
//!
//! Where the lives do not tell one cell from the next the shares stay in the proportion they started with, so the
//! bounds of an interval start from opposite ends: what cannot be known shows as their distance.

use super::Span;
use super::grid::{Grid, Reach};

/// From which shares the rounds start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    /// The same in each cell.
    Even,
    /// Nearly all before the age.
    Early,
    /// Nearly all beyond it.
    Late,
}

/// How much less a skewed start holds in the cells that it does not prefer.
const SKEW: f64 = 1e-2;

impl Start {
    fn share(self, is_beyond: bool) -> f64 {
        match (self, is_beyond) {
            (Self::Even, _) | (Self::Early, false) | (Self::Late, true) => 1.0,
            (Self::Early, true) | (Self::Late, false) => SKEW,
        }
    }
}

/// A round takes some nanoseconds for each life.
const ROUNDS_MAX: u32 = 500;

/// A share that moves by less in one round is told.
const STILL: f64 = 1e-5;

/// The share of lives, by weight, that end beyond the age. `spans` is not empty.
pub(super) fn share_beyond(spans: &[Span], age_ns: u64, start: Start) -> f64 {
    let grid = Grid::around(age_ns, spans);
    let endings = endings(spans, &grid);
    let mut shares: Vec<f64> = (0..grid.cells()).map(|cell| start.share(cell >= grid.beyond())).collect();
    let beyond = |shares: &[f64]| shares[grid.beyond()..].iter().sum::<f64>();
    for _ in 0..ROUNDS_MAX {
        let next = spread(&endings, &shares);
        let moved = (beyond(&next) - beyond(&shares)).abs();
        shares = next;
        if moved < STILL {
            break;
        }
    }
    let all: f64 = shares.iter().sum();
    let share = beyond(&shares) / all;
    // Shares approach 0 and 1 without end.
    let told = [0.0, 1.0].into_iter().find(|end: &f64| (share - end).abs() < 10.0 * STILL);
    told.unwrap_or(share)
}

/// A life's part of all weight, and where it may have ended.
struct Ending {
    weight: f64,
    reach: Reach,
}

fn endings(spans: &[Span], grid: &Grid) -> Vec<Ending> {
    let heaviest = spans.iter().map(|span| span.weight).fold(0.0, f64::max);
    let total: f64 = spans.iter().map(|span| span.weight / heaviest).sum();
    let weight = |span: &Span| span.weight / heaviest / total;
    spans.iter().map(|span| Ending { weight: weight(span), reach: grid.reach(span) }).collect()
}

/// One round: each life multiplies the shares of its cells by its weight over what they hold together.
fn spread(endings: &[Ending], shares: &[f64]) -> Vec<f64> {
    let mut below = Vec::with_capacity(shares.len() + 1);
    below.push(0.0);
    for share in shares {
        below.push(below[below.len() - 1] + share);
    }
    let mut gained = vec![0.0; shares.len()];
    // What the cells between the first and the last are multiplied by, as differences from cell to cell.
    let mut steps = vec![0.0; shares.len() + 1];
    for Ending { weight, reach: Reach { first, last, in_first, in_last } } in endings {
        if first == last {
            gained[*first] += weight;
            continue;
        }
        let (at_first, at_last) = (shares[*first] * in_first, shares[*last] * in_last);
        let held = at_first + (below[*last] - below[first + 1]).max(0.0) + at_last;
        if held > 0.0 {
            let factor = weight / held;
            gained[*first] += at_first * factor;
            gained[*last] += at_last * factor;
            steps[first + 1] += factor;
            steps[*last] -= factor;
        }
    }
    let mut factor = 0.0_f64;
    for (cell, gained) in gained.iter_mut().enumerate() {
        factor += steps[cell];
        *gained += shares[cell] * factor.max(0.0);
    }
    gained
}
