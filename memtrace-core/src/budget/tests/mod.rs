//! The controller against a model of what tracing does to a process.

mod budget_holds;
mod model;
mod tiers;

use super::*;
