//! In windows a rate is an estimate. It is near the truth, as far as the price of traps is known.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{binary, compile, root};

/// Windows are random, and other tests take the processors.
const PATIENCE: Duration = Duration::from_secs(90);

/// Windows between two snapshots that are compared: fewer scatter.
const WINDOWS: u64 = 60;

/// A program whose lines are read as they come; killed when dropped.
struct Spoken {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Spoken {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { child, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// At a time, so many allocations.
#[derive(Clone, Copy, Debug)]
struct Count {
    unix_ns: f64,
    allocations: f64,
}

fn truth(steady: &Spoken) -> Vec<Count> {
    let count = |line: &String| {
        let (time, allocations) = line.split_once(' ')?;
        Some(Count { unix_ns: time.parse().ok()?, allocations: allocations.parse().ok()? })
    };
    steady.lines().iter().filter_map(count).collect()
}

fn at(truth: &[Count], unix_ns: f64) -> Option<f64> {
    let pair = truth.windows(2).find(|pair| (pair[0].unix_ns..=pair[1].unix_ns).contains(&unix_ns))?;
    let part = (unix_ns - pair[0].unix_ns) / (pair[1].unix_ns - pair[0].unix_ns);
    Some(pair[0].allocations + part * (pair[1].allocations - pair[0].allocations))
}

/// What memtrace says of the only process, with the number of its windows, while it is traced in windows.
fn said(memtrace: &Spoken) -> Vec<(u64, Count)> {
    let count = |line: &String| {
        let line: Value = serde_json::from_str(line).ok()?;
        let process = &line["data"]["processes"][0];
        let overhead = process["overhead"].as_object().filter(|overhead| overhead["tier"] == "windows")?;
        let count = Count {
            unix_ns: line["data"]["unix_ns"].as_f64()?,
            allocations: process["allocations"].as_f64()?,
        };
        Some((overhead["windows"].as_u64()?, count))
    };
    memtrace.lines().iter().filter_map(count).collect()
}

/// Estimate over truth, between the first snapshot that is all in windows and the last one.
fn ratio(steady: &Spoken, memtrace: &Spoken) -> Option<f64> {
    let (said, truth) = (said(memtrace), truth(steady));
    // The stretch before the first windows is estimated from one of them.
    let (first_windows, first) = *said.iter().find(|(windows, _)| *windows >= 10)?;
    let (last_windows, last) = *said.last()?;
    if last_windows < first_windows + WINDOWS {
        return None;
    }
    let true_allocations = at(&truth, last.unix_ns)? - at(&truth, first.unix_ns)?;
    Some((last.allocations - first.allocations) / true_allocations)
}

/// Waits until the estimate is as near as asked.
#[track_caller]
fn assert_estimated(work_ns: u32, near: std::ops::RangeInclusive<f64>) {
    root::require();
    let steady = Spoken::start(Command::new(compile::program("steady")).arg(work_ns.to_string()));
    let pid = steady.child.id().to_string();
    let memtrace = Spoken::start(Command::new(binary::path()).args(["--json", "-i", "500ms", "--pid", &pid]));
    let begun = Instant::now();
    let mut last = None;
    while begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(500));
        last = ratio(&steady, &memtrace).or(last);
        if last.is_some_and(|ratio| near.contains(&ratio)) {
            return;
        }
    }
    panic!("estimated allocations over true ones: {last:?}, expected {near:?}");
}

#[test]
fn a_rate_of_windows_that_are_mostly_work_is_near_the_truth() {
    assert_estimated(5_000, 0.75..=1.25);
}

/// Two thirds of a window are tracing here. A tenth of that is a fifth of the work.
#[test]
fn about_a_million_allocations_a_second_are_estimated_as_well_as_traps_are_known() {
    assert_estimated(800, 0.7..=1.4);
}
