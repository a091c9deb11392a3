//! Debian's package archive, any release of it, without touching this machine's own package lists.
//!
//! In: suites, and a directory to keep lists in. Out: the options that make apt's programs use them. The archive is the
//! one that this machine's own apt configuration names. Refuses a machine without apt or without a Debian source.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::{self, CannotRunHere};

/// A part of the archive.
pub(crate) enum Suite {
    Release(&'static str),
    Security(&'static str),
}

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Lays out an apt directory of our own, reads the lists of `suites` into it, and returns the options that make apt
/// use it. `what` says what they are read for.
pub(crate) fn private_apt(directory: &Path, suites: &[Suite], what: &str) -> Result<Vec<String>> {
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
    for suite in suites {
        let (archive, name) = match suite {
            Suite::Release(name) => (&archives.main, name),
            Suite::Security(name) => (&archives.security, name),
        };
        sources.push_str(&format!("deb [signed-by={KEYRING}] {archive} {name} main\n"));
    }
    fs::write(directory.join("etc/apt/sources.list"), sources)?;
    let options = vec![
        format!("-oDir={}", directory.display()),
        format!("-oDir::State::status={}", status.display()),
        "-oAPT::Sandbox::User=root".to_owned(),
        "-oAPT::Architecture=amd64".to_owned(),
        "-oAcquire::Languages=none".to_owned(),
        "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
    ];
    let mut update = Command::new("apt-get");
    update.args(&options).args(["update", "-q"]);
    command::run(&format!("reading the package lists that have {what}"), &mut update)?;
    Ok(options)
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
            let message = "this needs Debian's package archive: run it on a Debian machine (no apt-get here)";
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
}
