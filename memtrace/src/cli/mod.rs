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

/// User space logs to stderr; `-v` adds what memtrace does, `-vv` what the BPF programs do. Of aya's own messages only
/// the warnings are for users.
fn init_logging(verbose: u8) {
    use tracing::Level;
    use tracing_subscriber::{
        Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
    };
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    let filter =
        Targets::new().with_default(level).with_targets([("aya", Level::WARN), ("aya_obj", Level::WARN)]);
    let format = fmt::layer().with_writer(std::io::stderr).with_target(verbose > 1);
    let format = if verbose > 0 { format.boxed() } else { format.without_time().boxed() };
    tracing_subscriber::registry().with(format.with_filter(filter)).init();
}
