//! What the BPF programs themselves cost, and what loading them does.
//!
//! The kernel's own statistics say how long each program ran; they leave the traps out, which `cost` has in. Taking
//! them costs about 20 ns a run, which is in the figures.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Bench;
use super::daemon::Daemon;
use super::load::Load;
use super::maps::{self, Program};
use super::table::{Table, median};

const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";
const ROUNDS: usize = 5;
const STARTS: usize = 5;

pub(super) fn kernel(bench: &Bench<'_>) -> Result<()> {
    let statistics = Statistics::enable()?;
    println!("kernel: nanoseconds that a run of a BPF program takes; the median of {ROUNDS} rounds");
    let mut table =
        Table::new(&["stack", "entry (malloc, free)", "return", "return's verified instructions"]);
    for (name, program, depth) in [
        ("5 frames of C", "pairs", "5"),
        ("30 frames of C", "pairs", "30"),
        ("100 frames of C", "pairs", "100"),
        ("5 Python frames", "depth.py", "5"),
        ("30 Python frames", "depth.py", "30"),
        ("100 Python frames", "depth.py", "100"),
    ] {
        let arguments = [depth.to_owned()];
        let load = match program {
            "pairs" => bench.loads.start(program, &arguments)?,
            _ => bench.loads.start_python(program, &arguments)?,
        };
        table.add(measure(bench, name, load)?);
    }
    drop(statistics);
    print!("{table}");
    starts(bench)
}

fn measure(bench: &Bench<'_>, name: &str, mut load: Load) -> Result<Vec<String>> {
    let pid = load.pid().to_string();
    let daemon = Daemon::start(&bench.memtrace, &["-p".to_owned(), pid], 1)?;
    let mut times_ns = [Vec::new(), Vec::new()];
    load.ask("go 1000")?;
    for _ in 0..ROUNDS {
        let before = programs(&daemon)?;
        load.ask("go 20000")?;
        let after = programs(&daemon)?;
        for (times_ns, (before, after)) in times_ns.iter_mut().zip(before.iter().zip(&after)) {
            times_ns.push((after.run_ns - before.run_ns) as f64 / (after.runs - before.runs).max(1) as f64);
        }
    }
    let verified = programs(&daemon)?[1].verified_instructions;
    let [entry_ns, return_ns] = times_ns.map(median);
    Ok(vec![name.to_owned(), format!("{entry_ns:.0}"), format!("{return_ns:.0}"), verified.to_string()])
}

/// The entry program and the return program.
fn programs(daemon: &Daemon) -> Result<[Program; 2]> {
    let programs = maps::programs_of(daemon.pid())?;
    let find = |name: &str| {
        programs.get(name).copied().with_context(|| {
            format!("memtrace has loaded no program {name}: this kernel has no uprobe_multi")
        })
    };
    Ok([find("enter_any")?, find("leave")?])
}

fn starts(bench: &Bench<'_>) -> Result<()> {
    let load = bench.loads.start("pairs", &["5".to_owned()])?;
    let mut times_ms = Vec::new();
    for _ in 0..STARTS {
        let arguments = ["-i", "100ms", "-p", &load.pid().to_string()];
        let daemon = Daemon::start(&bench.memtrace, &arguments.map(str::to_owned), 1)?;
        times_ms.push(daemon.start.elapsed().as_millis() as f64);
        drop(daemon);
        std::thread::sleep(Duration::from_millis(200));
    }
    println!(
        "from memtrace's start to its first report of attached probes: {:.0} ms, the median of {STARTS}",
        median(times_ms)
    );
    Ok(())
}

/// The kernel's statistics of BPF programs; as they were before when dropped.
struct Statistics {
    before: String,
}

impl Statistics {
    fn enable() -> Result<Self> {
        let before = fs::read_to_string(STATISTICS)?;
        fs::write(STATISTICS, "1")?;
        Ok(Self { before })
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        if let Err(error) = fs::write(STATISTICS, self.before.trim()) {
            eprintln!("xtask: {STATISTICS} stays 1: {error}");
        }
    }
}
