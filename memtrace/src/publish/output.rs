//! Stdout: blocks of text, or JSON lines.

use std::io::{self, IsTerminal as _, Write as _};

use memtrace_core::{
    model::Snapshot,
    render::{self, Begin, End, JsonOptions, TableOptions, Warning},
};

use crate::cli::args::Format;

/// How results are printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    format: Format,
    show_internal: bool,
}

impl Output {
    pub(super) const fn new(format: Format, show_internal: bool) -> Self {
        Self { format, show_internal }
    }

    pub(super) fn begin(self, begin: &Begin<'_>) -> io::Result<()> {
        self.json_line(|| render::json::begin(begin))
    }

    pub(super) fn end(self, end: &End<'_>) -> io::Result<()> {
        self.json_line(|| render::json::end(end))
    }

    /// Warnings are lines of their own in JSON; the text has them on stderr.
    pub(super) fn warning(self, warning: &Warning<'_>) -> io::Result<()> {
        let process = warning.pid.map(|pid| format!("process {pid}: ")).unwrap_or_default();
        if self.format == Format::Text {
            let _closed =
                writeln!(io::stderr(), "memtrace: {process}{}", render::text::safe(warning.message));
        }
        self.json_line(|| render::json::warning(warning))
    }

    pub(super) fn snapshot(self, snapshot: &Snapshot) -> io::Result<()> {
        match self.format {
            Format::Json => {
                print(&render::json::snapshot(snapshot, JsonOptions { show_internal: self.show_internal }))
            }
            Format::Text => print(&render::table(snapshot, &self.table_options())),
        }
    }

    fn json_line(self, line: impl FnOnce() -> String) -> io::Result<()> {
        if self.format == Format::Json { print(&line()) } else { Ok(()) }
    }

    fn table_options(self) -> TableOptions {
        let is_terminal = io::stdout().is_terminal();
        let asks_for_no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        TableOptions {
            show_internal: self.show_internal,
            width: if is_terminal { terminal_width() } else { None },
            color: is_terminal && !asks_for_no_color,
            ..TableOptions::default()
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
