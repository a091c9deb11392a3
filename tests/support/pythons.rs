//! The Python interpreters of this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// What an interpreter says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Python {
    pub(crate) path: PathBuf,
    pub(crate) version: (u32, u32),
    /// Built with profile-guided optimization, which inlines the object allocator.
    pub(crate) has_pgo: bool,
    pub(crate) has_numpy: bool,
}

const QUESTION: &str = "import json, sys, sysconfig, importlib.util as u; print(json.dumps({'path': sys.executable, \
    'version': sys.version_info[:2], 'has_numpy': u.find_spec('numpy') is not None, \
    'has_pgo': '-fprofile-use' in (sysconfig.get_config_var('PY_CORE_CFLAGS') or '') or \
    '--enable-optimizations' in (sysconfig.get_config_var('CONFIG_ARGS') or '')}))";

/// Every CPython 3.8 to 3.14 in /usr/bin and in pyenv, one of each file. Panics when there is none.
pub(crate) fn all() -> Vec<Python> {
    let mut paths: Vec<PathBuf> = (8..=14).map(|minor| format!("/usr/bin/python3.{minor}").into()).collect();
    if let Ok(versions) = fs::read_dir(pyenv_root().join("versions")) {
        paths.extend(versions.flatten().map(|version| version.path().join("bin/python3")));
    }
    paths.sort();
    let pythons: Vec<Python> =
        paths.iter().filter(|path| path.is_file()).filter_map(|path| ask(path)).collect();
    assert!(
        !pythons.is_empty(),
        "no CPython 3.8 to 3.14 found: `apt install python3`, or install one with pyenv"
    );
    pythons
}

fn pyenv_root() -> PathBuf {
    let home = env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    env::var_os("PYENV_ROOT").map_or_else(|| home.join(".pyenv"), PathBuf::from)
}

/// None for versions that memtrace does not know.
fn ask(path: &Path) -> Option<Python> {
    let output = Command::new(path).args(["-c", QUESTION]).output().ok()?;
    let mut python: Python = serde_json::from_slice(&output.stdout).ok()?;
    path.clone_into(&mut python.path);
    ((3, 8)..=(3, 14)).contains(&python.version).then_some(python)
}
