//! Who a process is.

/// What is known of a process besides its memory. Identity is (`pid`, `start_time_ticks`): pids are reused.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProcessInfo {
    /// Process id in the root pid namespace.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks after boot.
    pub start_time_ticks: u64,
    /// The main thread's comm.
    pub comm: String,
    /// The command line, empty for a kernel thread.
    pub cmdline: Vec<String>,
    /// Path of the executable, as `/proc/PID/exe` has it.
    pub exe: Option<String>,
}

/// Whether a process still runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcessState {
    /// It runs.
    Running,
    /// It has exited; these are its final figures.
    Exited,
}
