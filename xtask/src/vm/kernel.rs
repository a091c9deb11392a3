//! Debian's kernels, out of its package archive, without installing them.
//!
//! In: a version out of [`KERNELS`]. Out: the path of its `vmlinuz`, cached under the target directory. Refuses a suite
//! whose kernel has moved on to another version.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::debian::{Suite, private_apt};
use crate::packages;
use crate::workspace::Workspace;

/// A kernel to test on, and where Debian keeps it.
pub(super) struct Kernel {
    pub(super) version: &'static str,
    suites: &'static [Suite],
}

/// The oldest kernel that memtrace promises to work on, two long-term ones in wide use, and the newest there is.
pub(super) const KERNELS: [Kernel; 4] = [
    Kernel { version: "5.10", suites: &[Suite::Release("bullseye"), Suite::Security("bullseye-security")] },
    Kernel { version: "6.1", suites: &[Suite::Release("bookworm"), Suite::Security("bookworm-security")] },
    Kernel { version: "6.12", suites: &[Suite::Release("trixie"), Suite::Security("trixie-security")] },
    Kernel { version: "7", suites: &[Suite::Release("sid")] },
];

/// The package that always depends on a suite's current kernel for virtual machines.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// The image of `kernel`, fetched unless an earlier call has left it.
pub(super) fn fetch(workspace: &Workspace, kernel: &Kernel) -> Result<PathBuf> {
    let directory = workspace.target().join("vm").join(kernel.version);
    let image = directory.join("vmlinuz");
    if image.exists() {
        return Ok(image);
    }
    let apt = directory.join("apt");
    let options = private_apt(&apt, kernel.suites, &format!("Linux {}", kernel.version))?;
    let package = package_with_image(&options, kernel)?;
    let unpacked = directory.join("unpacked");
    packages::unpack(&[&package], &unpacked, &options)?;
    let found = find_image(&unpacked)?.with_context(|| format!("{package} holds no vmlinuz"))?;
    fs::rename(found, &image)?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_dir_all(&apt)?;
    Ok(image)
}

/// The package that holds the image: since Linux 7 a dependency of the one that the meta package names.
fn package_with_image(options: &[String], kernel: &Kernel) -> Result<String> {
    let image = dependency(options, META_PACKAGE, "linux-image-")?
        .with_context(|| format!("{META_PACKAGE} names no kernel for {}", kernel.version))?;
    let version = image.trim_start_matches("linux-image-");
    if !is_version(version, kernel.version) {
        bail!(
            "Debian's archive has {version} where Linux {} was; adapt KERNELS in xtask/src/vm/kernel.rs",
            kernel.version
        );
    }
    Ok(dependency(options, &image, "linux-binary-")?.unwrap_or(image))
}

fn is_version(found: &str, wanted: &str) -> bool {
    found.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
}

fn dependency(options: &[String], package: &str, prefix: &str) -> Result<Option<String>> {
    let mut query = Command::new("apt-cache");
    let text = command::capture(query.args(options).args(["depends", "--important", package]))?;
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).next())
}

fn find_image(directory: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_image =
            path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("vmlinuz"));
        if path.is_file() && is_image {
            return Ok(Some(path));
        }
        if path.is_dir()
            && !path.is_symlink()
            && let Some(found) = find_image(&path)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_matches_whole_numbers_only() {
        assert!(is_version("6.1.0-50-cloud-amd64", "6.1"));
        assert!(!is_version("6.12.107+deb13-cloud-amd64", "6.1"));
        assert!(is_version("7.2.13+deb14-cloud-amd64", "7"));
    }
}
