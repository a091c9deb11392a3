//! What the command says and how it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::support::command::{run, run_into, stderr, wait_or_kill};
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;
use crate::support::{binary, comm, poll, pythons, root};

#[test]
fn help_and_version_need_no_root_and_say_what_it_is() {
    for arguments in [["--help"], ["--version"]] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("memtrace"), "{output:?}");
    }
}

#[test]
fn it_says_that_it_waits_when_nothing_matches() {
    let memtrace = Memtrace::follow_comm(&comm::unique("none"));
    memtrace.wait_for_stderr("waiting");
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    assert!(report.last().processes.is_empty());
}

#[test]
fn json_begins_ends_and_moves_on_in_between() {
    let mut program = Target::c("leak", &[]);
    let memtrace = Memtrace::follow(&program);
    program.go(10);
    memtrace.wait_for_snapshot("more snapshots come", |_| Some(()));
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    let begin = report.said.begin.as_ref().expect("a line of type begin");
    assert!(begin["version"].is_string() && begin["kernel"].is_string(), "{begin}");
    assert!(begin["argv"].as_array().is_some_and(|argv| argv.len() > 1), "{begin}");
    assert!(report.said.end.is_some(), "a line of type end");
    assert_eq!(report.said.warnings, Vec::<Value>::new(), "nothing to warn of");
    for pair in report.said.snapshots.windows(2) {
        assert!(pair[0].elapsed_ns < pair[1].elapsed_ns, "time goes on");
        assert!(pair[0].unix_ns <= pair[1].unix_ns, "the clock was not set back meanwhile");
        assert!(pair[0].quality.events <= pair[1].quality.events, "counts never fall");
    }
    assert_eq!(report.last().quality.frames_unresolved, 0, "everything here has symbols");
}

#[test]
fn a_duration_ends_it_by_itself() {
    let memtrace = Memtrace::start(&["--comm", &comm::unique("soon"), "--duration", "1s"]);
    let report = memtrace.finish();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    assert!(report.said.end.is_some());
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    root::require();
    let mut child = Command::new(binary::path())
        .args(["--json", "--interval", "200ms", "--comm", &comm::unique("head")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("memtrace starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("the first line comes");
    drop(stdout);
    let ended = wait_or_kill(&mut child);
    let output = child.wait_with_output().expect("it is our child");
    assert!(ended, "it does not end: {output:?}");
    assert_eq!((output.status.code(), output.status.signal()), (Some(0), None), "{output:?}");
    assert!(!stderr(&output).contains("panicked"), "{output:?}");
}

/// The text does not say when probes are in place, so the program works until what it leaks is shown.
#[test]
fn the_text_names_process_function_and_quality() {
    root::require();
    let mut program = Target::c("leak", &[]);
    let pid = program.pid().to_string();
    let text = NamedTempFile::new().expect("the temporary directory is writable");
    let mut child = Command::new(binary::path())
        .args(["--pid", &pid, "--interval", "200ms"])
        .stdin(Stdio::null())
        .stdout(text.reopen().expect("the file is ours"))
        .stderr(Stdio::null())
        .spawn()
        .expect("memtrace starts");
    let read = || fs::read_to_string(text.path()).expect("the file is ours");
    let shown = poll::try_wait_until(|| {
        program.go(1);
        (read().contains("leak_here") && read().contains("leak.c:")).then_some(())
    });
    let signalled = Pid::from_raw(child.id().cast_signed()).map(|pid| kill_process(pid, Signal::INT));
    let ended = wait_or_kill(&mut child);
    child.wait().expect("it is our child");
    let text = read();
    assert_eq!(signalled, Some(Ok(())), "{text}");
    assert!(shown.is_some() && ended, "shown: {shown:?}, ended: {ended}: {text}");
    assert!(text.contains(program.comm()) && text.contains(&pid), "{text}");
    assert!(text.contains("events"), "the last line of a block is about quality: {text}");
}

#[test]
fn doctor_says_what_works_here() {
    root::require();
    let text = run(&["doctor"]);
    assert_eq!(text.status.code(), Some(0), "{text:?}");
    let said = String::from_utf8_lossy(&text.stdout).to_lowercase();
    for word in ["kernel", "btf", "tracefs", "capabilit"] {
        assert!(said.contains(word), "doctor says nothing of {word}: {said}");
    }
    let json = run(&["doctor", "--json"]);
    let object: Value = serde_json::from_slice(&json.stdout).expect("doctor --json prints one JSON object");
    assert!(object.is_object(), "{object}");
}

#[test]
fn doctor_shows_the_probe_sites_of_a_process() {
    root::require();
    let program = Target::c("leak", &[]);
    let output = run(&["doctor", "--pid", &program.pid().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    let functions =
        ["malloc", "calloc", "realloc", "reallocarray", "free", "posix_memalign", "aligned_alloc"];
    for function in functions {
        assert!(said.contains(function), "doctor says nothing of {function}: {said}");
    }
    assert!(said.contains("emulated"), "{said}");
}

#[test]
fn the_last_target_that_ends_ends_the_run_with_a_last_report() {
    let mut program = Target::c("leak", &[]);
    let memtrace = Memtrace::follow(&program);
    program.go(7);
    program.quit();
    let report = memtrace.finish();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    assert!(report.said.end.is_some(), "a line of type end");
    let last = report.exits_of(program.pid());
    assert_eq!(last.last().map(|process| process.figures.live_blocks), Some(7), "{last:?}");
}

#[test]
fn a_full_disk_under_stdout_ends_it_with_2() {
    root::require();
    let comm = comm::unique("full");
    let traced = ["--interval", "200ms", "--comm", &comm];
    for arguments in [&traced[..], &[&["--json"], &traced[..]].concat(), &["doctor"], &["doctor", "--json"]] {
        let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = run_into(Command::new(binary::path()).args(arguments), full.into());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains("No space left"), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_head_that_has_seen_enough_is_no_failure() {
    root::require();
    let comm = comm::unique("pipe");
    for arguments in [&["--interval", "200ms", "--comm", &comm][..], &["doctor"], &["--help"]] {
        let output = run_into(
            Command::new("bash")
                .args(["-c", "\"$@\" | head -n 1; exit ${PIPESTATUS[0]}", "bash"])
                .arg(binary::path())
                .args(arguments),
            Stdio::piped(),
        );
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "{output:?}");
    }
}

#[test]
fn doctor_names_the_python_of_a_process() {
    root::require();
    for python in pythons::all() {
        let program = Target::python(&python.path, "json_service");
        let output = run(&["doctor", "--json", "--pid", &program.pid().to_string()]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        let found = &object["data"]["process"]["python"];
        let (major, minor) = python.version;
        assert_eq!(found["version"], format!("{major}.{minor}"), "{}: {found}", python.path.display());
        assert!(found["thread_state"].as_str().is_some_and(|slot| slot.contains("fs")), "{found}");
    }
}
