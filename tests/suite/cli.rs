//! What the command says and how it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::support::memtrace::Memtrace;
use crate::support::target::Target;
use crate::support::{binary, comm, poll, root};

/// Runs to the end, within bounds.
fn run(arguments: &[&str]) -> Output {
    run_command(Command::new(binary::path()).args(arguments))
}

fn run_command(command: &mut Command) -> Output {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let ended = wait_or_kill(&mut child);
    let output = child.wait_with_output().expect("it is our child");
    assert!(ended, "{command:?} does not end: {output:?}");
    output
}

/// True when it ended by itself.
fn wait_or_kill(child: &mut Child) -> bool {
    let ended = poll::try_wait_until(|| child.try_wait().expect("it is our child")).is_some();
    if !ended {
        child.kill().expect("it still runs");
    }
    ended
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_refused(arguments: &[&str], code: i32, word: &str) {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    assert!(stderr(&output).contains(word), "{arguments:?}: stderr has no `{word}`: {}", stderr(&output));
    assert!(output.stdout.is_empty(), "{arguments:?}: results only on stdout: {output:?}");
}

#[test]
fn without_root_it_says_which_command_to_try_and_exits_3() {
    root::require();
    let directory = reachable_by_anyone();
    let output = run_command(
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .args(["--bounding-set=-all", "--inh-caps=-all"])
            .arg(directory.path().join("memtrace"))
            .args(["--comm", "python"]),
    );
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr(&output).contains("sudo"), "{output:?}");
}

/// Cargo's directory may lie where only root can go, so the binary is copied to where anybody can.
fn reachable_by_anyone() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
    fs::copy(binary::path(), directory.path().join("memtrace")).expect("there is room for a copy");
    directory
}

#[test]
fn a_pid_that_is_nobodys_is_refused_with_2() {
    root::require();
    // Above the kernel's highest: PID_MAX_LIMIT is 4,194,304.
    assert_refused(&["--pid", "4194305"], 2, "4194305");
}

#[test]
fn bad_arguments_are_refused_with_2() {
    assert_refused(&["--no-such-flag"], 2, "--no-such-flag");
    assert_refused(&["--pid", "twelve"], 2, "twelve");
    assert_refused(&["--comm", "python", "--interval", "soon"], 2, "soon");
    assert_refused(&["--comm", "python", "--sort", "colour"], 2, "colour");
    assert_refused(&["--comm", "python", "--listen", "nowhere"], 2, "nowhere");
}

#[test]
fn a_port_in_use_is_refused_with_2() {
    root::require();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    assert_refused(&["--comm", &comm::unique("port"), "--listen", &address], 2, &address);
}

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
