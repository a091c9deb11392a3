//! The Pythons that targets run on, each in an environment of its own under the target directory.
//!
//! In: what the distribution and pyenv have installed. Out: interpreters that can import memray and pyperformance,
//! which pip fetches once. The environment runs the interpreter's own file; it only adds a place for modules.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{self, capture};
use crate::workspace::Workspace;

/// Pinned, so that figures of two days are of the same programs.
const MODULES: [&str; 2] = ["memray==1.20.0", "pyperformance==1.14.0"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Interpreter {
    /// The distribution's: optimized with a profile, so that most of what allocates is inlined.
    Distribution,
    /// The newest that pyenv has built, without a profile unless told to.
    Pyenv,
}

impl Interpreter {
    /// The interpreter in its environment, which is made when it is not there.
    pub(in super::super) fn prepare(self, workspace: &Workspace) -> Result<PathBuf> {
        let environment = workspace.tools().join("bench").join(format!("{self:?}").to_lowercase());
        let python = environment.join("bin").join("python");
        if environment.exists() {
            return Ok(python);
        }
        let unfinished = environment.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        let mut make = Command::new(self.find()?);
        make.args(["-m", "venv"]).arg(&unfinished);
        command::run("making a Python environment (Debian: apt-get install python3-venv)", &mut make)?;
        let mut pip = Command::new(unfinished.join("bin").join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(MODULES);
        command::run("fetching memray and pyperformance from PyPI", &mut pip)?;
        fs::rename(&unfinished, &environment)?;
        Ok(python)
    }

    fn find(self) -> Result<PathBuf> {
        match self {
            Self::Distribution => super::super::python(),
            Self::Pyenv => newest_of_pyenv(),
        }
    }
}

/// The newest that was configured without `--enable-optimizations`.
fn newest_of_pyenv() -> Result<PathBuf> {
    let root = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv")));
    let versions = root.context("neither PYENV_ROOT nor HOME is set")?.join("versions");
    let mut found: Vec<((u32, u32, u32), PathBuf)> = Vec::new();
    for entry in fs::read_dir(&versions).into_iter().flatten().flatten() {
        let python = entry.path().join("bin").join("python3");
        let Some(version) = version(&entry.file_name().to_string_lossy()) else { continue };
        if python.exists() {
            found.push((version, python));
        }
    }
    found.sort();
    for (_, python) in found.into_iter().rev() {
        let arguments = ["-c", "import sysconfig; print(sysconfig.get_config_var('CONFIG_ARGS'))"];
        if !capture(Command::new(&python).args(arguments))?.contains("--enable-optimizations") {
            return Ok(python);
        }
    }
    bail!("no Python below {}; try: pyenv install 3.13", versions.display())
}

fn version(name: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = name.split('.').map(str::parse);
    let (major, minor, patch) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    (major == 3 && minor >= 8).then_some((major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number_and_the_ones_too_old_are_left_out() {
        assert!(version("3.13.0") > version("3.9.18"));
        assert_eq!(version("2.7.18"), None);
        assert_eq!(version("3.7.16"), None);
        assert_eq!(version("pypy3.10-7.3"), None);
    }
}
