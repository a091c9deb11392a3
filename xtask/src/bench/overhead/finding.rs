//! Where the tools are.
//!
//! In: a tool's description. Out: the words that start it, without its options; nothing when it is not there. Fetches
//! the missing ones only when asked to (`bench tools`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::interpreters::Interpreter;
use super::tools::{Program, Tool};
use crate::command::{self, capture, find_program};
use crate::debian::{Suite, private_apt};
use crate::packages::{self, Need};
use crate::workspace::Workspace;

/// memleak-libbpf and what it is linked with; Debian's libbpf-tools have it from 13 on.
const MEMLEAK_PACKAGES: [&str; 5] = ["libbpf-tools", "libc6", "libelf1t64", "zlib1g", "libzstd1"];

const NEEDS: [Need; 3] = [
    Need { package: "bpftrace", what_for: "to compare with", present: || find_program("bpftrace").is_some() },
    Need {
        package: "heaptrack",
        what_for: "to compare with",
        present: || find_program("heaptrack").is_some(),
    },
    Need {
        package: "python3-venv",
        what_for: "to keep memray apart from the system's Python",
        present: || Path::new("/usr/lib/python3/dist-packages").exists() && has_venv(),
    },
];

/// Finds a tool that `python` can run, if it is one of Python.
pub(super) fn find(
    tool: &Tool,
    workspace: &Workspace,
    memtrace: &Path,
    python: Option<&Path>,
) -> Option<Vec<String>> {
    let word = |path: PathBuf| vec![path.to_string_lossy().into_owned()];
    match tool.program {
        Program::None => Some(Vec::new()),
        Program::Memtrace => memtrace.is_file().then(|| word(memtrace.to_owned())),
        Program::OnPath(name) => find_program(name).map(word),
        Program::Memleak => find_program("memleak-libbpf").map(word).or_else(|| fetched_memleak(workspace)),
        Program::Module(name) => {
            let python = python?.to_string_lossy().into_owned();
            capture(Command::new(&python).args(["-c", &format!("import {name}")])).ok()?;
            Some(vec![python, "-m".to_owned(), name.to_owned()])
        }
    }
}

/// Fetches everything that is compared.
pub(in super::super) fn fetch(workspace: &Workspace) -> Result<()> {
    packages::ensure(&NEEDS)?;
    for interpreter in [Interpreter::Distribution, Interpreter::Pyenv] {
        if let Err(error) = interpreter.prepare(workspace) {
            command::announce(&format!("{interpreter:?}: {error:#}"));
        }
    }
    if find_program("memleak-libbpf").is_none() && fetched_memleak(workspace).is_none() {
        let directory = memleak_directory(workspace);
        let options = private_apt(&directory.join("apt"), &[Suite::Release("trixie")], "memleak-libbpf")?;
        packages::unpack(&MEMLEAK_PACKAGES, &directory.join("root"), &options)?;
    }
    Ok(())
}

fn memleak_directory(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("bench").join("memleak")
}

/// Run by the C library that it came with, which may be newer than this machine's.
fn fetched_memleak(workspace: &Workspace) -> Option<Vec<String>> {
    let root = memleak_directory(workspace).join("root").join("usr");
    let words = [
        root.join("lib64").join("ld-linux-x86-64.so.2"),
        PathBuf::from("--library-path"),
        root.join("lib").join("x86_64-linux-gnu"),
        root.join("sbin").join("memleak-libbpf"),
    ];
    let is_complete = words[0].exists() && words[3].exists();
    is_complete.then(|| words.iter().map(|word| word.to_string_lossy().into_owned()).collect())
}

fn has_venv() -> bool {
    let python = super::super::python();
    python.is_ok_and(|python| capture(Command::new(python).args(["-c", "import ensurepip"])).is_ok())
}
