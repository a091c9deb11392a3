//! The shell around memtrace-core: everything that touches the world.
//!
//! In: arguments, the kernel's events, `/proc`. Out: reports and metrics. `session` wires it all; the other modules
//! are its parts, each with a contract of its own.

pub mod attach;
pub mod calibrate;
pub mod cli;
pub mod doctor;
pub mod follow;
pub mod host;
pub mod ingest;
pub mod kernel;
pub mod liveness;
pub mod probe;
pub mod publish;
pub mod serve;
pub mod session;
pub mod targets;
pub mod windows;
