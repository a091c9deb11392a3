//! The shell around memtrace-core.

pub mod probe;
