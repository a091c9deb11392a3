//! The command line: in, arguments; out, a run and an exit code. The only place that uses `anyhow` and prints errors.

pub mod args;
mod exit;

use std::process::ExitCode;

use clap::Parser as _;

use self::args::{Cli, DoctorArguments, Subcommand};
pub use self::exit::{CANNOT_RUN, ERROR};
use crate::{kernel::requirements, session, targets::pid};

/// Parses, runs, and says what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    init_logging(cli.verbose);
    let result = match &cli.subcommand {
        Some(Subcommand::Doctor(arguments)) => doctor(arguments),
        None => trace(&cli),
    };
    result.unwrap_or_else(|error| exit::failure(&error))
}

/// What was typed is judged first, then who typed it, then what it names: who may not trace cannot always see what
/// exists.
fn trace(cli: &Cli) -> anyhow::Result<ExitCode> {
    let settings = args::settings(cli)?;
    requirements::check()?;
    for pid in &settings.selection.pids {
        pid::check(*pid)?;
        pid::check_readable(*pid)?;
    }
    session::run(settings)?;
    Ok(ExitCode::SUCCESS)
}

fn doctor(arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let can_trace = crate::doctor::run(arguments.pid, arguments.json)?;
    Ok(if can_trace { ExitCode::SUCCESS } else { ExitCode::from(CANNOT_RUN) })
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
