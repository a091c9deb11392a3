//! Debian's kernels, out of its package archive, without installing them.
//!
//! In: a version out of [`KERNELS`]. Out: the path of its `vmlinuz`, cached under the target directory. The archive is
//! the one that this machine's own apt configuration names; a private apt directory leaves the machine's lists alone.
//! Refuses a machine without apt or without a Debian source, and a suite whose kernel has moved on to another version.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{self, CannotRunHere};
use crate::packages;
use crate::workspace::Workspace;

/// A kernel to test on, and where Debian keeps it.
pub(super) struct Kernel {
    pub(super) version: &'static str,
    suites: &'static [Suite],
}

enum Suite {
    Release(&'static str),
    Security(&'static str),
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

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The image of `kernel`, fetched unless an earlier call has left it.
pub(super) fn fetch(workspace: &Workspace, kernel: &Kernel) -> Result<PathBuf> {
    let directory = workspace.target().join("vm").join(kernel.version);
    let image = directory.join("vmlinuz");
    if image.exists() {
        return Ok(image);
    }
    let apt = directory.join("apt");
    let options = private_apt(&apt, kernel)?;
    let mut update = Command::new("apt-get");
    update.args(&options).args(["update", "-q"]);
    command::run(&format!("reading the package lists that have Linux {}", kernel.version), &mut update)?;
    let package = package_with_image(&options, kernel)?;
    let unpacked = directory.join("unpacked");
    packages::unpack(&package, &unpacked, &options)?;
    let found = find_image(&unpacked)?.with_context(|| format!("{package} holds no vmlinuz"))?;
    fs::rename(found, &image)?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_dir_all(&apt)?;
    Ok(image)
}

/// Lays out an apt directory of our own, and returns the options that make apt use it.
fn private_apt(directory: &Path, kernel: &Kernel) -> Result<Vec<String>> {
    for part in [
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
    ] {
        fs::create_dir_all(directory.join(part))?;
    }
    let status = directory.join("status");
    fs::write(&status, "")?;
    let archives = Archives::of_this_machine()?;
    let mut sources = String::new();
    for suite in kernel.suites {
        let (archive, name) = match suite {
            Suite::Release(name) => (&archives.main, name),
            Suite::Security(name) => (&archives.security, name),
        };
        sources.push_str(&format!("deb [signed-by={KEYRING}] {archive} {name} main\n"));
    }
    fs::write(directory.join("etc/apt/sources.list"), sources)?;
    Ok(vec![
        format!("-oDir={}", directory.display()),
        format!("-oDir::State::status={}", status.display()),
        "-oAPT::Sandbox::User=root".to_owned(),
        "-oAPT::Architecture=amd64".to_owned(),
        "-oAcquire::Languages=none".to_owned(),
        "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
    ])
}

/// Addresses of Debian's two archives.
struct Archives {
    main: String,
    security: String,
}

impl Archives {
    /// Asks apt which addresses this machine uses. Those of the machine's own suite are meant, whichever it is.
    fn of_this_machine() -> Result<Self> {
        if command::find_program("apt-get").is_none() {
            let message =
                "kernels come from Debian's package archive: run this on a Debian machine (no apt-get here)";
            return Err(CannotRunHere(message.to_owned()).into());
        }
        let mut targets = Command::new("apt-get");
        targets.args(["indextargets", "--no-release-info", "--format", "$(REPO_URI) $(RELEASE)"]);
        let listing = command::capture(targets.arg("Created-By: Packages"))?;
        Self::out_of(&listing)
            .with_context(|| format!("apt's sources name no Debian archive; they are:\n{listing}"))
    }

    fn out_of(listing: &str) -> Option<Self> {
        let sources = || listing.lines().filter_map(|line| line.split_once(' '));
        let is_debian = |address: &str| address.trim_end_matches('/').ends_with("/debian");
        let (main, _) = sources().find(|(address, _)| is_debian(address))?;
        let security =
            sources().find(|(_, suite)| suite.ends_with("-security") || suite.ends_with("/updates"));
        // Mirrors keep the security archive beside the main one; that is the guess where none is configured.
        let beside = || format!("{}-security/", main.trim_end_matches('/'));
        Some(Self {
            main: main.to_owned(),
            security: security.map_or_else(beside, |(address, _)| address.to_owned()),
        })
    }
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
    fn the_archives_are_those_that_apt_names() {
        let listing = "http://other.test/tools stable\nhttp://mirror.test/debian/ bookworm\n\
                       http://mirror.test/debian-security/ bookworm-security\n";
        let archives = Archives::out_of(listing).expect("a Debian machine");
        assert_eq!(archives.main, "http://mirror.test/debian/");
        assert_eq!(archives.security, "http://mirror.test/debian-security/");
    }

    #[test]
    fn the_security_archive_is_sought_beside_the_main_one() {
        let archives = Archives::out_of("http://mirror.test/debian sid\n").expect("a Debian machine");
        assert_eq!(archives.security, "http://mirror.test/debian-security/");
    }

    #[test]
    fn a_machine_without_a_debian_source_is_told_apart() {
        assert!(Archives::out_of("http://mirror.test/ubuntu noble\n").is_none());
    }

    #[test]
    fn a_version_matches_whole_numbers_only() {
        assert!(is_version("6.1.0-50-cloud-amd64", "6.1"));
        assert!(!is_version("6.12.107+deb13-cloud-amd64", "6.1"));
        assert!(is_version("7.2.13+deb14-cloud-amd64", "7"));
    }
}
