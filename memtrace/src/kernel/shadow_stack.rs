//! Kernels on which a return probe kills processes with a shadow stack.
//!
//! The processor compares each return address with its copy on the shadow stack, and a return probe replaces it. The
//! kernel updates the copy since "x86/shstk: Make return uprobe work with shadow stack" (6.11); user-space shadow stacks
//! exist since 6.6. In between, the first probed return ends the process with a control-protection fault.
//!
//! In: the kernel's release, a process. Out: whether return probes may be used.

use std::fs;

/// Why return probes would kill this process; `None` when they are safe.
#[must_use]
pub fn objection(pid: u32) -> Option<String> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    if !breaks_shadow_stacks(&release) || !has_shadow_stack(pid) {
        return None;
    }
    Some(format!(
        "it has a shadow stack, and on Linux {release} return probes kill such processes; run Linux 6.11 or later"
    ))
}

/// True for 6.6 up to 6.10.
fn breaks_shadow_stacks(release: &str) -> bool {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
    let version = (next(), next());
    ((6, 6)..(6, 11)).contains(&version)
}

/// A shadow stack is a thread's. A thread that has ended meanwhile has none.
fn has_shadow_stack(pid: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    tasks
        .filter_map(Result::ok)
        .any(|task| fs::read_to_string(task.path().join("status")).is_ok_and(|status| is_shadowed(&status)))
}

/// `x86_Thread_features: shstk wrss` (arch/x86/kernel/proc.c).
fn is_shadowed(status: &str) -> bool {
    let features = status.lines().find_map(|line| line.strip_prefix("x86_Thread_features:"));
    features.is_some_and(|features| features.split_whitespace().any(|feature| feature == "shstk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_between_shadow_stacks_and_return_probes_that_know_them_are_affected() {
        for (release, is_affected) in [
            ("6.5.13", false),
            ("6.6.0", true),
            ("6.10.14", true),
            ("6.11.0-26-generic", false),
            ("6.18.44", false),
            ("7.2.0", false),
            ("5.10.0-32-amd64", false),
        ] {
            assert_eq!(breaks_shadow_stacks(release), is_affected, "{release}");
        }
    }

    #[test]
    fn the_feature_is_read_from_its_own_line() {
        assert!(is_shadowed("Name:\tx\nx86_Thread_features:\tshstk wrss \n"));
        assert!(!is_shadowed("x86_Thread_features:\t\nx86_Thread_features_locked:\tshstk\n"));
        assert!(!is_shadowed("Name:\tshstk\n"));
    }
}
