//! One binary for all end-to-end tests.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests too; clippy.toml exempts only #[test] functions"
)]

mod suite;
mod support;
