//! What must hold, one file a subject.

mod accuracy;
mod calibration;
mod cli;
mod containers;
mod filters;
mod hazards;
mod hostile;
mod http;
mod lifecycle;
mod liveness;
mod lost_returns;
mod odd_targets;
mod other_libcs;
mod programs;
mod python;
mod python_lines;
mod python_memory;
mod python_version;
mod refusals;
mod semantics;
mod short_lives;
mod threads;
mod tiers;
mod traces_left;
mod window_rates;
