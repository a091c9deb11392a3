//! One target with one tool: how a pair of it is measured.
//!
//! A pair is the same work twice, once with the tool, in an order that the caller gives. What is measured begins after
//! the same work has gone on for a while, with the tracer in place or gone for good.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::super::Bench;
use super::super::load::{Load, WALKABLE};
use super::finding;
use super::options::Options;
use super::stretch::{Pair, Stretch};
use super::tools::{self, Ready, Tool, Way};
use super::tracer::Tracer;
use super::workloads::{Program, Workload};

/// A target that can be started.
pub(super) struct Target {
    /// The interpreter, if there is one, then the program or script, then its arguments.
    words: Vec<OsString>,
    pub(super) python: Option<PathBuf>,
    module_path: PathBuf,
}

impl Target {
    /// Builds it.
    pub(super) fn prepare(bench: &Bench<'_>, workload: &Workload) -> Result<Self> {
        let (python, program) = match workload.program {
            Program::Compiled(source) => {
                // Much C is built with frame pointers again, most C++ is not.
                let flags = if source.ends_with(".c") { WALKABLE } else { &[] };
                (None, bench.loads.compile(&format!("overhead/{source}"), flags)?)
            }
            Program::Python(script, interpreter) => {
                let script = bench.loads.script(&format!("overhead/{script}"));
                (Some(interpreter.prepare(bench.workspace)?), script)
            }
        };
        let mut words: Vec<OsString> = python.iter().map(OsString::from).collect();
        words.push(program.into());
        words.extend(workload.arguments.iter().map(OsString::from));
        Ok(Self { words, python, module_path: bench.loads.python_path() })
    }

    fn command(&self, around: &[String], is_run_by_module: bool) -> Command {
        let own = if is_run_by_module { &self.words[1..] } else { &self.words[..] };
        let mut words = around.iter().map(OsString::from).chain(own.iter().cloned());
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).env("PYTHONPATH", &self.module_path).env("PYTHONDONTWRITEBYTECODE", "1");
        // The same dictionary order in every process.
        command.env("PYTHONHASHSEED", "0");
        command
    }
}

/// A target and a tool.
pub(super) struct Cell<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) workload: &'a Workload,
    pub(super) target: &'a Target,
    pub(super) tool: &'a Tool,
    pub(super) budget: &'a str,
    pub(super) options: &'a Options,
}

impl Cell<'_> {
    /// As it is called in a table.
    pub(super) fn name(&self) -> String {
        if self.tool.has_budget() {
            format!("{} {}", self.tool.name, self.budget)
        } else {
            self.tool.name.to_owned()
        }
    }

    /// What measures requests is not what answers them, and none of the tools that run a program follows its children.
    pub(super) fn is_out_of_reach(&self) -> bool {
        let runs_the_target = matches!(self.tool.way, Way::Around { .. });
        self.workload.has_latency && runs_the_target && self.tool.program != tools::Program::None
    }

    /// The words that start the tool; nothing when it is not to be found.
    pub(super) fn find_tool(&self) -> Option<Vec<String>> {
        finding::find(self.tool, self.bench.workspace, &self.bench.memtrace, self.target.python.as_deref())
    }

    /// Measures a pair.
    pub(super) fn pair(&self, tool: &[String], is_traced_first: bool) -> Result<Pair> {
        let (mut untraced, mut traced) = (None, None);
        let mut kept = None;
        for is_traced in [is_traced_first, !is_traced_first] {
            let stretch = match self.tool.way {
                Way::Attached { words, ready } => {
                    let load = match &mut kept {
                        Some(load) => load,
                        None => kept.insert(Load::start(self.target.command(&[], false))?),
                    };
                    self.attached(load, tool, words, if is_traced { ready } else { Ready::Now })?
                }
                Way::Around { words, environment } => self.around(tool, words, environment, is_traced)?,
            };
            *(if is_traced { &mut traced } else { &mut untraced }) = Some(stretch);
        }
        let invariant = "invariant: a pair has both halves";
        Ok(Pair { untraced: untraced.context(invariant)?, traced: traced.context(invariant)? })
    }

    fn attached(&self, load: &mut Load, tool: &[String], words: &[&str], ready: Ready) -> Result<Stretch> {
        let target_pid = load.ask("books")?["target_pid"].as_u64().map_or(load.pid(), |pid| pid as u32);
        let tracer = Tracer::attach(tool, words, ready, target_pid, self.budget)?;
        let stretch = self.measure(load)?;
        tracer.detach()?;
        Ok(stretch)
    }

    fn around(
        &self,
        tool: &[String],
        words: &[&str],
        environment: &[(&'static str, &'static str)],
        is_traced: bool,
    ) -> Result<Stretch> {
        let scratch = self.bench.scratch("overhead")?;
        let mut command = if is_traced {
            let in_scratch = |word: &&str| word.replace("{scratch}", &scratch.to_string_lossy());
            let around: Vec<String> = tool.iter().cloned().chain(words.iter().map(in_scratch)).collect();
            self.target.command(&around, matches!(self.tool.program, tools::Program::Module(_)))
        } else {
            self.target.command(&[], false)
        };
        if is_traced {
            command.envs(environment.iter().copied());
        }
        let mut load = Load::start(command)?;
        let stretch = self.measure(&mut load)?;
        load.quit()?;
        std::fs::remove_dir_all(&scratch)?;
        Ok(stretch)
    }

    fn measure(&self, load: &mut Load) -> Result<Stretch> {
        Stretch::of(load, self.options.settle_seconds)?;
        Stretch::of(load, self.options.stretch_seconds)
    }
}
