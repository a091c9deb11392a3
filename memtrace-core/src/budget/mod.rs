//! Keeps the cost of tracing within a budget, for each target and for all of them together.
//!
//! In: what targets have borne ([`Spending`], [`WindowReport`]), what a hit costs here ([`Costs`]), and the time. Out:
//! [`Decision`]s: trace this target exactly, or in windows of these lengths at these times, or not at all; and a
//! [`Overhead`] for people. It refuses to measure anything, and to trust an estimate where it can wait for the bill:
//! each target has a bucket of tokens, filled at the rate that it may spend, and whatever was spent is taken out of it,
//! expected or not. A bucket may go into debt; while it is there, nothing is armed.
//!
//! Invariant: over any time `T`, a target is charged at most `share * T + depth + D`, where `D` is what one window, or
//! one exact attachment between its alarm and its end, cost beyond the tokens that were there.

mod bucket;
mod controller;
mod correction;
mod costs;
mod decision;
mod fairness;
mod forecast;
mod jitter;
mod limits;
mod recent;
mod shared;
mod target;
mod total;
mod trial;
mod windows;

#[cfg(test)]
mod tests;

pub use controller::Controller;
pub use costs::{Costs, Spending, stepped_share};
pub use decision::{Decision, Window, WindowReport};
pub use limits::Limits;
pub use total::TotalReport;

pub use crate::model::{Overhead, Tier};

/// Nanoseconds in a second.
const SECOND_NS: f64 = 1e9;
