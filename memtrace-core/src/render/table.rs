//! The text block that is printed every interval.
//!
//! In: a snapshot. Out: a block of lines that ends with the line about quality and an empty line. Written for someone
//! woken at night: which process, how much, does it grow, which line of which file. ASCII but for names, the same in
//! a pipe as on a terminal, at any width; without a width nothing is cut.
//!
//! Invariant: the shown sites and the line for the others add up to the process' live bytes whenever the snapshot
//! does; no string of a target reaches the terminal unescaped.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use memtrace_common::Domain;

use crate::model::{ProcessSnapshot, ProcessState, SiteSnapshot, Snapshot};

use super::estimate_line::{about, error_line, tier_line};
use super::frame_line::{StackOptions, stack_lines};
use super::paint::{Paint, Style};
use super::quality_line::quality_line;
use super::text::{NAME_CHARS, cut_end, safe};
use super::units;

/// Before a stack's lines. Narrow, because paths are long.
const STACK_INDENT: &str = "      ";

/// A stack deeper than this is mostly framework: its outer frames are counted instead.
const STACK_LINES: usize = 24;

/// Names listed of processes that are only counted.
const GONE_NAMES: usize = 8;

/// How the block is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableOptions {
    /// Show interpreter and allocator frames.
    pub show_internal: bool,
    /// Columns of the terminal; `None` in a pipe, where nothing is cut.
    pub width: Option<usize>,
    /// Use ANSI colours.
    pub color: bool,
    /// Lines for one stack; `None` shows all.
    pub stack_lines: Option<usize>,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { show_internal: false, width: None, color: false, stack_lines: Some(STACK_LINES) }
    }
}

/// The block for one snapshot, ending in an empty line.
#[must_use]
pub fn table(snapshot: &Snapshot, options: &TableOptions) -> String {
    let mut block = Block { text: String::new(), options, paint: Paint { color: options.color } };
    block.headline(snapshot);
    let (gone, others): (Vec<_>, Vec<_>) =
        snapshot.processes.iter().partition(|process| left_nothing_to_say(process));
    for process in others {
        block.process(process);
    }
    block.gone(&gone);
    if snapshot.processes.is_empty() {
        block.line("no matching process now; waiting for one to start");
    }
    block.text.push('\n');
    let quality = quality_line(snapshot, block.paint);
    block.line(&quality);
    block.text.push('\n');
    block.text
}

struct Block<'a> {
    text: String,
    options: &'a TableOptions,
    paint: Paint,
}

impl Block<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn fitted(&self, line: &str) -> String {
        self.options.width.map_or_else(|| line.to_owned(), |width| cut_end(line, width))
    }

    fn headline(&mut self, snapshot: &Snapshot) {
        // Saturating: sizes come from the targets, and a hostile one claims what it likes.
        let (live_bytes, live_blocks) =
            snapshot.processes.iter().fold((0_u64, 0_u64), |(bytes, blocks), process| {
                let totals = &process.totals;
                (bytes.saturating_add(totals.live_bytes), blocks.saturating_add(totals.live_blocks))
            });
        let line = format!(
            "memtrace {}  {}, {} live in {}",
            units::clock(snapshot.elapsed_ns),
            units::counted(snapshot.processes.len() as u64, "process"),
            units::bytes(live_bytes),
            units::counted(live_blocks, "block"),
        );
        let line = self.paint.paint(Style::Title, &self.fitted(&line));
        self.line(&line);
    }

    fn process(&mut self, process: &ProcessSnapshot) {
        self.text.push('\n');
        let title = self.paint.paint(Style::Title, &self.fitted(&process_title(process)));
        self.line(&title);
        if !process.info.cmdline.is_empty() {
            let command = format!("  {}", command_line(&process.info.cmdline));
            let command = self.paint.paint(Style::Faint, &self.fitted(&command));
            self.line(&command);
        }
        let activity = self.fitted(&process_activity(process));
        self.line(&activity);
        self.estimate(process);
        if process.totals.frees_unknown > 0 {
            let frees = units::counted(process.totals.frees_unknown, "free");
            let line =
                self.fitted(&format!("  {frees} of blocks from before attach or fork, not counted here"));
            self.line(&line);
        }
        for note in &process.notes {
            let note = self.paint.paint(Style::Alert, &format!("  note: {}", safe(note)));
            self.line(&note);
        }
        self.sites(process);
    }

    fn estimate(&mut self, process: &ProcessSnapshot) {
        let tier = self.fitted(&format!("  {}", tier_line(&process.overhead)));
        self.line(&tier);
        if let Some(errors) = error_line(&process.estimate) {
            let errors = self.fitted(&format!("  {errors}"));
            self.line(&errors);
        }
    }

    /// Processes that come and go would otherwise fill the screen.
    fn gone(&mut self, processes: &[&ProcessSnapshot]) {
        if processes.is_empty() {
            return;
        }
        let names: BTreeSet<String> = processes.iter().map(|process| safe(&process.info.comm)).collect();
        let names: Vec<String> = names.into_iter().take(GONE_NAMES).collect();
        let line = format!(
            "{} exited with nothing live: {}",
            units::counted(processes.len() as u64, "process"),
            names.join(", ")
        );
        self.text.push('\n');
        let line = self.paint.paint(Style::Faint, &self.fitted(&line));
        self.line(&line);
    }

    fn sites(&mut self, process: &ProcessSnapshot) {
        if process.sites.is_empty() && process.other_sites.sites == 0 {
            self.line("  nothing allocated since memtrace attached is live");
            return;
        }
        let heading = format!("{:>11} {:>12} {:>13} {:>9}", "live", "blocks", "growth", "oldest");
        let heading = self.paint.paint(Style::Faint, &heading);
        self.line(&heading);
        for site in &process.sites {
            self.site(site);
        }
        let other = &process.other_sites;
        if other.sites > 0 {
            let line = format!(
                "{:>11} {:>12}   in {}",
                units::bytes(other.live_bytes),
                units::count(other.live_blocks),
                units::counted(other.sites, "more site"),
            );
            self.line(&line);
        }
    }

    fn site(&mut self, site: &SiteSnapshot) {
        let growth = format!("{:>13}", units::growth(site.growth_bytes));
        let growth = if site.growth_bytes > 0 { self.paint.paint(Style::Alert, &growth) } else { growth };
        let oldest = site.oldest_age_ns.map_or_else(|| "-".to_owned(), units::age);
        let domain = match site.domain {
            Domain::Pymalloc => "  pymalloc",
            Domain::Libc => "",
        };
        let live = format!("{}{}", about(&site.estimate.live_bytes), units::bytes(site.live_bytes));
        let live = self.paint.paint(Style::Title, &format!("{live:>11}"));
        // Writing to a String cannot fail.
        let _ =
            writeln!(self.text, "{live} {:>12} {growth} {oldest:>9}{domain}", units::count(site.live_blocks));
        if let Some(errors) = error_line(&site.estimate) {
            let errors = self.paint.paint(Style::Faint, &self.fitted(&format!("{STACK_INDENT}{errors}")));
            self.line(&errors);
        }
        let options = StackOptions {
            show_internal: self.options.show_internal,
            lines_max: self.options.stack_lines,
            width: self.options.width.map(|width| width.saturating_sub(STACK_INDENT.len())),
        };
        for frame in stack_lines(&site.frames, options) {
            self.text.push_str(STACK_INDENT);
            self.line(&frame);
        }
    }
}

fn left_nothing_to_say(process: &ProcessSnapshot) -> bool {
    process.state == ProcessState::Exited
        && process.totals.live_blocks == 0
        && process.sites.is_empty()
        && process.other_sites.sites == 0
        && process.notes.is_empty()
}

fn process_title(process: &ProcessSnapshot) -> String {
    let mut title = format!("{} [{}]", safe(&process.info.comm), process.info.pid);
    if process.state == ProcessState::Exited {
        title.push_str("  exited, final figures");
    }
    let totals = &process.totals;
    // Writing to a String cannot fail.
    let _ = write!(
        title,
        "  live {about}{} in {about}{}",
        units::bytes(totals.live_bytes),
        units::counted(totals.live_blocks, "block"),
        about = about(&process.estimate.live_bytes),
    );
    if let Some(rss_bytes) = process.rss_bytes {
        let _ = write!(title, "  RSS {}", units::bytes(rss_bytes));
    }
    title
}

/// The start of a command line: they run to megabytes, and the first words tell a process from the next.
fn command_line(arguments: &[String]) -> String {
    let start: Vec<String> = arguments.iter().take(NAME_CHARS / 2).map(|argument| safe(argument)).collect();
    cut_end(&start.join(" "), NAME_CHARS)
}

fn process_activity(process: &ProcessSnapshot) -> String {
    let rates = &process.rates;
    format!(
        "  {} allocations/s ({}), {} frees/s",
        units::count_per_second(rates.allocations_per_second),
        units::bytes_per_second(rates.allocated_bytes_per_second),
        units::count_per_second(rates.frees_per_second),
    )
}

#[cfg(test)]
mod tests;
