//! Exit codes: 0 fine, 2 error, 3 cannot run here.

use std::process::ExitCode;

use crate::{kernel::LoadError, targets::pid::PidError};

/// Bad arguments, or something failed.
pub const ERROR: u8 = 2;
/// This machine, or this user, cannot run memtrace.
pub const CANNOT_RUN: u8 = 3;

/// Help and version go to stdout and are no failure; anything else is.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    // A closed stdout or stderr leaves nobody to tell.
    let _closed = error.print();
    if error.use_stderr() { ExitCode::from(ERROR) } else { ExitCode::SUCCESS }
}

pub(super) fn failure(error: &anyhow::Error) -> ExitCode {
    use std::io::Write as _;
    let mut stderr = std::io::stderr().lock();
    let _closed = writeln!(stderr, "memtrace: {error:#}");
    let cannot_run = error.downcast_ref::<LoadError>().is_some()
        || matches!(error.downcast_ref(), Some(PidError::NotPermitted { .. }));
    ExitCode::from(if cannot_run { CANNOT_RUN } else { ERROR })
}
