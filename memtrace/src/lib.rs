//! The shell around memtrace-core.
