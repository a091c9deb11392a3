//! memtrace itself in trouble: a reader that stalls, a stop, a ring that is far too small.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;

use crate::support::figures::Figures;
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;
use crate::support::{binary, root};

#[derive(Deserialize)]
struct Books {
    #[serde(flatten)]
    figures: Figures,
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).expect("a process' number is not 0")
}

#[test]
fn every_event_that_a_tiny_ring_loses_is_counted() {
    let mut program = Target::c("hostile", &["plainly"]);
    let memtrace = Memtrace::follow_with(&program, &["--ring-size", "64k"]);
    let mut rounds = 0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        program.go(20_000);
        rounds += 20_000;
    }
    let books: Books = program.books();
    let made = books.figures.allocations + books.figures.frees;
    assert_eq!(made, rounds * 3);
    let report = memtrace.stop();
    let quality = &report.last().quality;
    let lost = quality.dropped["ring_full"];
    println!("{made} events made, {} received, {lost} lost", quality.events);
    assert_eq!(quality.events + lost, made, "{:?}", quality.dropped);
    assert!(program.is_alive());
}

#[test]
fn a_stop_of_memtrace_loses_events_and_counts_them() {
    let mut program = Target::c("hostile", &["plainly"]);
    let memtrace = Memtrace::follow_with(&program, &["--ring-size", "1m"]);
    program.go(1_000);
    kill_process(memtrace.kernel_pid(), Signal::STOP).expect("it runs");
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        program.go(20_000);
    }
    kill_process(memtrace.kernel_pid(), Signal::CONT).expect("it is stopped");
    // What was live when it was stopped and freed meanwhile is found out when its address is handed out again.
    program.go(1_000);
    let books: Books = program.books();
    let made = books.figures.allocations + books.figures.frees;
    let report = memtrace.stop();
    let quality = &report.last().quality;
    let lost = quality.dropped["ring_full"];
    assert!(lost > 0, "the ring was full: {:?}", quality.dropped);
    assert_eq!(quality.events + lost, made, "{:?}", quality.dropped);
    report.assert_nothing_lost_but(&["ring_full", "stack_ring_full", "lifecycle_ring_full", "free_inferred"]);
    let process = report.process(program.pid());
    assert!(process.figures.live_blocks <= books.figures.live_blocks + 2, "lost frees do not add up");
    assert!(program.is_alive());
}

/// Tracing goes on while nobody reads: later reports have everything, and cover a longer time.
#[test]
fn a_reader_that_stalls_costs_reports_and_no_events() {
    root::require();
    let mut program = Target::c("hostile", &["plainly"]);
    let mut memtrace = Command::new(binary::path())
        .args(["--json", "--exact", "--interval", "100ms", "-n", "1000", "--pid", &program.pid().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("memtrace starts");
    let stdout = memtrace.stdout.take().expect("stdout is a pipe");
    rustix::pipe::fcntl_setpipe_size(&stdout, 4096).expect("a pipe can be small");
    let mut lines = BufReader::new(stdout).lines();
    let mut next = || -> Option<Value> {
        let line = lines.next()?.expect("it writes text");
        Some(serde_json::from_str(&line).expect("it writes JSON"))
    };
    let is_attached =
        |line: &Value| line["data"]["processes"][0]["probes"].as_u64().is_some_and(|probes| probes > 0);
    while !is_attached(&next().expect("it goes on")) {}
    let mut resident = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(6) {
        program.go(2_000);
        sleep(Duration::from_millis(20));
        resident.push(resident_bytes(memtrace.id()));
    }
    let books: Books = program.books();
    let half = resident[resident.len() / 2];
    let last = resident[resident.len() - 1];
    kill_process(pid(memtrace.id()), Signal::INT).expect("it runs");
    let (mut longest_ns, mut last_line) = (0, Value::Null);
    while let Some(line) = next() {
        if line["type"] == "snapshot" {
            longest_ns = longest_ns.max(line["data"]["interval_ns"].as_u64().expect("a number"));
            last_line = line;
        }
    }
    assert!(memtrace.wait().expect("our child").success());
    assert!(longest_ns > 2_000_000_000, "reports were left out: the longest interval is {longest_ns} ns");
    let figures: Figures =
        serde_json::from_value(last_line["data"]["processes"][0].clone()).expect("the last report has it");
    assert_eq!(figures, books.figures);
    // The ledger grows with what the program keeps: 50 to 100 bytes a block.
    let allowed = half + half / 4 + books.figures.live_blocks * 100;
    assert!(last <= allowed, "memory grows while nobody reads: {half} bytes, then {last}");
}

fn resident_bytes(process: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).expect("it runs");
    let pages: u64 = statm.split_whitespace().nth(1).expect("a field").parse().expect("a number");
    pages * 4096
}
