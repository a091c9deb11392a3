//! The `memtrace` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    memtrace::calibrate::as_helper().unwrap_or_else(memtrace::cli::main)
}
