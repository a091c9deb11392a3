//! `cargo xtask vm`: memtrace on Debian's kernels, each in an emulated machine of its own.
//!
//! In: versions out of 5.10, 6.1, 6.12 and 7. Out: one line per check and kernel; consoles under `target/vm/`.
//! Invariant: a machine that does not reach the end of its checks counts as failed.

mod cpio;
mod initramfs;
mod kernel;
mod qemu;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use self::kernel::{KERNELS, Kernel};
use crate::command::{self, find_program};
use crate::packages::{self, Need};
use crate::workspace::Workspace;

const CONSOLE_LINES_SHOWN: usize = 60;

const NEEDS: [Need; 4] = [
    Need {
        package: "qemu-system-x86",
        what_for: "to emulate a machine for each kernel",
        present: || find_program("qemu-system-x86_64").is_some(),
    },
    Need { package: "gcc", what_for: "to build the C program", present: || find_program("gcc").is_some() },
    Need {
        package: "libc6-dev",
        what_for: "to build the C program",
        present: || Path::new("/usr/include/stdlib.h").exists(),
    },
    Need {
        package: "python3",
        what_for: "to run in the machines",
        present: || Path::new(initramfs::PYTHON).exists(),
    },
];

/// Runs the checks on the kernels named by `versions`, or on all.
pub(crate) fn vm(workspace: &Workspace, versions: &[String]) -> Result<()> {
    let kernels = select(versions)?;
    packages::ensure(&NEEDS)?;
    let mut build = Command::new("cargo");
    build.args(["build", "--package", "xtask", "--bin", "vm-init"]).current_dir(workspace.root());
    command::run("building the machines' first process", &mut build)?;
    let memtrace = memtrace_binary(workspace)?;
    let directory = workspace.target().join("vm");
    fs::create_dir_all(&directory)?;
    let initramfs = initramfs::build(workspace, &memtrace, &directory)?;
    let mut failed = Vec::new();
    for kernel in kernels {
        let log = directory.join(format!("{}.log", kernel.version));
        if let Err(error) = check(workspace, kernel, &initramfs, &log) {
            println!("Linux {}: {error:#}", kernel.version);
            show_console(&log);
            failed.push(kernel.version);
        }
    }
    if !failed.is_empty() {
        bail!("memtrace fails on Linux {}", failed.join(", "));
    }
    Ok(())
}

fn check(workspace: &Workspace, kernel: &Kernel, initramfs: &Path, log: &Path) -> Result<()> {
    if log.exists() {
        fs::remove_file(log)?;
    }
    let image = kernel::fetch(workspace, kernel)?;
    command::announce(&format!("booting Linux {} in qemu", kernel.version));
    let started = Instant::now();
    let verdicts = qemu::boot(&image, initramfs, log)?;
    let summary = |passed: bool| {
        let names: Vec<&str> = verdicts
            .iter()
            .filter(|verdict| verdict.passed == passed)
            .map(|verdict| verdict.check.as_str())
            .collect();
        names.join(", ")
    };
    if verdicts.is_empty() || verdicts.iter().any(|verdict| !verdict.passed) {
        bail!("failed: {}; passed: {}", summary(false), summary(true));
    }
    println!("Linux {}: passed: {} ({} s)", kernel.version, summary(true), started.elapsed().as_secs());
    Ok(())
}

/// Names a console's file and shows its end: on CI's machines the file itself is gone when somebody wants it.
fn show_console(log: &Path) {
    // No file: the machine was never started, and the error says why.
    if let Ok(console) = fs::read(log) {
        println!("  its console: {}, which ends:", log.display());
        print!("{}", end_of(&String::from_utf8_lossy(&console)));
    }
}

fn end_of(console: &str) -> String {
    let lines: Vec<&str> = console.lines().collect();
    let shown = &lines[lines.len().saturating_sub(CONSOLE_LINES_SHOWN)..];
    shown.iter().map(|line| format!("  | {}\n", line.trim_end())).collect()
}

fn select(versions: &[String]) -> Result<Vec<&'static Kernel>> {
    if versions.is_empty() {
        return Ok(KERNELS.iter().collect());
    }
    let find = |version: &String| {
        let known = || KERNELS.each_ref().map(|kernel| kernel.version).join(", ");
        let found = KERNELS.iter().find(|kernel| kernel.version == version);
        found.with_context(|| format!("Linux {version} is not among those tested on: {}", known()))
    };
    versions.iter().map(find).collect()
}

/// The memtrace to test: the one that MEMTRACE_BIN names, else one built now.
fn memtrace_binary(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(path) = env::var_os("MEMTRACE_BIN") {
        return Ok(path.into());
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--package", "memtrace"]).current_dir(workspace.root());
    command::run("building memtrace", &mut build)?;
    Ok(workspace.built_program("memtrace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_version_means_every_kernel() {
        assert_eq!(select(&[]).expect("all").len(), KERNELS.len());
    }

    #[test]
    fn only_the_end_of_a_console_is_shown() {
        let console: String = (0..100).map(|number| format!("line {number}\r\n")).collect();
        let end = end_of(&console);
        assert!(end.starts_with("  | line 40\n") && end.ends_with("  | line 99\n"), "{end}");
    }

    #[test]
    fn an_unknown_version_is_answered_with_the_known_ones() {
        let Err(error) = select(&["4.19".to_owned()]) else { panic!("4.19 is not tested on") };
        assert!(error.to_string().contains("5.10, 6.1, 6.12, 7"), "{error}");
    }
}
