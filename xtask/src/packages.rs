//! Debian packages that a chore needs: installed with apt when something is missing, and said so.
//!
//! In: what is needed, each with the package that has it. Out: success once everything is there. Refuses to guess on
//! systems without apt: the error lists what is missing, by the names that Debian gives it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::{self, CannotRunHere};

/// Something that must be present, and the Debian package that brings it.
pub(crate) struct Need {
    pub(crate) package: &'static str,
    pub(crate) what_for: &'static str,
    pub(crate) present: fn() -> bool,
}

/// Installs the packages of those `needs` that are not met.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        command::announce(&format!("missing: {} ({})", need.package, need.what_for));
    }
    let names: Vec<&str> = missing.iter().map(|need| need.package).collect();
    install(&names)
}

/// Installs `packages`, refreshing apt's lists only when it does not know them or cannot fetch them as it knows them.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if command::find_program("apt-get").is_none() {
        let names = packages.join(" ");
        let message = format!("there is no apt-get here; install what Debian calls: {names}");
        return Err(CannotRunHere(message).into());
    }
    let why = format!("installing {}", packages.join(", "));
    with_fresh_lists(|| command::run(&why, &mut apt_get_install(packages)?))
}

/// Does what needs apt; if that fails, once more with fresh package lists. A new machine has none, an old one's name
/// files that the archive has dropped.
pub(crate) fn with_fresh_lists(step: impl Fn() -> Result<()>) -> Result<()> {
    let Err(first) = step() else { return Ok(()) };
    command::announce(&format!("{first:#}"));
    let mut update = command::as_root("apt-get")?;
    command::run("perhaps for want of fresh package lists: refreshing them", update.args(["update", "-q"]))?;
    step()
}

fn apt_get_install(packages: &[&str]) -> Result<Command> {
    let mut command = command::as_root("env")?;
    command.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
    ]);
    command.args(packages);
    Ok(command)
}

/// Fetches packages without installing them, and unpacks them at `directory`: for tools whose package would start a
/// service, and for what must not replace this machine's own. `apt_options` choose another apt configuration.
pub(crate) fn unpack(packages: &[&str], directory: &Path, apt_options: &[String]) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut download = Command::new("apt-get");
    // apt's own user may not write into a checkout.
    download.args(["-oAPT::Sandbox::User=root", "-q"]).args(apt_options).arg("download").args(packages);
    download.current_dir(directory);
    command::run(&format!("fetching {}", packages.join(", ")), &mut download)?;
    for entry in std::fs::read_dir(directory)? {
        let archive = entry?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            command::capture(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(directory))?;
            std::fs::remove_file(archive)?;
        }
    }
    Ok(())
}
