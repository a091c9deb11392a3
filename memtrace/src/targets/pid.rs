//! `--pid`: in, a number; out, whether it is a process that can be traced, and if not, what it is instead.

use std::{fs, io};

use thiserror::Error;

use crate::host::process;

/// Why a number is no target.
#[derive(Debug, Error)]
pub enum PidError {
    /// Nothing runs under it.
    #[error("no process {0}; see: ps -e")]
    Gone(u32),
    /// A thread, and not the first of its process.
    #[error("{thread} is a thread of process {process}; try: --pid {process}")]
    Thread {
        /// What was given.
        thread: u32,
        /// Whose it is.
        process: u32,
    },
    /// memtrace.
    #[error("{0} is memtrace itself, which never traces itself")]
    Itself(u32),
    /// No memory of its own.
    #[error("{0} is a kernel thread, which has no memory of its own to trace")]
    Kernel(u32),
    /// Another user's, or protected.
    #[error(
        "this process may not look into process {pid}: {error}\n  memtrace needs root, or CAP_SYS_PTRACE and \
         CAP_DAC_READ_SEARCH too. Try:\n    sudo memtrace --pid {pid}"
    )]
    NotPermitted {
        /// The process.
        pid: u32,
        /// The kernel's reason.
        error: io::Error,
    },
}

/// Checks that a number is a user process that runs.
///
/// # Errors
/// When it is not.
pub fn check(pid: u32) -> Result<(), PidError> {
    let stat = process::stat(pid).map_err(|_| PidError::Gone(pid))?;
    if !stat.is_alive() {
        return Err(PidError::Gone(pid));
    }
    match process::process_of(pid) {
        Some(owner) if owner != pid => return Err(PidError::Thread { thread: pid, process: owner }),
        _ if pid == std::process::id() => return Err(PidError::Itself(pid)),
        _ => {}
    }
    if process::is_kernel_thread(pid) { Err(PidError::Kernel(pid)) } else { Ok(()) }
}

/// Checks that this process may look into it. The executable's link tells: newer kernels show mappings to others.
///
/// # Errors
/// When it may not.
pub fn check_readable(pid: u32) -> Result<(), PidError> {
    match fs::read_link(format!("/proc/{}/exe", process::live_thread(pid))) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(PidError::NotPermitted { pid, error })
        }
        Err(_) => Err(PidError::Gone(pid)),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memtrace_itself_and_nobody_are_told_apart() {
        let pid = std::process::id();
        assert!(matches!(check(pid), Err(PidError::Itself(itself)) if itself == pid));
        assert!(matches!(check(4_194_305), Err(PidError::Gone(_))));
    }

    #[test]
    fn a_thread_is_named_with_its_process() {
        let (send, receive) = std::sync::mpsc::channel();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            send.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned())
                .expect("it is awaited");
            finished.recv().expect_err("the test drops its end");
        });
        let tid = receive.recv().expect("the thread says its number");
        let error = check(tid).expect_err("a thread is no process");
        drop(finish);
        thread.join().expect("the thread ends");
        let process = std::process::id();
        assert!(
            matches!(error, PidError::Thread { thread, process: owner } if thread == tid && owner == process)
        );
        assert!(error.to_string().contains(&format!("--pid {process}")), "{error}");
    }

    #[test]
    fn a_process_of_this_user_is_readable() {
        assert!(check_readable(std::process::id()).is_ok());
    }
}
