//! The compiler call: memtrace-ebpf for the BPF target, as `aya-build` does it, with paths that say nothing of this machine.
//!
//! In: a toolchain. Out: the path of the linked object, DWARF included (bpf-linker makes BTF from it).

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::toolchain::Toolchain;
use crate::command;
use crate::workspace::Workspace;

const TARGET: &str = "bpfel-unknown-none";

/// Builds memtrace-ebpf and returns where the linked object is.
pub(super) fn compile(workspace: &Workspace, toolchain: &Toolchain) -> Result<PathBuf> {
    // Tools of different versions must not share a target directory: cargo would take one's output for the other's.
    let target =
        workspace.target().join("bpf").join(toolchain.versions.join("-").replace([' ', '(', ')'], "_"));
    let mut cargo = toolchain.cargo();
    cargo.args([
        "build",
        "--locked",
        "--release",
        "--target",
        TARGET,
        "-Z",
        "build-std=core",
        "--target-dir",
    ]);
    cargo.arg(&target).current_dir(workspace.root().join("memtrace-ebpf"));
    // A stable compiler accepts -Z and aya-ebpf's unstable features with this. Only this child may see it: build
    // scripts of ordinary crates would take the compiler for a nightly one.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(workspace, toolchain)?);
    leave_out_variables_of_this_build(&mut cargo);
    command::run("building the BPF object", &mut cargo)?;
    Ok(target.join(TARGET).join("release").join("memtrace-ebpf"))
}

/// Variables that cargo, or the user, set for programs of this machine.
fn leave_out_variables_of_this_build(cargo: &mut Command) {
    for name in
        ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"]
    {
        if env::var_os(name).is_some() {
            cargo.env_remove(name);
        }
    }
}

fn rust_flags(workspace: &Workspace, toolchain: &Toolchain) -> Result<OsString> {
    let mut flags: Vec<OsString> = vec![
        r#"--cfg=bpf_target_arch="x86_64""#.into(),
        "-Cdebuginfo=2".into(),
        "-Clink-arg=--btf".into(),
        remap(workspace.root(), "/memtrace"),
        remap(&cargo_home(), "/cargo"),
        remap(&toolchain.sysroot, "/rust"),
    ];
    // Last, because the last match counts: one name for the crates of any registry, mirrors included.
    for registry in registries()? {
        flags.push(remap(&registry, "/crates"));
    }
    Ok(flags.join(&OsString::from("\u{1f}")))
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

/// Where cargo keeps the sources of each registry.
fn registries() -> Result<Vec<PathBuf>> {
    let sources = cargo_home().join("registry").join("src");
    if !sources.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&sources).with_context(|| format!("cannot list {}", sources.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths)
}

/// Cargo's own directory.
pub(super) fn cargo_home() -> PathBuf {
    let default = || env::home_dir().unwrap_or_else(|| PathBuf::from("/")).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(default, PathBuf::from)
}
