//! The first process of a virtual machine: mounts what memtrace reads, runs the checks, reports, and powers off.
//!
//! In: the initramfs that `cargo xtask vm` packs. Out: `VM-CHECK name: ok|failed` lines on the serial console, and
//! `VM-CHECK done` at the end. Invariant: the machine powers off whatever a check does; if this process dies, the
//! kernel panics and qemu ends.
#![expect(clippy::print_stdout, reason = "stdout is the serial console, which is where verdicts go")]

mod checks;
mod programs;

use std::fs;

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, mount};
use rustix::system::RebootCommand;

/// Filesystem type and mount point; the later ones lie on the earlier ones.
const MOUNTS: [(&str, &str); 5] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("tracefs", "/sys/kernel/tracing"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/tmp"),
];

fn main() -> Result<()> {
    mount_all()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    println!("vm-init: Linux {}", release.trim());
    for (name, check) in checks::CHECKS {
        println!("vm-init: {name}");
        match check() {
            Ok(()) => println!("VM-CHECK {name}: ok"),
            Err(error) => {
                println!("vm-init: {error:?}");
                println!("VM-CHECK {name}: failed");
            }
        }
    }
    println!("VM-CHECK done");
    rustix::system::reboot(RebootCommand::PowerOff).context("cannot power off")
}

fn mount_all() -> Result<()> {
    for (kind, place) in MOUNTS {
        mount(kind, place, kind, MountFlags::empty(), None)
            .with_context(|| format!("cannot mount {kind} at {place}"))?;
    }
    Ok(())
}
