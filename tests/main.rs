//! One binary for all end-to-end tests.
//!
//! `suite` says what must hold, `support` starts programs and memtrace and reads what they say, `programs` are the
//! programs of known truth. Everything that traces needs root: without it a test fails and says how to run it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests too; clippy.toml exempts only #[test] functions"
)]

mod suite;
mod support;
