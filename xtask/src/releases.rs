//! `cargo xtask releases`: the C library and the Python of other Debian releases, to be traced in roots of their own.
//!
//! In: nothing. Out: `target/releases/NAME`, a root directory for each release, with what its Python needs; 20 to 50 MB
//! each, fetched once. Invariant: a directory is there only when it is complete.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::command;
use crate::debian::{Suite, private_apt};
use crate::packages;
use crate::workspace::Workspace;

struct Release {
    name: &'static str,
    /// What is in it that this machine's own release may not have.
    what: &'static str,
    /// libgcc-s1 is what the C library loads to end a thread.
    packages: &'static [&'static str],
}

const RELEASES: [Release; 3] = [
    Release {
        name: "bullseye",
        what: "glibc 2.31, which has malloc hooks, and Python 3.9",
        packages: &[
            "libc6",
            "libcrypt1",
            "libexpat1",
            "libffi7",
            "libgcc-s1",
            "libpython3.9-minimal",
            "libpython3.9-stdlib",
            "python3.9-minimal",
            "zlib1g",
        ],
    },
    Release {
        name: "trixie",
        what: "glibc 2.41 and Python 3.13",
        packages: &[
            "libc6",
            "libexpat1",
            "libffi8",
            "libgcc-s1",
            "libpython3.13-minimal",
            "libpython3.13-stdlib",
            "python3.13-minimal",
            "zlib1g",
        ],
    },
    Release {
        name: "sid",
        what: "the newest glibc and Python 3.14",
        packages: &[
            "libc6",
            "libexpat1",
            "libffi8",
            "libgcc-s1",
            "libpython3.14-minimal",
            "libpython3.14-stdlib",
            "libzstd1",
            "python3.14-minimal",
            "zlib1g",
        ],
    },
];

/// Fetches all of them.
pub(crate) fn fetch(workspace: &Workspace) -> Result<()> {
    let failed = fetch_missing(workspace);
    if failed.is_empty() { Ok(()) } else { bail!("not fetched: {}", failed.join(", ")) }
}

/// Fetches those that can be had; the tests say which they did not find.
pub(crate) fn fetch_what_can_be(workspace: &Workspace) {
    for name in fetch_missing(workspace) {
        command::announce(&format!("going on without the programs of Debian {name}"));
    }
}

/// The names of those that could not be fetched.
fn fetch_missing(workspace: &Workspace) -> Vec<&'static str> {
    let directory = workspace.target().join("releases");
    let mut failed = Vec::new();
    for release in &RELEASES {
        if let Err(error) = fetch_one(&directory, release) {
            command::announce(&format!("Debian {}: {error:#}", release.name));
            failed.push(release.name);
        }
    }
    failed
}

fn fetch_one(directory: &Path, release: &Release) -> Result<()> {
    let root = directory.join(release.name);
    if root.exists() {
        return Ok(());
    }
    let begin = Instant::now();
    let unfinished = directory.join(format!("{}.unfinished", release.name));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let (apt, new_root) = (unfinished.join("apt"), unfinished.join("root"));
    lay_out(&new_root)?;
    let options = private_apt(&apt, &[Suite::Release(release.name)], release.what)?;
    packages::unpack(release.packages, &new_root, &options)?;
    fs::rename(&new_root, &root)?;
    fs::remove_dir_all(&unfinished)?;
    command::announce(&format!("Debian {} is there after {:.0?}", release.name, begin.elapsed()));
    Ok(())
}

/// What is in no package, or in one that brings far more.
fn lay_out(root: &Path) -> Result<()> {
    for directory in ["dev", "proc", "run", "tmp", "usr/lib", "usr/lib64"] {
        fs::create_dir_all(root.join(directory))?;
    }
    // Newer packages have their files below `usr` only.
    symlink("usr/lib", root.join("lib"))?;
    symlink("usr/lib64", root.join("lib64"))?;
    Ok(())
}
