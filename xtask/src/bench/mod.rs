//! `cargo xtask bench [NAME..]`: what memtrace costs and carries on this machine.
//!
//! In: a release build and load programs of its own. Out: a table for each benchmark, on stdout. Refuses lone absolute
//! times: a figure stands beside the same thing measured without the tracer, in turns, as the median of several.
//! Invariant: every process that a benchmark starts has ended when it returns.

mod cost;
mod daemon;
mod kernel;
mod load;
mod maps;
mod memory;
mod rate;
mod resources;
mod soak;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

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
}

/// Which, and how long.
pub(crate) struct Plan {
    /// Empty for all but the soak, which takes its time.
    pub(crate) names: Vec<Name>,
    /// Length of the soak.
    pub(crate) minutes: u32,
}

/// What every benchmark uses.
struct Bench {
    /// The release build.
    memtrace: PathBuf,
    loads: Loads,
}

/// Runs the benchmarks.
pub(crate) fn bench(workspace: &Workspace, plan: &Plan) -> Result<()> {
    if !command::is_root() {
        let message = "the benchmarks attach probes; run: sudo env \"PATH=$PATH\" cargo xtask bench";
        return Err(CannotRunHere(message.to_owned()).into());
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--package", "memtrace"]).current_dir(workspace.root());
    command::run("building memtrace as it ships", &mut build)?;
    let bench = Bench {
        memtrace: workspace.target().join("release").join("memtrace"),
        loads: Loads::build(workspace)?,
    };
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
        }
    }
    Ok(())
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
