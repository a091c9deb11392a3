//! What memtrace refuses: who may not trace, what is no target, and in which order it is said.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use rustix::thread::gettid;

use crate::support::command::{run, run_command, stderr};
use crate::support::target::Target;
use crate::support::{binary, comm, root};

const NO_RIGHTS: [&str; 2] = ["--bounding-set=-all", "--inh-caps=-all"];

fn assert_refused(arguments: &[&str], code: i32, word: &str) {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    assert!(stderr(&output).contains(word), "{arguments:?}: stderr has no `{word}`: {}", stderr(&output));
    assert!(output.stdout.is_empty(), "{arguments:?}: results only on stdout: {output:?}");
}

/// As nobody, with the rights that `setpriv` is told to leave.
fn run_as_nobody(rights: &[&str], arguments: &[&str]) -> Output {
    root::require();
    let directory = reachable_by_anyone();
    run_command(
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .args(rights)
            .arg(directory.path().join("memtrace"))
            .args(arguments),
    )
}

fn assert_says_sudo(output: &Output) {
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    for words in ["sudo memtrace", "CAP_BPF", "PATH=$PATH"] {
        assert!(stderr(output).contains(words), "{words}: {output:?}");
    }
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
fn without_root_it_says_which_command_to_try_and_exits_3() {
    assert_says_sudo(&run_as_nobody(&NO_RIGHTS, &["--comm", "python"]));
}

#[test]
fn who_may_not_trace_hears_that_before_anything_of_ports_and_pids() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let program = Target::c("leak", &[]);
    let pid = program.pid().to_string();
    for arguments in [["--comm", "x", "--listen", &address], ["--pid", &pid, "--listen", &address]] {
        let output = run_as_nobody(&NO_RIGHTS, &arguments);
        assert_says_sudo(&output);
        assert!(!stderr(&output).contains("in use"), "{output:?}");
    }
}

#[test]
fn bad_arguments_come_before_rights() {
    let output = run_as_nobody(&NO_RIGHTS, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("--comm"), "{output:?}");
}

#[test]
fn a_process_that_these_rights_cannot_look_into_is_refused_with_3() {
    let program = Target::c("leak", &[]);
    let rights = ["--inh-caps=-all,+bpf,+perfmon", "--ambient-caps=-all,+bpf,+perfmon"];
    let output = run_as_nobody(&rights, &["--pid", &program.pid().to_string()]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    for words in ["CAP_SYS_PTRACE", "sudo memtrace"] {
        assert!(stderr(&output).contains(words), "{words}: {output:?}");
    }
}

#[test]
fn doctor_says_what_is_missing_and_exits_3() {
    let output = run_as_nobody(&NO_RIGHTS, &["doctor"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("cannot trace here") && said.contains("missing capabilities"), "{said}");
    assert!(said.contains("CAP_BPF") && said.contains("sudo"), "{said}");
}

#[test]
fn doctor_of_no_process_is_refused_with_2() {
    assert_refused(&["doctor", "--pid", "4194305"], 2, "4194305");
}

#[test]
fn a_thread_is_refused_with_2_and_its_process_named() {
    root::require();
    let (told, tell) = std::sync::mpsc::channel();
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        told.send(gettid()).expect("it is awaited");
        finished.recv().expect_err("the test drops its end");
    });
    let tid = tell.recv().expect("the thread says its number").as_raw_nonzero().to_string();
    let process = std::process::id().to_string();
    assert_refused(&["--pid", &tid], 2, &format!("--pid {process}"));
    drop(finish);
    thread.join().expect("the thread ends");
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
fn another_pid_namespace_is_refused_with_3_and_doctor_says_why() {
    root::require();
    for arguments in [&["--comm", "x"][..], &["doctor"]] {
        let output = run_command(
            Command::new("unshare")
                .args(["--pid", "--fork", "--mount-proc"])
                .arg(binary::path())
                .args(arguments),
        );
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {output:?}");
        let said = [&output.stdout[..], &output.stderr].concat();
        assert!(String::from_utf8_lossy(&said).contains("--pid=host"), "{arguments:?}: {output:?}");
    }
}
