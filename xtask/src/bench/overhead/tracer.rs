//! A tool on a running process, from its start to the moment at which nothing of it is left in the target.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::super::daemon::Daemon;
use super::super::interrupted::Interrupted;
use super::probed;
use super::tools::Ready;
use crate::command::{self, capture};

/// Detached when dropped; [`Tracer::detach`] also waits for that.
pub(super) struct Tracer {
    memtrace: Option<Daemon>,
    other: Option<Interrupted>,
    pid: u32,
}

impl Tracer {
    /// Starts a tool, and waits until it has come to the process.
    pub(super) fn attach(
        tool: &[String],
        words: &[&str],
        ready: Ready,
        pid: u32,
        budget: &str,
    ) -> Result<Self> {
        probed::wait_until_probed(pid, false).context("something else on this machine traces the target")?;
        let mut tracer = Self { memtrace: None, other: None, pid };
        match (ready, tool) {
            (Ready::Now, _) | (_, []) => {}
            (Ready::Report, [memtrace, ..]) => {
                let memtrace = Path::new(memtrace);
                let words = options_that_exist(memtrace, &substitute(words, pid, budget)?)?;
                tracer.memtrace = Some(Daemon::start(memtrace, &words, 1)?);
            }
            (Ready::Breakpoints, [program, first @ ..]) => {
                let mut command = Command::new(program);
                command.args(first).args(substitute(words, pid, budget)?);
                let line = command::shell_line(&command);
                let mut tool = Interrupted::start_silently(&mut command)
                    .with_context(|| format!("cannot start `{line}`"))?;
                probed::wait_until_probed(pid, true).with_context(|| format!("`{line}`"))?;
                if tool.has_ended() {
                    bail!("`{line}` has ended instead of tracing");
                }
                tracer.other = Some(tool);
            }
        }
        Ok(tracer)
    }

    /// Ends the tool, and waits until the process' code is as it was.
    pub(super) fn detach(self) -> Result<()> {
        let had_tool = self.memtrace.is_some() || self.other.is_some();
        drop(self.memtrace);
        drop(self.other);
        if had_tool { probed::wait_until_probed(self.pid, false) } else { Ok(()) }
    }
}

fn substitute(words: &[&str], pid: u32, budget: &str) -> Result<Vec<String>> {
    let libc = probed::file_of(pid, |name| name.starts_with("libc.so") || name.starts_with("libc-"))?;
    // A shared libpython where there is one, the interpreter itself where not.
    let library = probed::file_of(pid, |name| name.starts_with("libpython"))?;
    let python = match library {
        Some(library) => Some(library),
        None => probed::file_of(pid, |name| name.starts_with("python"))?,
    };
    let known = [
        ("{pid}", pid.to_string()),
        ("{budget}", budget.to_owned()),
        ("{libc}", libc.unwrap_or_default()),
        ("{python}", python.unwrap_or_default()),
    ];
    let word =
        |word: &&str| known.iter().fold((*word).to_owned(), |word, (name, value)| word.replace(name, value));
    Ok(words.iter().map(word).collect())
}

/// Leaves out the options that this build of memtrace does not have, and says so: older builds are compared too.
fn options_that_exist(memtrace: &Path, words: &[String]) -> Result<Vec<String>> {
    let help = capture(Command::new(memtrace).arg("--help"))?;
    let exists = |word: &&String| {
        let option = word.split('=').next().unwrap_or(word);
        let exists = !option.starts_with("--") || help.contains(option);
        if !exists {
            command::announce(&format!("this build of memtrace has no {option}: measured without"));
        }
        exists
    };
    Ok(words.iter().filter(exists).cloned().collect())
}
