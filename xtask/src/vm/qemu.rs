//! One boot of one kernel, watched from outside.
//!
//! In: a kernel image and an initramfs. Out: the verdicts that `vm-init` printed on the serial console. Refuses to
//! wait for ever: the machine is killed at the time limit. The whole console is kept in a file.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::command;

/// Emulated machines are 10 to 30 times slower than this one, and CI's own machine is slow already.
const TIME_LIMIT: Duration = Duration::from_secs(240);

/// What one check in the machine came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) check: String,
    pub(super) passed: bool,
}

/// Boots `image`; the console goes to the file `log`.
pub(super) fn boot(image: &Path, initramfs: &Path, log: &Path) -> Result<Vec<Verdict>> {
    let mut qemu = Command::new("qemu-system-x86_64");
    // Emulation, not KVM: it works everywhere, also inside virtual machines. `-cpu max` makes 6.12 panic under it.
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", "1024"]);
    qemu.args(["-display", "none", "-serial", "stdio", "-monitor", "none", "-nic", "none", "-no-reboot"]);
    qemu.arg("-kernel").arg(image).arg("-initrd").arg(initramfs);
    qemu.args(["-append", "console=ttyS0 panic=-1 loglevel=4 mitigations=off"]);
    let line = command::shell_line(&qemu);
    let console = File::create(log)?;
    let started = Instant::now();
    let mut machine = qemu
        .stdin(Stdio::null())
        .stdout(console.try_clone()?)
        .stderr(console)
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    while machine.try_wait()?.is_none() {
        if started.elapsed() > TIME_LIMIT {
            machine.kill()?;
            machine.wait()?;
            bail!("not done after {} s; by hand:\n  {line}", TIME_LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
    let console = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    verdicts(&console)
        .with_context(|| format!("the machine stopped before its checks ended; by hand:\n  {line}"))
}

/// Reads `VM-CHECK name: ok|failed` lines; nothing without the line that ends them.
fn verdicts(console: &str) -> Option<Vec<Verdict>> {
    let reports = || console.lines().filter_map(|line| line.trim().strip_prefix("VM-CHECK "));
    reports().any(|report| report == "done").then(|| {
        let pairs = reports().filter_map(|report| report.split_once(": "));
        pairs.map(|(check, verdict)| Verdict { check: check.to_owned(), passed: verdict == "ok" }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_from_between_the_kernels_own_lines() {
        let console =
            "[    1.0] Linux\r\nVM-CHECK doctor: ok\r\nnoise\r\nVM-CHECK books: failed\r\nVM-CHECK done\r\n";
        let expected = [("doctor", true), ("books", false)];
        let expected = expected.map(|(check, passed)| Verdict { check: check.to_owned(), passed });
        assert_eq!(verdicts(console).expect("it ended"), expected);
    }

    #[test]
    fn a_machine_that_died_halfway_has_no_verdict() {
        assert_eq!(verdicts("VM-CHECK doctor: ok\r\nKernel panic\r\n"), None);
    }
}
