//! `cargo xtask test`: everything that the tests need, then all of them, then one line that counts them.
//!
//! In: nothing but Rust and, for packages and probes, root or sudo. Out: `N passed, N failed` on stdout. Refuses to
//! run without root (exit code 3): tests that were left out would look like tests that passed.
//! Invariant: this process fails when a test failed, did not compile, or no test ran at all.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::command::{self, CannotRunHere, find_program};
use crate::packages::{self, Need};
use crate::releases;
use crate::workspace::Workspace;

const NEEDS: [Need; 5] = [
    Need {
        package: "gcc",
        what_for: "to build C programs of known truth",
        present: || find_program("gcc").is_some(),
    },
    Need {
        package: "libc6-dev",
        what_for: "to build C programs of known truth",
        present: || Path::new("/usr/include/stdlib.h").exists(),
    },
    Need {
        package: "musl-tools",
        what_for: "to build the same programs on musl, the other C library",
        present: || find_program("musl-gcc").is_some(),
    },
    Need { package: "python3", what_for: "to be traced", present: || Path::new("/usr/bin/python3").exists() },
    Need {
        package: "python3-numpy",
        what_for: "to be traced: an extension that allocates by itself",
        present: || Path::new("/usr/lib/python3/dist-packages/numpy").exists(),
    },
];

const TRACEFS: &str = "/sys/kernel/tracing";

/// Prepares this machine, runs the workspace's tests and counts them.
pub(crate) fn test(workspace: &Workspace, test_arguments: &[String]) -> Result<()> {
    refuse_without_a_way_to_root()?;
    packages::ensure(&NEEDS)?;
    let path = path_with_promtool(workspace)?;
    releases::fetch_what_can_be(workspace);
    mount_tracefs()?;
    let mut build = Command::new("cargo");
    build.args(["build", "--package", "memtrace"]).current_dir(workspace.root());
    command::run("building memtrace", &mut build)?;
    let memtrace = workspace.built_program("memtrace");
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--workspace", "--no-fail-fast"]).current_dir(workspace.root());
    cargo.env("MEMTRACE_BIN", &memtrace).env("PATH", &path);
    if !command::is_root() {
        cargo.arg("--config").arg(sudo_runner(&path, &memtrace)?);
    }
    cargo.arg("--").args(test_arguments);
    run_and_count(cargo)
}

fn refuse_without_a_way_to_root() -> Result<()> {
    if command::is_root() || find_program("sudo").is_some() {
        return Ok(());
    }
    let message =
        "the tests attach probes, which needs root, and there is no sudo; run: su -c 'cargo xtask test'";
    Err(CannotRunHere(message.to_owned()).into())
}

/// A cargo setting that runs the test programs, not the compiler, as root. sudo would replace PATH by its own and may
/// refuse to keep other variables, so they are given explicitly.
fn sudo_runner(path: &OsString, memtrace: &Path) -> Result<String> {
    let path = path.to_str().context("PATH is not UTF-8")?;
    let memtrace = memtrace.to_str().context("the target directory's path is not UTF-8")?;
    let words = [
        "sudo".into(),
        "-E".into(),
        "env".into(),
        format!("PATH={path}"),
        format!("MEMTRACE_BIN={memtrace}"),
    ];
    // A JSON array of strings is a TOML array as well.
    let array = serde_json::to_string(&words as &[String])?;
    Ok(format!("target.'cfg(all())'.runner={array}"))
}

/// PATH, extended by Debian's promtool where there is none. Its package would start a Prometheus server when
/// installed, so it is unpacked under the target directory instead.
fn path_with_promtool(workspace: &Workspace) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    if find_program("promtool").is_some() {
        return Ok(path);
    }
    let directory = workspace.tools().join("prometheus");
    let programs = directory.join("usr").join("bin");
    if !programs.join("promtool").exists() {
        if find_program("apt-get").is_none() {
            let message =
                "the tests need promtool, which checks /metrics; install what Debian calls: prometheus";
            return Err(CannotRunHere(message.to_owned()).into());
        }
        command::announce("missing: promtool (to check /metrics)");
        packages::with_fresh_lists(|| packages::unpack(&["prometheus"], &directory, &[]))?;
    }
    Ok(env::join_paths([programs].into_iter().chain(env::split_paths(&path)))?)
}

fn mount_tracefs() -> Result<()> {
    // The directory exists, empty, on every kernel; only root may look into a mounted one.
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    if mounts.lines().any(|line| line.split(' ').nth(1) == Some(TRACEFS)) {
        return Ok(());
    }
    let mut mount = command::as_root("mount")?;
    mount.args(["-t", "tracefs", "tracefs", TRACEFS]);
    command::run("mounting tracefs, through which probes are made", &mut mount)
}

/// Runs cargo, passes its output on, and sums up the result lines in it.
fn run_and_count(mut cargo: Command) -> Result<()> {
    let line = command::shell_line(&cargo);
    command::announce(&format!("running all tests\n       $ {line}"));
    let mut child =
        cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let output = child.stdout.take().context("invariant: stdout is a pipe")?;
    let mut counts = Counts::default();
    for text in BufReader::new(output).split(b'\n') {
        let text = text?;
        std::io::stdout().lock().write_all(&[text.as_slice(), b"\n"].concat())?;
        counts.add(&String::from_utf8_lossy(&text));
    }
    let status = child.wait()?;
    println!("{counts}");
    if !status.success() {
        bail!("cargo test ended with {status}; to see it alone, run:\n  {line}");
    }
    if counts.failed > 0 || counts.passed == 0 {
        bail!("{} tests failed and {} passed, though cargo reports success", counts.failed, counts.passed);
    }
    Ok(())
}

/// Sums over all test programs.
#[derive(Default, Debug, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Counts a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; other lines are not for us.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let after_verdict = result.split_once(". ").map_or(result, |(_, figures)| figures);
        for figure in after_verdict.split(';') {
            let Some((number, what)) = figure.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 {
            write!(formatter, ", {} ignored", self.ignored)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_test_programs_add_up() {
        let mut counts = Counts::default();
        counts.add("running 4 tests");
        counts.add(
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.10s",
        );
        counts.add("test result: FAILED. 2 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out");
        assert_eq!(counts, Counts { passed: 6, failed: 1, ignored: 3 });
        assert_eq!(counts.to_string(), "6 passed, 1 failed, 3 ignored");
    }

    #[test]
    fn the_sum_is_a_plain_line_when_nothing_was_ignored() {
        let counts = Counts { passed: 9, failed: 0, ignored: 0 };
        assert_eq!(counts.to_string(), "9 passed, 0 failed");
    }

    #[test]
    fn cargo_takes_the_runner_with_a_path_that_holds_blanks() {
        let setting =
            sudo_runner(&OsString::from("/bin:/my tools"), Path::new("/x/memtrace")).expect("UTF-8");
        assert_eq!(
            setting,
            r#"target.'cfg(all())'.runner=["sudo","-E","env","PATH=/bin:/my tools","MEMTRACE_BIN=/x/memtrace"]"#
        );
    }
}
