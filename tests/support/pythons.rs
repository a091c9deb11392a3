//! The Python interpreters of this machine.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{interpreters, releases};

/// What an interpreter says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Python {
    pub(crate) path: PathBuf,
    pub(crate) version: (u32, u32),
    /// Built with profile-guided optimization, which inlines the object allocator.
    pub(crate) has_pgo: bool,
    pub(crate) has_numpy: bool,
}

impl Python {
    /// False for those in the root directory of another release.
    pub(crate) fn is_of_this_system(&self) -> bool {
        releases::split(&self.path).is_none()
    }
}

const QUESTION: &str = "import json, sys, sysconfig, importlib.util as u; print(json.dumps({'path': sys.executable, \
    'version': sys.version_info[:2], 'has_numpy': u.find_spec('numpy') is not None, \
    'has_pgo': '-fprofile-use' in (sysconfig.get_config_var('PY_CORE_CFLAGS') or '') or \
    '--enable-optimizations' in (sysconfig.get_config_var('CONFIG_ARGS') or '')}))";

/// Every interpreter found, with what it says of itself. Panics when there is none.
pub(crate) fn all() -> Vec<Python> {
    let interpreters = interpreters::found();
    let pythons: Vec<Python> = interpreters.iter().filter_map(|found| ask(&found.path)).collect();
    assert!(
        !pythons.is_empty(),
        "no CPython 3.8 to 3.14 found: `apt install python3`, or install one with pyenv"
    );
    for version in interpreters::missing(&interpreters) {
        println!("not tested: no CPython {version} on this machine");
    }
    pythons
}

/// None for versions that memtrace does not know.
fn ask(path: &Path) -> Option<Python> {
    let output = releases::command(path).args(["-c", QUESTION]).output().ok()?;
    let mut python: Python = serde_json::from_slice(&output.stdout).ok()?;
    path.clone_into(&mut python.path);
    // Distributions build with `make profile-opt`, of which `sysconfig` says nothing.
    python.has_pgo |=
        !path.components().any(|part| part.as_os_str() == ".pyenv" || part.as_os_str() == "versions");
    ((3, 8)..=(3, 14)).contains(&python.version).then_some(python)
}
