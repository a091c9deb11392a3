//! Notices that a process has ended, by a pidfd: exact, at once, and of this process only, whatever becomes of its
//! pid.

use std::{io, os::fd::OwnedFd};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::mpsc::UnboundedSender,
};

/// Sends `target` when the process has ended.
///
/// # Errors
/// When there is no such process.
pub(super) fn watch(pid: u32, target: u32, exits: &UnboundedSender<u32>) -> io::Result<()> {
    let pid = Pid::from_raw(pid.cast_signed()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    let exits = exits.clone();
    tokio::spawn(async move {
        if let Err(error) = ended(descriptor).await {
            tracing::debug!("the end of a process cannot be waited for: {error}");
        }
        // The session may have ended.
        let _sent = exits.send(target);
    });
    Ok(())
}

async fn ended(descriptor: OwnedFd) -> io::Result<()> {
    // SAFETY: an `OwnedFd` gives the same open descriptor for as long as it lives, and it lives in the `AsyncFd`.
    let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
    descriptor.readable().await.map(|_guard| ())
}
