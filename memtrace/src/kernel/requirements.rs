//! Whether memtrace can run at all, told before anything is tried: a clear sentence instead of the kernel's.
//!
//! In: the kernel's release, this process' capabilities and its pid namespace. Out: nothing, or why not. It refuses only what can never
//! work; what a kernel merely lacks is found by loading.

use super::LoadError;
use crate::host::capabilities::{Capabilities, Capability};

/// The oldest kernel that memtrace is made for and tested on. The ring buffer alone is in 5.8.
const OLDEST: (u32, u32) = (5, 10);

/// Without these nothing can be loaded or attached.
pub const REQUIRED: [Capability; 2] = [Capability::Bpf, Capability::Perfmon];

/// The initial pid namespace has this inode on every kernel (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Checks everything.
///
/// # Errors
/// When memtrace cannot trace here.
pub fn check() -> Result<(), LoadError> {
    check_loading()?;
    let namespace = pid_namespace();
    if namespace.is_some_and(|link| !is_initial(&link)) { Err(LoadError::PidNamespace) } else { Ok(()) }
}

/// Checks what loading needs.
///
/// # Errors
/// When the kernel is too old, or this process may not load BPF programs.
pub fn check_loading() -> Result<(), LoadError> {
    check_release(&release())?;
    Capabilities::effective().map_or(Ok(()), check_rights)
}

/// The pid namespace of this process as `/proc/self/ns/pid` names it; `None` when that cannot be read.
#[must_use]
pub fn pid_namespace() -> Option<String> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// True for the namespace in which pids are what BPF programs see.
#[must_use]
pub fn is_initial(namespace: &str) -> bool {
    namespace == INITIAL_PID_NAMESPACE
}

/// `uname -r`.
#[must_use]
pub fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Refuses a kernel that is too old. A release that is no version is let through: loading will tell.
///
/// # Errors
/// [`LoadError::Unsupported`].
pub fn check_release(release: &str) -> Result<(), LoadError> {
    match version(release) {
        Some(version) if version < OLDEST => {
            Err(LoadError::Unsupported(format!("Linux {release} is older than {}.{}", OLDEST.0, OLDEST.1)))
        }
        _ => Ok(()),
    }
}

/// Refuses a process that may not load BPF programs or attach probes.
///
/// # Errors
/// [`LoadError::NotPermitted`].
pub fn check_rights(capabilities: Capabilities) -> Result<(), LoadError> {
    let lacking = capabilities.lacking(&REQUIRED);
    if lacking.is_empty() {
        return Ok(());
    }
    Err(LoadError::NotPermitted(format!("it lacks {}", lacking.join(" and "))))
}

/// `6.18.5-cloud-amd64` is 6.18.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_before_5_10_is_refused_by_its_number() {
        for release in ["5.4.0-216-generic", "4.19.0", "5.9.16", "3.10.0-1160.el7.x86_64"] {
            let error = check_release(release).expect_err(release).to_string();
            assert!(error.contains(&format!("Linux {release} is older than 5.10")), "{error}");
            assert!(error.contains("Linux 5.10 or later"), "{error}");
        }
    }

    #[test]
    fn a_kernel_from_5_10_on_and_a_release_that_is_no_version_pass() {
        for release in ["5.10.0-32-amd64", "6.1", "6.18.44-fc-v657", "7.0.0-rc1+", "custom", ""] {
            assert!(check_release(release).is_ok(), "{release}");
        }
    }

    #[test]
    fn missing_rights_are_named_with_the_command_to_try() {
        let error = check_rights(Capabilities::from_bits(0)).expect_err("no rights at all").to_string();
        for part in ["CAP_BPF and CAP_PERFMON", "sudo memtrace", "PATH=$PATH"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(check_rights(Capabilities::from_bits(1 << 38 | 1 << 39)).is_ok());
        assert!(check_rights(Capabilities::from_bits(1 << 21)).is_ok());
    }
}
