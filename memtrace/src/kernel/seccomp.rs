//! Kernels on which a return probe kills processes with a seccomp filter.
//!
//! From 6.11 on a return probe ends in a system call of its own, `uretprobe`, which runs in the target's name. Filters
//! that do not know it refuse it, and the target dies by SIGSYS or SIGSEGV: programs in containers, sandboxes, system
//! services. The kernel lets it pass every filter since "seccomp: passthrough uretprobe systemcall without filtering",
//! 6.14, backported to 6.13.3 and 6.12.14.
//!
//! In: the kernel's release, a process. Out: whether return probes may be used. A process that sets its filter after it
//! was attached to is not noticed.

use std::fs;

/// Why return probes would kill this process; `None` when they are safe.
#[must_use]
pub fn objection(pid: u32) -> Option<String> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    if !blocks_return_probes(&release) || !has_filter(pid) {
        return None;
    }
    Some(format!(
        "it has a seccomp filter, and on Linux {release} return probes kill such processes; run Linux 6.12.14, 6.13.3 \
         or later"
    ))
}

/// True for 6.11 up to 6.12.13, and 6.13 up to 6.13.2. A release without its third number (`6.11.0-26-generic` has one
/// that says nothing, too) is taken for the first of its series.
fn blocks_return_probes(release: &str) -> bool {
    let numbers = release.split(|character: char| !character.is_ascii_digit());
    let mut numbers = numbers.map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    match (next(), next(), next()) {
        (6, 11, _) => true,
        (6, 12, patch) => patch < 14,
        (6, 13, patch) => patch < 3,
        _ => false,
    }
}

/// True when any thread has a filter, or the strict mode: a filter is a thread's, not always its process'. A process
/// that cannot be looked at is taken to have one.
fn has_filter(pid: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    tasks.filter_map(Result::ok).any(|task| {
        // A thread that has ended meanwhile has none.
        fs::read_to_string(task.path().join("status")).is_ok_and(|status| is_filtered(&status))
    })
}

fn is_filtered(status: &str) -> bool {
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_between_the_system_call_and_its_passthrough_are_affected() {
        for (release, is_affected) in [
            ("6.10.14", false),
            ("6.11.0-26-generic", true),
            ("6.11.11", true),
            ("6.12", true),
            ("6.12.13+bpo-amd64", true),
            ("6.12.14", false),
            ("6.12.41+deb13-amd64", false),
            ("6.13.0-rc3", true),
            ("6.13.2-arch1-1", true),
            ("6.13.3", false),
            ("6.14.0", false),
            ("6.18.44-fc-v657", false),
            ("5.10.0-32-amd64", false),
            ("7.0.0", false),
            ("custom", false),
        ] {
            assert_eq!(blocks_return_probes(release), is_affected, "{release}");
        }
    }

    #[test]
    fn the_mode_is_read_from_its_own_line() {
        assert!(!is_filtered("Name:\tx\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n"));
        assert!(is_filtered("Seccomp:\t2\nSeccomp_filters:\t3\n"));
        assert!(is_filtered("Seccomp:\t1\n"));
        assert!(!is_filtered(""), "a kernel without seccomp has no filters");
    }

    #[test]
    fn a_process_that_is_gone_is_not_attached_to() {
        // Pids end at 2^22 (PID_MAX_LIMIT).
        assert!(has_filter(1 << 22));
    }
}
