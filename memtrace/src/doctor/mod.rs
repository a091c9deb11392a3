//! `memtrace doctor`: what this kernel, these rights and a process allow.
//!
//! In: the machine, and a pid. Out: one screen of text, or one JSON object; and whether memtrace can trace here. It
//! needs no rights: what it may not look at, it says so. Invariant: it loads what tracing loads and looks at a process
//! the way tracing does, so that the two cannot disagree; nothing stays loaded. What hits cost is measured on a process of
//! its own.

mod checks;
mod json;
mod machine;
mod process;
mod report;
mod text;

use std::io::{self, Write as _};

use anyhow::Context as _;

use self::report::Report;
use crate::targets::pid;

/// Looks, prints, and returns true when memtrace can trace here.
///
/// # Errors
/// When there is no such process, or output cannot be written.
pub fn run(pid: Option<u32>, json: bool) -> anyhow::Result<bool> {
    if let Some(pid) = pid {
        pid::check(pid)?;
    }
    let process = pid.map(process::look).transpose().context("the process has ended")?;
    let machine::Machine { items, costs } = machine::look();
    let report = Report { version: env!("CARGO_PKG_VERSION").to_owned(), items, costs, process };
    let rendered = if json { json::render(&report) } else { text::render(&report) };
    match io::stdout().lock().write_all(rendered.as_bytes()) {
        // The reader has seen enough: `memtrace doctor | head`.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("the report cannot be written"))
        }
        _ => Ok(report.can_trace()),
    }
}
