//! What memtrace takes with 50 processes of mixed heat, at its default budget.
//!
//! Most are nearly idle, some allocate at a modest pace, a few as fast as they can: by name, as on a machine that is
//! watched as a whole. Figures are of a minute that begins when all have probes and the budgets have had time to act.

use std::ffi::OsString;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::daemon::{Daemon, attached, losses};
use super::load::{Load, WALKABLE};
use super::table::Table;
use super::{Bench, number};

const SETTLE: Duration = Duration::from_secs(15);
const MINUTE: Duration = Duration::from_secs(60);
/// By which memtrace finds them, and nobody else's.
const NAME: &str = "mtb-fleet";

/// Processes that do the same.
struct Group {
    what: &'static str,
    count: usize,
    program: Program,
    /// What starts their work.
    command: &'static str,
}

#[derive(Clone, Copy)]
enum Program {
    /// A source, and arguments.
    Compiled(&'static str, &'static [&'static str]),
    Python(&'static str),
}

/// Long enough for everything here; they are killed before.
const GROUPS: [Group; 5] = [
    Group {
        what: "idle services: 100 wake-ups and 400 allocations a second",
        count: 25,
        program: Program::Compiled("overhead/idle.c", &[]),
        command: "go 3600000",
    },
    Group {
        what: "Python, waiting",
        count: 12,
        program: Program::Python("overhead/json_parsing.py"),
        command: "",
    },
    Group {
        what: "C, 2,000 allocations and frees a second",
        count: 9,
        program: Program::Compiled("rate.c", &["1", "3600"]),
        command: "go 2000",
    },
    Group {
        what: "C, 200,000 allocations and frees a second",
        count: 3,
        program: Program::Compiled("rate.c", &["1", "3600"]),
        command: "go 200000",
    },
    Group {
        what: "Python parsing JSON without a pause",
        count: 1,
        program: Program::Python("overhead/json_parsing.py"),
        command: "go 3600000",
    },
];

pub(super) fn fleet(bench: &Bench<'_>) -> Result<()> {
    let count: usize = GROUPS.iter().map(|group| group.count).sum();
    println!("fleet: memtrace on {count} processes, over a minute");
    let mut loads: Vec<(&Group, Load)> = Vec::new();
    for group in &GROUPS {
        println!("* {} x {}", group.count, group.what);
        let words = words(bench, group)?;
        for _ in 0..group.count {
            loads.push((group, Load::start(command(bench, &words))?));
        }
    }
    let daemon = Daemon::start(&bench.memtrace, &["-i", "5s", "--comm", NAME].map(str::to_owned), count)?;
    for (group, load) in loads.iter_mut().filter(|(group, _)| !group.command.is_empty()) {
        load.tell(group.command)?;
    }
    thread::sleep(SETTLE);
    let before = daemon.settled()?;
    thread::sleep(MINUTE);
    let after = daemon.settled()?;
    print!("{}", table(&daemon, &before, &after)?);
    Ok(())
}

/// The program, under a name of the fleet's, and its arguments. Built once for all processes of a group: they are to
/// have one file.
fn words(bench: &Bench<'_>, group: &Group) -> Result<Vec<OsString>> {
    let (program, script, arguments) = match group.program {
        Program::Compiled(source, arguments) => (bench.loads.compile(source, WALKABLE)?, None, arguments),
        Program::Python(script) => (super::python()?, Some(bench.loads.script(script)), &[][..]),
    };
    let name = program.file_name().context("invariant: programs have names")?.to_string_lossy().into_owned();
    let program = bench.loads.alias(&program, &format!("{NAME}-{name}"))?;
    let words = [program].into_iter().chain(script).map(OsString::from);
    Ok(words.chain(arguments.iter().map(OsString::from)).collect())
}

fn command(bench: &Bench<'_>, words: &[OsString]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYTHONPATH", bench.loads.python_path());
    command
}

fn table(daemon: &Daemon, before: &Value, after: &Value) -> Result<Table> {
    let mut table =
        Table::new(&["processes", "events/s", "memtrace's CPU", "RSS", "threads", "descriptors", "lost"]);
    let between = |pointer| Ok::<f64, anyhow::Error>(number(after, pointer)? - number(before, pointer)?);
    let seconds = between("/elapsed_ns")? / 1e9;
    let held = super::resources::of(daemon.pid())?;
    let (lost, reasons) = losses(before, after);
    table.add(vec![
        attached(after).to_string(),
        format!("{:.0}", between("/quality/events")? / seconds),
        format!("{:.2} % of a core", 100.0 * between("/own_cost/cpu_seconds")? / seconds),
        format!("{} MiB", held.rss_bytes >> 20),
        held.threads.to_string(),
        held.descriptors.to_string(),
        format!("{lost} {reasons}"),
    ]);
    Ok(table)
}
