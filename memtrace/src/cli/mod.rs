//! The command line: in, arguments; out, a run and an exit code. The only place that uses `anyhow` and prints errors.

pub mod args;
mod exit;

use std::process::ExitCode;

use clap::Parser as _;

use self::args::{Cli, Subcommand};
pub use self::exit::{CANNOT_RUN, ERROR};
use crate::session;

/// Parses, runs, and says what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    init_logging(cli.verbose);
    let result = match &cli.subcommand {
        Some(Subcommand::Doctor(doctor)) => crate::doctor::run(doctor.pid, doctor.json),
        None => args::settings(&cli).and_then(session::run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failure(&error),
    }
}

/// User space logs to stderr; `-v` adds what memtrace does, `-vv` what the BPF programs do.
fn init_logging(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let format = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level);
    let format = format.with_target(verbose > 1);
    if verbose > 0 { format.init() } else { format.without_time().init() }
}
