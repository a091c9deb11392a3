//! One memtrace (or any command) run to its end, within bounds.

use std::process::{Child, Command, Output, Stdio};

use super::{binary, poll};

/// memtrace with these arguments.
pub(crate) fn run(arguments: &[&str]) -> Output {
    run_command(Command::new(binary::path()).args(arguments))
}

/// Any command. What it prints must fit into a pipe.
pub(crate) fn run_command(command: &mut Command) -> Output {
    run_into(command, Stdio::piped())
}

/// The same with its stdout elsewhere.
pub(crate) fn run_into(command: &mut Command, stdout: Stdio) -> Output {
    let command = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let ended = wait_or_kill(&mut child);
    let output = child.wait_with_output().expect("it is our child");
    assert!(ended, "{command:?} does not end: {output:?}");
    output
}

/// True when it ended by itself.
pub(crate) fn wait_or_kill(child: &mut Child) -> bool {
    let ended = poll::try_wait_until(|| child.try_wait().expect("it is our child")).is_some();
    if !ended {
        child.kill().expect("it still runs");
    }
    ended
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
