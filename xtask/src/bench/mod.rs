//! `cargo xtask bench [NAME..]`: what memtrace costs and carries on this machine.
//!
//! In: a release build and load programs of its own. Out: a table for each benchmark, on stdout. Refuses lone absolute
//! times: a figure stands beside the same thing measured without the tracer, in turns, as the median of several.
//! Invariant: every process that a benchmark starts has ended when it returns.

mod cost;
mod daemon;
mod estimates;
mod fleet;
mod interrupted;
mod kernel;
mod load;
mod maps;
mod memory;
mod overhead;
mod rate;
mod resources;
mod soak;
mod statistics;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use self::load::Loads;
use crate::command::{self, CannotRunHere};
use crate::workspace::Workspace;

/// A benchmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Name {
    /// Events a second that arrive without a loss, by size of the ring
    Rate,
    /// Slowdown of an allocator call and of a Python service
    Cost,
    /// Nanoseconds and verified instructions of the BPF programs, by depth of the stack; time to the first probe
    Kernel,
    /// Memtrace's own memory with ten million live blocks, and with 200 idle processes
    Memory,
    /// Whether anything in memtrace grows while processes come and go
    Soak,
    /// What memtrace and other tools cost many kinds of targets, in pairs
    Overhead,
    /// What they do to the latency of requests, in pairs
    Latency,
    /// Whether estimates and their intervals hold the truth, on programs that know it
    Estimates,
    /// What memtrace takes with 50 processes of mixed heat
    Fleet,
    /// Fetch the tools that `overhead` compares memtrace with; measures nothing
    Tools,
}

/// Which, and how long.
#[derive(Args)]
pub(crate) struct Plan {
    /// Rate, cost, kernel and memory when none is given
    names: Vec<Name>,
    /// Length of the soak, and of each target of `estimates`
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// Measure this memtrace instead of building one
    #[arg(long, value_name = "FILE")]
    memtrace: Option<PathBuf>,
    #[command(flatten)]
    comparison: overhead::options::Options,
}

/// What every benchmark uses.
struct Bench<'a> {
    workspace: &'a Workspace,
    /// The release build, unless another was asked for.
    memtrace: PathBuf,
    loads: Loads,
}

impl Bench<'_> {
    /// A directory for what a benchmark writes and reads by itself, made anew when it is not there.
    fn scratch(&self, name: &str) -> Result<PathBuf> {
        let directory = self.workspace.target().join("bench-scratch").join(name);
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }
}

/// Runs the benchmarks.
pub(crate) fn bench(workspace: &Workspace, plan: &Plan) -> Result<()> {
    if !command::is_root() {
        let message = "the benchmarks attach probes; run: sudo env \"PATH=$PATH\" cargo xtask bench";
        return Err(CannotRunHere(message.to_owned()).into());
    }
    if plan.names == [Name::Tools] {
        return overhead::fetch(workspace);
    }
    let memtrace = match &plan.memtrace {
        Some(memtrace) => fs::canonicalize(memtrace).with_context(|| memtrace.display().to_string())?,
        None => build_memtrace(workspace)?,
    };
    let bench = Bench { workspace, memtrace, loads: Loads::build(workspace)? };
    println!("{}", machine()?);
    let all = [Name::Rate, Name::Cost, Name::Kernel, Name::Memory];
    let names = if plan.names.is_empty() { &all[..] } else { &plan.names };
    for name in names {
        println!();
        match name {
            Name::Rate => rate::rate(&bench)?,
            Name::Cost => cost::cost(&bench)?,
            Name::Kernel => kernel::kernel(&bench)?,
            Name::Memory => memory::memory(&bench)?,
            Name::Soak => soak::soak(&bench, plan.minutes)?,
            Name::Overhead => overhead::overhead(&bench, &plan.comparison)?,
            Name::Latency => overhead::latency(&bench, &plan.comparison)?,
            Name::Estimates => estimates::estimates(&bench, plan.minutes, &plan.comparison.workload)?,
            Name::Fleet => fleet::fleet(&bench)?,
            Name::Tools => overhead::fetch(workspace)?,
        }
    }
    Ok(())
}

fn build_memtrace(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--package", "memtrace"]).current_dir(workspace.root());
    command::run("building memtrace as it ships", &mut build)?;
    Ok(workspace.target().join("release").join("memtrace"))
}

/// One sentence about this machine.
fn machine() -> Result<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("\t: unknown");
    let load = fs::read_to_string("/proc/loadavg")?;
    let date = command::capture(Command::new("date").arg("+%F"))?;
    Ok(format!(
        "{}: Linux {} on {} processors ({}), load average {} at the start",
        date.trim(),
        rustix::system::uname().release().to_string_lossy(),
        std::thread::available_parallelism()?,
        model.trim_start_matches(['\t', ':', ' ']),
        load.split(' ').next().unwrap_or("unknown")
    ))
}

/// A number in a JSON answer, where its absence means that two programs do not fit together.
fn number(value: &serde_json::Value, pointer: &str) -> Result<f64> {
    match value.pointer(pointer).and_then(serde_json::Value::as_f64) {
        Some(number) => Ok(number),
        None => {
            bail!("no number at {pointer} of {}", value.to_string().chars().take(200).collect::<String>())
        }
    }
}

/// The interpreter that most people run: the distribution's, not a version manager's shim.
fn python() -> Result<PathBuf> {
    let of_distribution = Path::new("/usr/bin/python3");
    if of_distribution.exists() {
        return Ok(fs::canonicalize(of_distribution)?);
    }
    command::find_program("python3").context("there is no python3; try: apt-get install python3")
}
