//! The `perf_event_open` system call, for the two kinds of event that windows need.
//!
//! In: ids. Out: descriptors that are the event: closing one ends it. It refuses to sample: nothing is ever written to
//! a perf buffer, events here run BPF programs or count.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use aya_obj::generated::{
    PERF_EVENT_IOC_SET_BPF, PERF_FLAG_FD_CLOEXEC, perf_event_attr, perf_sw_ids, perf_type_id,
};

/// An event of a tracepoint, on the process that a thread belongs to.
pub(super) fn open_tracepoint(id: u64, thread: u32) -> io::Result<OwnedFd> {
    open(perf_type_id::PERF_TYPE_TRACEPOINT as u32, id, thread)
}

/// A counter of the time that a thread has a processor, in nanoseconds.
pub(super) fn open_task_clock(thread: u32) -> io::Result<OwnedFd> {
    let clock = perf_sw_ids::PERF_COUNT_SW_TASK_CLOCK as u64;
    open(perf_type_id::PERF_TYPE_SOFTWARE as u32, clock, thread)
}

/// Has a BPF program run at an event's tracepoint: for all events of that tracepoint, while this one is open.
pub(super) fn set_program(event: &OwnedFd, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the request takes a descriptor as its argument, and both outlive the call.
    let result = unsafe {
        libc::ioctl(event.as_raw_fd(), libc::c_ulong::from(PERF_EVENT_IOC_SET_BPF), program.as_raw_fd())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads a counter.
pub(super) fn read_count(event: &OwnedFd) -> io::Result<u64> {
    let mut count = [0; 8];
    let read = rustix::io::read(event, &mut count)?;
    if read == count.len() {
        Ok(u64::from_ne_bytes(count))
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

/// Not inherited: children of the task have no part in it, and forks are not slowed.
fn open(kind: u32, config: u64, thread: u32) -> io::Result<OwnedFd> {
    // SAFETY: a struct of integers, for which zeros are a value.
    let mut attributes: perf_event_attr = unsafe { std::mem::zeroed() };
    attributes.type_ = kind;
    attributes.size = size_of::<perf_event_attr>() as u32;
    attributes.config = config;
    // SAFETY: `attributes` is a valid perf_event_attr of the size it says for the duration of the call; a larger one
    // than the kernel knows is accepted, for what it does not know is zero.
    let result = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            thread as libc::pid_t,
            -1,
            -1,
            libc::c_ulong::from(PERF_FLAG_FD_CLOEXEC),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the result is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_thread_counts_its_work() {
        let clock =
            open_task_clock(rustix::thread::gettid().as_raw_pid().cast_unsigned()).expect("own thread");
        let before = read_count(&clock).expect("open");
        let own_ns = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_nsec;
        let begun = own_ns();
        while (own_ns() - begun).rem_euclid(1_000_000_000) < 2_000_000 {
            std::hint::spin_loop();
        }
        assert!(read_count(&clock).expect("open") - before > 1_900_000);
    }

    #[test]
    fn a_thread_that_does_not_exist_is_an_error() {
        // Pids end at 2^22 (PID_MAX_LIMIT).
        assert!(open_task_clock(1 << 22).is_err());
    }
}
