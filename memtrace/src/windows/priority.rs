//! The conductor's priority: a window that closes late costs its target.

/// The lowest real-time priority: before every ordinary thread, after all that asked for more.
const REAL_TIME_PRIORITY: i32 = 1;
/// Where real time is not permitted: the strongest of ordinary priorities.
const NICE: i32 = -20;

/// Raises the calling thread's priority among ordinary ones, as far as it is permitted: a target that is armed waits for
/// it, and it does little otherwise. Real time it must not have: with every call recorded it can work without a pause.
pub fn prefer() {
    // A thread's nice value is its own on Linux (setpriority(2), C library/kernel differences); 0 is the caller.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!("a thread's priority stays as it is: {error}");
    }
}

/// Raises the calling thread's priority, as far as it is permitted.
pub(super) fn raise() {
    // Not for the threads that it starts: those only wait.
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    let parameters = libc::sched_param { sched_priority: REAL_TIME_PRIORITY };
    // SAFETY: the call reads a live local; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result == 0 {
        return;
    }
    prefer();
}
