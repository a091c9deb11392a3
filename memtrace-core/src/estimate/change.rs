//! How much more there is than before: what was gained less what was lost.
//!
//! In: the clusters of both, from the same stretch of time. Out: the difference, with an interval that may lie on
//! both sides of zero. What was gained in a window and what was lost of it rise and fall together, if at all, which
//! makes the truth surer than this says.

use super::interval::Interval;
use super::total::{Cluster, weighted_total};

/// Total gained minus total lost. `heaviest_unseen` as for [`weighted_total`], for either.
#[must_use]
pub fn change(gained: &[Cluster], lost: &[Cluster], heaviest_unseen: f64) -> Interval {
    let gained = weighted_total(gained.iter().copied(), heaviest_unseen);
    let lost = weighted_total(lost.iter().copied(), heaviest_unseen);
    gained.minus(lost)
}

#[cfg(test)]
mod tests;
