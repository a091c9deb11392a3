//! What tracing costs the target.
//!
//! Every case runs three times at once, idle until it is its turn: untraced, under memtrace, and under
//! `memleak-libbpf` (bcc's, from Debian's libbpf-tools) where PATH has it. A turn measures one after the other, so
//! that what else the machine does falls on all of them.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Bench;
use super::daemon::Daemon;
use super::interrupted::Interrupted;
use super::load::Load;
use super::table::{Table, median};
use crate::command::find_program;

const TURNS: usize = 7;

struct Case {
    name: &'static str,
    /// The file, and its argument.
    program: (&'static str, &'static str),
    is_python: bool,
    /// Rounds that take about a tenth of a second: untraced, and traced.
    rounds: (u64, u64),
}

const CASES: [Case; 6] = [
    case("malloc+free, 5 frames of C", ("pairs", "5"), false, (5_000_000, 50_000)),
    case("malloc+free, 30 frames of C", ("pairs", "30"), false, (5_000_000, 50_000)),
    case("bytearray(1000), 5 Python frames", ("depth.py", "5"), true, (500_000, 30_000)),
    case("bytearray(1000), 30 Python frames", ("depth.py", "30"), true, (500_000, 20_000)),
    case("bytearray(1000), 100 Python frames", ("depth.py", "100"), true, (500_000, 10_000)),
    case("JSON service, a request", ("json_service.py", ""), true, (1_500, 1_500)),
];

const fn case(
    name: &'static str,
    program: (&'static str, &'static str),
    is_python: bool,
    rounds: (u64, u64),
) -> Case {
    Case { name, program, is_python, rounds }
}

/// The same program under each tracer.
struct Runners {
    untraced: Load,
    memtrace: Load,
    memleak: Option<(Load, Interrupted)>,
}

pub(super) fn cost(bench: &Bench<'_>) -> Result<()> {
    let memleak = find_program("memleak-libbpf");
    println!("cost: the target's CPU time for one round, nanoseconds; the median of {TURNS} turns");
    if memleak.is_none() {
        println!("memleak-libbpf is not on PATH (Debian: libbpf-tools), so it is left out");
    }
    let runners =
        CASES.iter().map(|case| start(bench, case, memleak.as_deref())).collect::<Result<Vec<_>>>()?;
    let pids = runners.iter().flat_map(|runners| ["-p".to_owned(), runners.memtrace.pid().to_string()]);
    let daemon = Daemon::start(&bench.memtrace, &pids.collect::<Vec<_>>(), runners.len())?;
    let mut table = Table::new(&["round", "untraced", "memtrace", "ratio", "added", "memleak", "ratio"]);
    for (case, mut runners) in CASES.iter().zip(runners) {
        table.add(measure(case, &mut runners)?);
    }
    drop(daemon);
    print!("{table}");
    Ok(())
}

fn start(bench: &Bench<'_>, case: &Case, memleak: Option<&Path>) -> Result<Runners> {
    let load = || {
        let (program, argument) = case.program;
        let arguments = [argument.to_owned()];
        if case.is_python {
            bench.loads.start_python(program, &arguments)
        } else {
            bench.loads.start(program, &arguments)
        }
    };
    let memleak = match memleak {
        Some(program) => {
            let load = load()?;
            let memleak = start_memleak(program, load.pid())?;
            Some((load, memleak))
        }
        None => None,
    };
    Ok(Runners { untraced: load()?, memtrace: load()?, memleak })
}

fn measure(case: &Case, runners: &mut Runners) -> Result<Vec<String>> {
    let mut figures = [Vec::new(), Vec::new(), Vec::new()];
    let (untraced_rounds, traced_rounds) = case.rounds;
    // The first turn warms up and does not count.
    for turn in 0..=TURNS {
        let mut times_ns = vec![
            runners.untraced.cpu_ns_of(untraced_rounds)? / untraced_rounds as f64,
            runners.memtrace.cpu_ns_of(traced_rounds)? / traced_rounds as f64,
        ];
        if let Some((load, _)) = &mut runners.memleak {
            times_ns.push(load.cpu_ns_of(traced_rounds)? / traced_rounds as f64);
        }
        if turn > 0 {
            figures.iter_mut().zip(times_ns).for_each(|(figures, time_ns)| figures.push(time_ns));
        }
    }
    let ratio = |traced: &[f64]| median(traced.iter().zip(&figures[0]).map(|(a, b)| a / b).collect());
    let mut cells = vec![
        case.name.to_owned(),
        format!("{:.0}", median(figures[0].clone())),
        format!("{:.0}", median(figures[1].clone())),
        format!("{:.2}", ratio(&figures[1])),
        format!("{:.0}", median(figures[1].clone()) - median(figures[0].clone())),
    ];
    if runners.memleak.is_some() {
        cells.push(format!("{:.0}", median(figures[2].clone())));
        cells.push(format!("{:.2}", ratio(&figures[2])));
    }
    Ok(cells)
}

/// Starts bcc's memleak on one process.
fn start_memleak(program: &Path, pid: u32) -> Result<Interrupted> {
    // It reports once an hour, that is never: only its probes are measured.
    let memleak = Interrupted::start_silently(Command::new(program).args(["-p", &pid.to_string(), "3600"]))
        .context("cannot start memleak-libbpf")?;
    // It says nothing when it is ready. It takes half a second.
    thread::sleep(Duration::from_secs(2));
    Ok(memleak)
}
