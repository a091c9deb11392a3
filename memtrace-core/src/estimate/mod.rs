//! What a random sample says of the whole, and how surely: pure statistics.
//!
//! In: weights of what was sampled (1 / probability), what became of it, and how much of a process's work the windows
//! saw. Out: an [`Interval`] that aims to hold the truth in 95 of 100 cases (the tests' simulations ask for 93 or 94),
//! or says that it cannot know by an infinite `high` or by `None`. Refused: weights that are not positive numbers are
//! left out, never a panic.
//!
//! | question                              | answer                                  | method                        |
//! |---------------------------------------|-----------------------------------------|-------------------------------|
//! | how much is there in all?             | [`weighted_total`]                      | Fay & Feuer 1997              |
//! | how much more than before?            | [`change`]                              | MOVER, Zou & Donner 2008      |
//! | which share lives to this age?        | [`survival`]                            | Turnbull 1976, Korn & Graubard|
//! | which share of the work was watched?  | [`WorkShare`], [`ShareWindow`]          | ratio estimator               |
//! | and when that share is uncertain?     | [`scaled`]                              | corners of the product        |
//!
//! Invariant: `low <= value <= high`, `value` finite, nothing is NaN.

mod beta;
mod change;
mod gamma;
mod interval;
mod share;
mod survival;
mod total;
mod tracing;

pub use change::change;
pub use interval::{Interval, scaled};
pub use share::{ShareWindow, Stretch, WorkShare};
pub use survival::{Fate, Life, survival};
pub use total::{Cluster, weighted_total};
pub use tracing::{Hits, TrapCosts};

#[cfg(test)]
mod simulation;
