//! Running other programs: announced before, explained when they fail.
//!
//! In: a [`Command`] and the reason for it. Out: its success, or its standard output. Refuses to hide anything: each
//! error holds the command line as a shell would take it, environment included, so that it can be run by hand.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The reason why a chore cannot be done on this machine as this user; ends the program with exit code 3.
#[derive(Debug)]
pub(crate) struct CannotRunHere(pub(crate) String);

impl fmt::Display for CannotRunHere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for CannotRunHere {}

/// Says what is about to happen.
pub(crate) fn announce(what: &str) {
    eprintln!("xtask: {what}");
}

/// Runs `command` with the terminal's own stdout and stderr, after saying why.
pub(crate) fn run(why: &str, command: &mut Command) -> Result<()> {
    let line = shell_line(command);
    announce(&format!("{why}\n       $ {line}"));
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("{why}: failed with {status}; to see it alone, run:\n  {line}");
    }
    Ok(())
}

/// Runs `command` silently and returns what it printed on stdout.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let line = shell_line(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed with {}: {}", output.status, complaint.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed something other than UTF-8"))
}

/// The program called `name` on PATH, if there is one.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|candidate| candidate.is_file())
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `command`, to be run as root: itself, or through sudo.
pub(crate) fn as_root(program: &str) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    if find_program("sudo").is_none() {
        let message =
            format!("`{program}` needs root and there is no sudo; run this as root: cargo xtask ...");
        return Err(CannotRunHere(message).into());
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    Ok(command)
}

/// The command line as a shell would take it, with the variables that were set for it and its directory.
pub(crate) fn shell_line(command: &Command) -> String {
    let mut words: Vec<String> = Vec::new();
    if let Some(directory) = command.get_current_dir() {
        words.push(format!("cd {} &&", quoted(directory.as_os_str())));
    }
    let removed: Vec<_> =
        command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
    if !removed.is_empty() {
        words.push("env".to_owned());
        words.extend(removed.iter().map(|name| format!("-u {}", name.to_string_lossy())));
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quoted(value)));
        }
    }
    words.push(quoted(command.get_program()));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

/// One word of a shell's command line. Cargo separates flags by the unit separator, which bash writes `$'\x1f'`.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''").replace('\u{1f}', r"'$'\x1f''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let mut command = Command::new("printf");
        command.arg("%s").arg("it's").arg("a\u{1f}b").env("NAME", "two words");
        assert_eq!(shell_line(&command), r"NAME='two words' printf %s 'it'\''s' 'a'$'\x1f''b'");
    }

    #[test]
    fn the_line_that_a_failure_names_does_the_same_in_bash() {
        let mut command = Command::new("printf");
        command.arg("[%s]").arg("it's").arg("a\u{1f}b").arg("");
        let printed =
            capture(Command::new("bash").arg("-c").arg(shell_line(&command))).expect("bash runs the line");
        assert_eq!(printed, "[it's][a\u{1f}b][]");
    }

    #[test]
    fn a_failing_command_is_named_with_its_own_complaint() {
        let error =
            capture(Command::new("sh").args(["-c", "echo broken >&2; exit 7"])).expect_err("it fails");
        assert!(error.to_string().contains("broken"), "{error}");
        assert!(error.to_string().contains("exit status: 7"), "{error}");
    }
}
