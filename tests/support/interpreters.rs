//! The CPython interpreters of this machine.
//!
//! Looked for in `/usr/bin`, in pyenv's versions (`$PYENV_ROOT`, else `~/.pyenv`), in the root directories of other
//! Debian releases, and at the colon-separated paths of `MEMTRACE_PYTHONS`. Only builds that memtrace supports are listed.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use memtrace_core::attribute::python::PythonVersion;

use super::releases;

/// An interpreter that can be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interpreter {
    pub(crate) path: PathBuf,
    pub(crate) version: PythonVersion,
}

impl Interpreter {
    /// Runs it, in its own root directory if it has one.
    pub(crate) fn command(&self) -> Command {
        releases::command(&self.path)
    }
}

/// Every supported interpreter, in the order of the places.
pub(crate) fn found() -> Vec<Interpreter> {
    let mut seen = BTreeSet::new();
    let mut paths = numbered_in(Path::new("/usr/bin"));
    for version in entries(&pyenv_root().join("versions")) {
        paths.extend(numbered_in(&version.join("bin")));
    }
    for root in releases::roots() {
        paths.extend(numbered_in(&root.join("usr/bin")));
    }
    paths.extend(env::var_os("MEMTRACE_PYTHONS").iter().flat_map(env::split_paths));
    paths.retain(|path| path.canonicalize().is_ok_and(|file| seen.insert(file)));
    paths
        .into_iter()
        .filter_map(|path| ask_version(&path).map(|version| Interpreter { path, version }))
        .collect()
}

/// Supported versions that no interpreter of the list has. Tests print them: what was not run was not tested.
pub(crate) fn missing(interpreters: &[Interpreter]) -> Vec<PythonVersion> {
    (PythonVersion::OLDEST.minor..=PythonVersion::NEWEST.minor)
        .map(|minor| PythonVersion { major: 3, minor })
        .filter(|version| interpreters.iter().all(|interpreter| interpreter.version != *version))
        .collect()
}

fn pyenv_root() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".pyenv");
    env::var_os("PYENV_ROOT").map_or_else(home, PathBuf::from)
}

/// Files called `python3.N`.
fn numbered_in(folder: &Path) -> Vec<PathBuf> {
    let is_interpreter = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.strip_prefix("python3.")).is_some_and(|minor| minor.parse::<u8>().is_ok())
    };
    entries(folder).into_iter().filter(is_interpreter).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The version that the interpreter itself reports, when it is a supported build.
fn ask_version(path: &Path) -> Option<PythonVersion> {
    let script = "import sys, sysconfig\n\
                  special = sysconfig.get_config_var('Py_GIL_DISABLED') or sysconfig.get_config_var('Py_DEBUG')\n\
                  print('special' if special else '%d %d' % sys.version_info[:2])";
    let output = releases::command(path).args(["-I", "-c", script]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    PythonVersion::new(major.parse().ok()?, minor.parse().ok()?).ok()
}
