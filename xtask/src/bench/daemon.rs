//! A running `memtrace --json`: its last snapshot, and its end.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::interrupted::Interrupted;

/// Longest wait for anything that memtrace does.
const PATIENCE: Duration = Duration::from_secs(120);

/// One run. Interrupted, and waited for, when dropped.
pub(super) struct Daemon {
    child: Interrupted,
    last: Arc<Mutex<Value>>,
    /// When it was started.
    pub(super) start: Instant,
}

impl Daemon {
    /// Starts it, and returns once as many processes have probes. It never waits for a load program to begin.
    pub(super) fn start(memtrace: &Path, arguments: &[String], processes: usize) -> Result<Self> {
        let start = Instant::now();
        let mut child = Command::new(memtrace)
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start memtrace")?;
        let output = BufReader::new(child.stdout.take().context("invariant: stdout is a pipe")?);
        let last = Arc::new(Mutex::new(Value::Null));
        let writer = Arc::clone(&last);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let Ok(mut line) = serde_json::from_str::<Value>(&line) else { continue };
                if line["type"] == "snapshot" {
                    *writer.lock().unwrap_or_else(PoisonError::into_inner) = line["data"].take();
                }
            }
        });
        let daemon = Self { child: Interrupted(child), last, start };
        daemon.wait(|snapshot| attached(snapshot) >= processes)?;
        Ok(daemon)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// The first snapshot that will come from now on for which `is_wanted`.
    pub(super) fn wait(&self, is_wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let snapshot = self.last();
            if !snapshot.is_null() && is_wanted(&snapshot) {
                return Ok(snapshot);
            }
            thread::sleep(Duration::from_millis(5));
        }
        bail!("memtrace did not come so far in {PATIENCE:?}; its last snapshot: {}", brief(&self.last()))
    }

    /// A snapshot of what has happened by now: the second to come, for the first may have begun already.
    pub(super) fn settled(&self) -> Result<Value> {
        let before = elapsed_ns(&self.last());
        let next = elapsed_ns(&self.wait(|snapshot| elapsed_ns(snapshot) > before)?);
        self.wait(|snapshot| elapsed_ns(snapshot) > next)
    }

    /// The last snapshot; null before the first.
    pub(super) fn last(&self) -> Value {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Processes with probes.
pub(super) fn attached(snapshot: &Value) -> usize {
    let processes = snapshot["processes"].as_array();
    let has_probes = |process: &&Value| process["probes"].as_u64().is_some_and(|probes| probes > 0);
    processes.map_or(0, |processes| processes.iter().filter(has_probes).count())
}

/// What was lost between two snapshots: the sum, and each reason that counts.
pub(super) fn losses(before: &Value, after: &Value) -> (u64, String) {
    let count = |snapshot: &Value, reason: &str| snapshot["quality"]["dropped"][reason].as_u64().unwrap_or(0);
    let reasons = after["quality"]["dropped"].as_object();
    let lost = reasons.into_iter().flat_map(|reasons| reasons.keys());
    let lost = lost.map(|reason| (reason, count(after, reason) - count(before, reason)));
    let lost: Vec<(&String, u64)> = lost.filter(|(_, count)| *count > 0).collect();
    let names: Vec<String> = lost.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    (lost.iter().map(|(_, count)| count).sum(), names.join(", "))
}

fn elapsed_ns(snapshot: &Value) -> u64 {
    snapshot["elapsed_ns"].as_u64().unwrap_or(0)
}

fn brief(snapshot: &Value) -> String {
    snapshot.to_string().chars().take(500).collect()
}
