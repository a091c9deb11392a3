//! The report as one screen of text. Strings that a target chose are made safe for a terminal.

use std::fmt::Write as _;

use memtrace_core::render::text::{cut_end, safe};

use super::report::{AllocatorReport, Item, MissingReport, ProcessReport, PythonReport, Report, SiteReport};

/// Of a line that is not cut.
const WIDTH: usize = 100;

/// Where the details of items begin.
const INDENT: usize = 30;

/// Writes it.
pub(super) fn render(report: &Report) -> String {
    let verdict = if report.can_trace() { "can trace here" } else { "cannot trace here" };
    let mut text = format!("memtrace {} {verdict}\n\n", report.version);
    for item in &report.items {
        push_item(&mut text, item);
    }
    if let Some(process) = &report.process {
        push_process(&mut text, process);
    }
    text
}

/// Writing to a String cannot fail, here and below.
fn push_item(text: &mut String, item: &Item) {
    let mut lines = item.detail.lines().flat_map(|line| wrap(&safe(line.trim()), WIDTH - INDENT));
    let first = lines.next().unwrap_or_default();
    let _ = writeln!(text, "{:<8}{:<22}{first}", item.status.word(), item.name);
    for line in lines {
        let _ = writeln!(text, "{:INDENT$}{line}", "");
    }
}

fn push_process(text: &mut String, process: &ProcessReport) {
    let exe = process.exe.as_deref().map_or("executable not known".to_owned(), safe);
    let _ = writeln!(text, "\nprocess {}  {}  {exe}", process.pid, safe(&process.comm));
    if let Some(python) = &process.python {
        push_python(text, python);
    }
    for note in &process.notes {
        let _ = writeln!(text, "note    {}", safe(note));
    }
    for allocator in &process.allocators {
        push_allocator(text, allocator);
    }
}

fn push_python(text: &mut String, python: &PythonReport) {
    let version = python.version.as_deref().unwrap_or("of a version that is not read");
    let stacks = match &python.thread_state {
        Ok(slot) => format!("thread state at {slot}"),
        Err(reason) => format!("no stacks: {}", safe(reason)),
    };
    let _ = writeln!(text, "Python {version} (by {}), {stacks}", python.identified_by);
    let _ = writeln!(text, "    {}", safe(&python.path));
}

fn push_allocator(text: &mut String, allocator: &AllocatorReport) {
    let condition = if allocator.domain == "pymalloc" { " (with --python-objects)" } else { "" };
    let _ = writeln!(text, "\n{}{condition}  {}", allocator.domain, safe(&allocator.path));
    let _ = writeln!(text, "    build id {}", allocator.build_id.as_deref().unwrap_or("none"));
    for site in &allocator.sites {
        push_site(text, site);
    }
    for missing in &allocator.missing {
        push_missing(text, missing);
    }
}

fn push_site(text: &mut String, site: &SiteReport) {
    const NAMES: usize = 48;
    let names: Vec<String> = site.functions.iter().map(|name| safe(name)).collect();
    let names = cut_end(&names.join(" "), NAMES);
    let offset = format!("+{:#x}", site.offset_in_function);
    let _ =
        writeln!(text, "    {names:<NAMES$}  {offset:<7}{:<10}{}", site.execution, safe(&site.instruction));
}

fn push_missing(text: &mut String, missing: &MissingReport) {
    let _ = writeln!(text, "    no probe: {}: {}", missing.functions.join(" "), safe(&missing.reason));
}

/// Breaks at blanks into lines of at most `width` characters; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
pub(super) mod tests;
