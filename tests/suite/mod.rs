//! What must hold, one file a subject.

mod accuracy;
mod cli;
mod hostile;
mod http;
mod lifecycle;
mod lost_returns;
mod odd_targets;
mod programs;
mod python;
mod python_lines;
mod python_memory;
mod python_version;
mod refusals;
mod semantics;
mod short_lives;
mod traces_left;
