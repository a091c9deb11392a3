//! Whether what memtrace says holds the truth, on programs that know it.
//!
//! In: programs of known truth, some minutes for each. Out: for each function that allocates, how often the truth was
//! inside memtrace's interval, how wide the interval was, and where the function stood among those that grow.
//! Each is followed by memtrace from before its first allocation; reports come once a second.

mod judge;
mod report;
mod truth;
mod workloads;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use self::judge::Verdict;
use self::report::Report;
use self::workloads::{Program, WORKLOADS, Workload};
use super::Bench;
use super::daemon::Daemon;
use super::load::{Load, WALKABLE};
use super::overhead::options::choose;
use super::table::Table;
use crate::command;

/// Reports per process: more sites than any of the programs has.
const SITES: &str = "1000";

pub(super) fn estimates(bench: &Bench<'_>, minutes: u32, names: &[String]) -> Result<()> {
    println!("estimates: {minutes} minutes of each program, a report a second");
    let mut table = Table::new(&Verdict::HEADS);
    for workload in choose(&WORKLOADS, |workload| workload.name, names)? {
        match measure(bench, workload, minutes) {
            Ok(rows) => rows.into_iter().for_each(|row| table.add(row)),
            Err(error) => table.add(vec![format!("{}: {error:#}", workload.name)]),
        }
    }
    print!("{table}");
    println!("{}", Verdict::EXPLANATION);
    Ok(())
}

fn measure(bench: &Bench<'_>, workload: &Workload, minutes: u32) -> Result<Vec<Vec<String>>> {
    let file = bench.scratch("estimates")?.join(format!("{}.truth.jsonl", workload.name));
    let mut load = Load::start(command(bench, workload, &file)?)?;
    let arguments = ["-i", "1s", "-n", SITES, "-p", &load.pid().to_string()].map(str::to_owned);
    let daemon = Daemon::start(&bench.memtrace, &arguments, 1)?;
    command::announce(&format!("{}: {minutes} minutes", workload.name));
    load.tell(&format!("go {}", u64::from(minutes) * 60_000))?;
    let reports = collect(&daemon, load.pid(), Duration::from_secs(u64::from(minutes) * 60))?;
    load.answer()?;
    let truth = truth::read(&fs::read_to_string(&file).with_context(|| file.display().to_string())?)?;
    fs::remove_file(&file)?;
    let rate = truth.allocations_per_second();
    let rows = truth.labels().into_iter().map(|label| {
        let verdict = judge::judge(&truth, &reports, label);
        [vec![workload.name.to_owned(), rate.clone(), label.to_owned()], verdict.cells()].concat()
    });
    Ok(rows.collect())
}

fn command(bench: &Bench<'_>, workload: &Workload, file: &Path) -> Result<Command> {
    let mut command = match workload.program {
        Program::Compiled(source) => Command::new(bench.loads.compile(&format!("truth/{source}"), WALKABLE)?),
        Program::Python(script, interpreter) => {
            let mut command = Command::new(interpreter.prepare(bench.workspace)?);
            command.arg(bench.loads.script(&format!("truth/{script}")));
            command.env("PYTHONPATH", bench.loads.python_path()).env("PYTHONDONTWRITEBYTECODE", "1");
            command
        }
    };
    command.arg(file);
    Ok(command)
}

/// Every report that comes in this time.
fn collect(daemon: &Daemon, pid: u32, time: Duration) -> Result<Vec<Report>> {
    let start = Instant::now();
    let mut reports: Vec<Report> = Vec::new();
    while start.elapsed() < time {
        let new = report::read(&daemon.last(), pid);
        reports.extend(new.filter(|new| reports.last().is_none_or(|last| last.unix_ns < new.unix_ns)));
        thread::sleep(Duration::from_millis(100));
    }
    reports.first().context("memtrace has reported nothing of the program")?;
    Ok(reports)
}
