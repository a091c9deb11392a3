//! The two parties of a check: a program that keeps books of its own, and memtrace watching it.
//!
//! In: command lines. Out: the program's books and memtrace's last snapshot of it, as JSON. Invariant: nothing of a
//! check runs on after it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const MEMTRACE: &str = "/usr/bin/memtrace";
const COMPLAINTS: &str = "/tmp/memtrace.stderr";

/// Longer than any check takes; memtrace is stopped with Ctrl-C's signal before.
const DURATION_S: &str = "100";

/// How many snapshots may pass before the program appears in one.
const SNAPSHOTS_WAITED_FOR: u32 = 4;

/// A program that works when told to, prints its books, and then waits.
pub(crate) struct Target {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Target {
    /// Starts `program`, which waits for a line on its stdin.
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let output = BufReader::new(process.stdout.take().context("invariant: stdout is a pipe")?);
        Ok(Self { process, output })
    }

    /// The process' id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Lets the program do its work and returns the books that it prints.
    fn work(&mut self) -> Result<Value> {
        let mut input = self.process.stdin.as_ref().context("invariant: stdin is a pipe")?;
        input.write_all(b"go\n")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the program's books: {line:?}"))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Both fail only for a process that has gone already, which is what they are for.
        let _gone = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// What memtrace said of a program, and what the program says itself.
pub(crate) struct Observation {
    pub(crate) books: Value,
    /// The program's entry in memtrace's last snapshot.
    pub(crate) process: Value,
    /// The whole of that snapshot, for its quality.
    pub(crate) snapshot: Value,
}

/// Runs memtrace with `arguments`; once it has attached, lets `target` work, and then ends memtrace.
pub(crate) fn observe(target: &mut Target, arguments: &[&str]) -> Result<Observation> {
    let mut command = Command::new(MEMTRACE);
    command.args(["--json", "-d", DURATION_S, "-i", "2"]).args(arguments);
    let mut memtrace =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(COMPLAINTS)?).spawn()?;
    let output = memtrace.stdout.take().context("invariant: stdout is a pipe")?;
    let conversation = converse(target, &memtrace, BufReader::new(output));
    if conversation.is_err() {
        // It fails only for a process that has ended already.
        let _gone = memtrace.kill();
    }
    let status = memtrace.wait()?;
    let complaints = fs::read_to_string(COMPLAINTS)?;
    let observation =
        conversation.with_context(|| format!("memtrace ({status}) said on stderr:\n{complaints}"))?;
    if !status.success() {
        bail!("memtrace ended with {status}; on stderr:\n{complaints}");
    }
    Ok(observation)
}

fn converse(target: &mut Target, memtrace: &Child, output: BufReader<ChildStdout>) -> Result<Observation> {
    let mut books = None;
    let mut last = None;
    let mut snapshots = 0;
    for line in output.lines() {
        let line = line?;
        let object: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
        if object["type"] != "snapshot" {
            println!("vm-init: {line}");
            continue;
        }
        snapshots += 1;
        // A snapshot that lists the program says that its probes are attached. One that stays away is noticed below.
        let is_attached =
            process_in(&object["data"], target.pid()).is_some() || snapshots == SNAPSHOTS_WAITED_FOR;
        if books.is_none() && is_attached {
            books = Some(target.work()?);
            thread::sleep(Duration::from_millis(500));
            let pid = Pid::from_child(memtrace);
            kill_process(pid, Signal::INT)?;
        }
        last = Some(object);
    }
    let books = books.context("no snapshot")?;
    let snapshot = last.map(|mut object| object["data"].take()).context("no snapshot")?;
    let process =
        process_in(&snapshot, target.pid()).with_context(|| format!("not in the snapshot: {snapshot}"))?;
    Ok(Observation { books, process, snapshot })
}

fn process_in(snapshot: &Value, pid: u32) -> Option<Value> {
    let processes = snapshot["processes"].as_array()?;
    processes.iter().find(|process| process["pid"] == pid).cloned()
}

/// Runs memtrace to its end and returns what it printed on stdout.
pub(crate) fn memtrace_output(arguments: &[&str]) -> Result<String> {
    let output = Command::new(MEMTRACE).args(arguments).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaints = String::from_utf8_lossy(&output.stderr);
        bail!("memtrace {} ended with {}:\n{complaints}\n{text}", arguments.join(" "), output.status);
    }
    Ok(text)
}
