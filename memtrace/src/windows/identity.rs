//! Whether a process is still the one it was, and executes what it did.

use std::fs;

/// A process and its image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    /// When it began; another process with the same number began later.
    pub(super) start_ticks: u64,
    /// Where its first stack began, which is chosen anew, at random, by each exec.
    pub(super) start_stack: u64,
}

/// Of a process, as it is now; `None` when there is none.
pub(super) fn of(pid: u32) -> Option<Identity> {
    parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

/// Fields are counted from after the comm, which may hold blanks and parentheses (proc_pid_stat(5)).
fn parse(stat: &str) -> Option<Identity> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse().ok();
    Some(Identity { start_ticks: field(22)?, start_stack: field(28)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exec_changes_the_image_and_not_the_start() {
        use std::io::Read as _;
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "echo; read line; exec sleep 60"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("`sh` is there");
        shell.stdout.as_mut().expect("piped").read_exact(&mut [0]).expect("it says that it runs");
        let before = of(shell.id()).expect("it runs");
        assert_eq!(of(shell.id()), Some(before));
        drop(shell.stdin.take());
        let changed = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            of(shell.id()).is_some_and(|now| now.start_stack != before.start_stack)
        });
        let after = of(shell.id()).expect("it runs");
        shell.kill().and_then(|()| shell.wait()).expect("it is ours");
        assert!(changed);
        assert_eq!(after.start_ticks, before.start_ticks);
    }

    #[test]
    fn a_truncated_line_is_refused() {
        assert_eq!(parse("7 (a) S 1"), None);
        assert_eq!(parse(""), None);
    }
}
