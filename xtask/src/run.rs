//! `cargo xtask run -- ARGUMENTS`: memtrace itself, from a checkout.
//!
//! In: memtrace's arguments. Out: memtrace in this process' place, so signals, terminal and exit code are its own.
//! Refuses to run without a way to root (exit code 3), before anything is built. The compiler never runs as root
//! unless the caller does.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::{self, CannotRunHere, find_program};
use crate::workspace::Workspace;

/// Builds memtrace as users get it, and becomes it. Returns only when something is in the way.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    if !command::is_root() && find_program("sudo").is_none() {
        let message = "memtrace needs root, and there is no sudo; run as root: cargo xtask run -- ...";
        return Err(CannotRunHere(message.to_owned()).into());
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--package", "memtrace"]).current_dir(workspace.root());
    command::run("building memtrace (the first time takes minutes)", &mut build)?;
    let program = workspace.target().join("release").join("memtrace");
    let mut memtrace = if command::is_root() {
        Command::new(program)
    } else {
        through_sudo(&program, &env::var_os("PATH").unwrap_or_default())
    };
    memtrace.args(arguments);
    let line = command::shell_line(&memtrace);
    command::announce(&format!("running memtrace as root, which probes need\n       $ {line}"));
    Err(memtrace.exec()).with_context(|| format!("cannot start `{line}`"))
}

/// sudo would replace PATH by its own, and a program given to memtrace is looked up in it.
fn through_sudo(program: &Path, path: &OsStr) -> Command {
    let mut assignment = OsString::from("PATH=");
    assignment.push(path);
    let mut command = Command::new("sudo");
    command.arg("env").arg(assignment).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_leaves_the_callers_path_alone() {
        let command = through_sudo(Path::new("target/release/memtrace"), OsStr::new("/opt/my bin:/bin"));
        let line = command::shell_line(&command);
        assert_eq!(line, "sudo env 'PATH=/opt/my bin:/bin' target/release/memtrace");
    }
}
