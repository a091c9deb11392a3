//! What memtrace itself takes: with very many live blocks, and with very many idle processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::daemon::{Daemon, losses};
use super::load::Loads;
use super::resources::Resources;
use super::table::Table;
use super::{Bench, number};

const BLOCKS: u64 = 10_000_000;
const PROCESSES: usize = 200;

pub(super) fn memory(bench: &Bench<'_>) -> Result<()> {
    blocks(bench)?;
    println!();
    processes(bench)
}

fn blocks(bench: &Bench<'_>) -> Result<()> {
    println!("memory: memtrace's resident memory against the live blocks of one process");
    let mut load = bench.loads.start("live", &[])?;
    let arguments = ["-i", "1s", "-p", &load.pid().to_string()];
    let daemon = Daemon::start(&bench.memtrace, &arguments.map(str::to_owned), 1)?;
    let mut table = Table::new(&["live blocks", "RSS", "bytes a block", "lost"]);
    let start = daemon.settled()?;
    let rss_before = number(&start, "/own_cost/rss_bytes")?;
    for steps in [0, 1, 4, 5] {
        load.ask(&format!("go {}", steps * BLOCKS / 10))?;
        let snapshot = daemon.settled()?;
        let live = number(&snapshot, "/own_cost/ledger_blocks")?;
        let rss_bytes = number(&snapshot, "/own_cost/rss_bytes")?;
        table.add(vec![
            format!("{live:.0}"),
            mebibytes(rss_bytes),
            format!("{:.0}", (rss_bytes - rss_before) / live.max(1.0)),
            losses(&start, &snapshot).0.to_string(),
        ]);
    }
    print!("{table}");
    Ok(())
}

fn processes(bench: &Bench<'_>) -> Result<()> {
    println!("memory: memtrace with idle Python processes");
    let mut table =
        Table::new(&["processes", "RSS", "descriptors", "threads", "CPU share", "until all attached"]);
    for count in [1, PROCESSES] {
        let idle = Idle::start(&bench.loads, count)?;
        let arguments = ["-i", "1s", "--comm", idle.name].map(str::to_owned);
        let daemon = Daemon::start(&bench.memtrace, &arguments, count)?;
        let attached_ms = daemon.start.elapsed().as_millis();
        thread::sleep(Duration::from_secs(5));
        let before = daemon.settled()?;
        thread::sleep(Duration::from_secs(10));
        let after = daemon.settled()?;
        let Resources { descriptors, threads, rss_bytes } = super::resources::of(daemon.pid())?;
        table.add(vec![
            count.to_string(),
            mebibytes(rss_bytes as f64),
            descriptors.to_string(),
            threads.to_string(),
            format!("{:.2} %", 100.0 * cpu_share(&before, &after)?),
            format!("{attached_ms} ms"),
        ]);
    }
    print!("{table}");
    Ok(())
}

fn cpu_share(before: &Value, after: &Value) -> Result<f64> {
    let between = |pointer| Ok::<f64, anyhow::Error>(number(after, pointer)? - number(before, pointer)?);
    Ok(between("/own_cost/cpu_seconds")? * 1e9 / between("/elapsed_ns")?)
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.0} MiB", bytes / f64::from(1 << 20))
}

/// Python processes that wait for input that never comes. Killed, by their own handles, when dropped.
struct Idle {
    children: Vec<Child>,
    name: &'static str,
}

impl Idle {
    fn start(loads: &Loads, count: usize) -> Result<Self> {
        let name = "mtb-idle";
        let program = loads.alias(&super::python()?, name)?;
        let mut idle = Self { children: Vec::new(), name };
        for _ in 0..count {
            idle.children.push(idle_python(&program)?);
        }
        Ok(idle)
    }
}

fn idle_python(program: &Path) -> Result<Child> {
    Command::new(program)
        .args(["-c", "import json, sys; sys.stdin.read()"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start python3")
}

impl Drop for Idle {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}
