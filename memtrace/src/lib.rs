//! The shell around memtrace-core: everything that touches the world.

pub mod host;
pub mod kernel;
pub mod probe;
pub mod serve;
