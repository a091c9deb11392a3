//! Stage render: a [`crate::model::Snapshot`] as text for people ([`table()`]) and as JSON for programs ([`json`]).
//!
//! In: one immutable snapshot and options. Out: strings. It refuses to look anything up, so that table, JSON and
//! metrics of one moment cannot disagree.
//!
//! Invariant: sites and `other` add up to what the aggregate stage summed; nothing is left out without being counted.

mod estimate_line;
#[cfg(test)]
pub(crate) mod fixtures;
mod frame_line;
pub mod json;
mod paint;
mod quality_line;
pub mod table;
pub mod text;
pub mod units;

pub use json::{Begin, End, JsonOptions, Warning};
pub use table::{TableOptions, table};
