//! Whether anything in memtrace grows while processes come and go.
//!
//! 200 short-lived Python processes a minute, and once a minute a storm of 500 forks and a chain of 20 execs, all
//! followed by name. Every half a minute the load rests until memtrace has settled, and what it holds is noted. Build
//! nothing meanwhile: a load program that is compiled anew is another file, which memtrace opens and keeps open.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::daemon::Daemon;
use super::table::Table;
use super::{Bench, maps, resources};

const PROCESSES_A_MINUTE: u32 = 200;
const SAMPLE: Duration = Duration::from_secs(30);
const FORKS: &str = "500";
const EXECS: &str = "20";

/// Lives longer than attaching takes, and allocates.
const SHORT_LIVED: &str = "import json, time; x = [bytearray(1000) for _ in range(200)]; time.sleep(0.15)";
const EXEC_CHAIN: &str = "import os, sys\n\
                          left = int(sys.argv[1])\n\
                          left and os.execv(sys.executable, [sys.argv[2], '-c', sys.orig_argv[2], str(left - 1), sys.argv[2]])";

/// Growth of resident memory from the second half's start to its end that is a leak and no noise.
const RSS_GROWTH_MAX_PERCENT: f64 = 5.0;

#[derive(Clone, Debug)]
struct Sample {
    rss_bytes: u64,
    threads: u64,
    descriptors: u64,
    entries: Vec<usize>,
}

const MAPS: [&str; 3] = ["TARGETS", "THREADS", "PYTHON"];

pub(super) fn soak(bench: &Bench<'_>, minutes: u32) -> Result<()> {
    println!(
        "soak: {minutes} minutes of {PROCESSES_A_MINUTE} processes, {FORKS} forks and {EXECS} execs a minute"
    );
    let programs = Programs::new(bench)?;
    let arguments = ["-i", "1s", "--comm", "mtb-soak"].map(str::to_owned);
    let daemon = Daemon::start(&bench.memtrace, &arguments, 0)?;
    let ids = maps::maps_of(daemon.pid())?;
    let heads = ["minute", "RSS", "descriptors", "threads", "TARGETS", "THREADS", "PYTHON", "seen", "lost"];
    let mut table = Table::new(&heads);
    let mut samples = Vec::new();
    let start = Instant::now();
    for turn in 0..=minutes * 2 {
        if turn > 0 {
            programs.half_a_minute(turn % 2 == 1)?;
        }
        thread::sleep(Duration::from_secs(3));
        let snapshot = daemon.settled()?;
        let held = resources::of(daemon.pid())?;
        let entries = MAPS.iter().map(|&map| maps::entries(*ids.get(map).context("a map is missing")?));
        let sample = Sample {
            rss_bytes: held.rss_bytes,
            threads: held.threads,
            descriptors: held.descriptors,
            entries: entries.collect::<Result<_>>()?,
        };
        let (_, lost) = super::daemon::losses(&serde_json::Value::Null, &snapshot);
        table.add(row(start.elapsed(), &sample, super::number(&snapshot, "/quality/events")?, lost));
        samples.push(sample);
    }
    print!("{table}");
    verdict(&samples)
}

fn row(elapsed: Duration, sample: &Sample, events: f64, lost: String) -> Vec<String> {
    let mut cells = vec![
        format!("{:.1}", elapsed.as_secs_f64() / 60.0),
        format!("{:.1} MiB", sample.rss_bytes as f64 / f64::from(1 << 20)),
        sample.descriptors.to_string(),
        sample.threads.to_string(),
    ];
    cells.extend(sample.entries.iter().map(ToString::to_string));
    cells.push(format!("{events:.0} events"));
    cells.push(lost);
    cells
}

/// Compares the end with the middle: caches have filled by then.
fn verdict(samples: &[Sample]) -> Result<()> {
    let (Some(middle), Some(end)) = (samples.get(samples.len() / 2), samples.last()) else { return Ok(()) };
    let growth = 100.0 * (end.rss_bytes as f64 / middle.rss_bytes as f64 - 1.0);
    println!("resident memory, second half: {growth:+.1} %");
    let counts = |sample: &Sample| {
        [vec![sample.descriptors as usize, sample.threads as usize], sample.entries.clone()].concat()
    };
    let grown = counts(end).iter().zip(counts(middle)).any(|(end, middle)| *end > middle + 2);
    if growth > RSS_GROWTH_MAX_PERCENT || grown {
        bail!("memtrace grew between {middle:?} and {end:?}");
    }
    println!("nothing grew");
    Ok(())
}

/// What is started over and over, under names that `--comm mtb-soak` matches.
struct Programs {
    python: PathBuf,
    storm: PathBuf,
}

impl Programs {
    fn new(bench: &Bench<'_>) -> Result<Self> {
        Ok(Self {
            python: bench.loads.alias(&super::python()?, "mtb-soak-python")?,
            storm: bench.loads.alias(&bench.loads.program("storm"), "mtb-soak-storm")?,
        })
    }

    fn half_a_minute(&self, with_bursts: bool) -> Result<()> {
        let start = Instant::now();
        let mut running = Vec::new();
        if with_bursts {
            running.push(spawn(&self.storm, &[FORKS])?);
            let name = self.python.to_string_lossy();
            running.push(spawn(&self.python, &["-c", EXEC_CHAIN, EXECS, &name])?);
        }
        let pause = Duration::from_secs(60) / PROCESSES_A_MINUTE;
        for started in 1..=PROCESSES_A_MINUTE / 2 {
            running.push(spawn(&self.python, &["-c", SHORT_LIVED])?);
            running.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
            thread::sleep((pause * started).saturating_sub(start.elapsed()));
        }
        for mut child in running {
            child.wait()?;
        }
        thread::sleep(SAMPLE.saturating_sub(start.elapsed()));
        Ok(())
    }
}

fn spawn(program: &Path, arguments: &[&str]) -> Result<Child> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}
