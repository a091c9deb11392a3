//! `cargo xtask lint`: everything about the source that needs no running kernel.
//!
//! In: the checkout. Out: success, or the names of the checks that failed, after all of them have run. Installs
//! rustfmt and clippy where rustup left them out.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command;
use crate::workspace::Workspace;
use crate::{licences, tidy};

type Check = fn(&Workspace) -> Result<()>;

const CHECKS: [(&str, Check); 6] = [
    ("format", format),
    ("format of memtrace-ebpf", format_of_ebpf),
    ("clippy", clippy),
    ("rustdoc", rustdoc),
    ("licences", licences::check),
    ("tidy", tidy::tidy),
];

/// Runs every check.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    ensure_component("rustfmt", "fmt")?;
    ensure_component("clippy", "clippy")?;
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        if let Err(error) = check(workspace) {
            eprintln!("xtask: {name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    println!("lint: {} checks passed", CHECKS.len());
    Ok(())
}

fn ensure_component(component: &str, subcommand: &str) -> Result<()> {
    if command::capture(Command::new("cargo").args([subcommand, "--version"])).is_ok() {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    command::run(&format!("adding {component} to the compiler"), add.args(["component", "add", component]))
}

fn format(workspace: &Workspace) -> Result<()> {
    let mut cargo = cargo_at_root(workspace);
    command::run("checking the format", cargo.args(["fmt", "--all", "--check"]))
}

fn format_of_ebpf(workspace: &Workspace) -> Result<()> {
    let mut cargo = cargo_at_root(workspace);
    cargo.args(["fmt", "--check", "--manifest-path", "memtrace-ebpf/Cargo.toml"]);
    command::run("checking the format of the BPF programs", &mut cargo)
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let mut cargo = cargo_at_root(workspace);
    cargo.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    command::run("running clippy", &mut cargo)
}

fn rustdoc(workspace: &Workspace) -> Result<()> {
    let mut cargo = cargo_at_root(workspace);
    cargo.args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings");
    command::run("checking the documentation comments", &mut cargo)
}

fn cargo_at_root(workspace: &Workspace) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace.root());
    cargo
}
