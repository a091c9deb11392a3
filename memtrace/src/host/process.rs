//! What `/proc/PID` says of a process.

use std::{
    fs,
    io::{self, Read as _},
};

use memtrace_core::model::ProcessInfo;

/// From `include/linux/sched.h`.
const PF_KTHREAD: u64 = 0x0020_0000;
/// Bytes kept of a process' arguments: they are in every report.
const CMDLINE_BYTES: usize = 16 * 1024;

/// A line of `/proc/PID/stat`, as far as it is needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stat {
    /// The main thread's comm.
    pub comm: String,
    /// `R`, `S`, `D`, `Z`, ...
    pub state: char,
    /// `PF_*`, include/linux/sched.h.
    pub flags: u64,
    /// Threads alive.
    pub threads: u64,
    /// Clock ticks after boot.
    pub start_time_ticks: u64,
    /// Resident pages.
    pub rss_pages: u64,
}

impl Stat {
    /// False for a process whose memory is gone: it only waits to be reaped.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        !matches!(self.state, 'X' | 'x') && (self.state != 'Z' || self.threads > 1)
    }
}

/// Reads `/proc/PID/stat`.
///
/// # Errors
/// When the process does not exist.
pub fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat"))?;
    parse_stat(&String::from_utf8_lossy(&text))
        .ok_or_else(|| io::Error::other("unexpected form of /proc/PID/stat"))
}

/// Fields are counted from after the comm, which may hold blanks and parentheses (proc_pid_stat(5)).
fn parse_stat(text: &str) -> Option<Stat> {
    let comm_start = text.find('(')? + 1;
    let comm_end = text.rfind(')')?;
    let fields: Vec<&str> = text.get(comm_end + 1..)?.split_whitespace().collect();
    // `state` is field 3, the first here.
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        comm: text.get(comm_start..comm_end)?.to_owned(),
        state: field(3)?.chars().next()?,
        flags: field(9)?.parse().ok()?,
        threads: field(20)?.parse().ok()?,
        start_time_ticks: field(22)?.parse().ok()?,
        rss_pages: field(24)?.parse().unwrap_or(0),
    })
}

/// The process as it is now.
///
/// # Errors
/// When it does not exist.
pub fn info(pid: u32) -> io::Result<ProcessInfo> {
    let stat = stat(pid)?;
    let thread = live_thread(pid);
    let cmdline = cmdline(thread);
    let words = cmdline.strip_suffix(b"\0").unwrap_or(&cmdline).split(|byte| *byte == 0);
    Ok(ProcessInfo {
        pid,
        start_time_ticks: stat.start_time_ticks,
        comm: stat.comm,
        cmdline: if cmdline.is_empty() {
            Vec::new()
        } else {
            words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
        },
        exe: fs::read_link(format!("/proc/{thread}/exe"))
            .ok()
            .map(|path| path.to_string_lossy().into_owned()),
    })
}

/// The arguments, each ended by a zero byte. The kernel allows megabytes of them: what is too long ends in `...`.
fn cmdline(pid: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/cmdline"));
    // Of a process that is gone, as much as was read.
    let _gone = file.and_then(|file| file.take(CMDLINE_BYTES as u64 + 1).read_to_end(&mut bytes));
    if bytes.len() > CMDLINE_BYTES {
        bytes.truncate(CMDLINE_BYTES);
        bytes.extend_from_slice(b"...\0");
    }
    bytes
}

/// Resident set size.
#[must_use]
pub fn rss_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{}/statm", live_thread(pid))).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The thread by which the kernel shows a process' memory, mappings and executable: the first, or, when that has ended
/// before the others (`pthread_exit` in main), the oldest that lives.
#[must_use]
pub fn live_thread(pid: u32) -> u32 {
    if !stat(pid).is_ok_and(|stat| stat.state == 'Z' && stat.is_alive()) {
        return pid;
    }
    let lives = |thread: &u32| stat(*thread).is_ok_and(|stat| !matches!(stat.state, 'Z' | 'X' | 'x'));
    numbered(&format!("/proc/{pid}/task")).into_iter().filter(lives).min().unwrap_or(pid)
}

/// True for a thread of the kernel.
#[must_use]
pub fn is_kernel_thread(pid: u32) -> bool {
    stat(pid).is_ok_and(|stat| stat.flags & PF_KTHREAD != 0)
}

/// True for a process that has memory of its own: it has not ended and is no thread of the kernel.
#[must_use]
pub fn has_memory(pid: u32) -> bool {
    stat(pid).is_ok_and(|stat| stat.is_alive() && stat.flags & PF_KTHREAD == 0)
}

/// The pids of all processes.
#[must_use]
pub fn all() -> Vec<u32> {
    numbered("/proc")
}

fn numbered(directory: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The main thread's comm.
#[must_use]
pub fn comm(pid: u32) -> Option<String> {
    let text = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(text.strip_suffix(b"\n").unwrap_or(&text)).into_owned())
}

/// Private writable mappings of a process, in bytes: its heap is among them.
#[must_use]
pub fn data_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{}/status", live_thread(pid))).ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmData:"))?;
    let kilobytes: u64 = kilobytes.trim().strip_suffix(" kB")?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The process that a task belongs to.
#[must_use]
pub fn process_of(task: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{task}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// User and system time of this process, in seconds.
#[must_use]
pub fn own_cpu_seconds() -> f64 {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    usage.tv_sec as f64 + usage.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comm_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let line =
            "7 (a) b (c) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 12345 1000 42 18446744073709551615";
        let stat = parse_stat(line).expect("well formed");
        assert_eq!(stat.comm, "a) b (c");
        assert_eq!((stat.state, stat.threads, stat.start_time_ticks, stat.rss_pages), ('S', 3, 12345, 42));
        assert_eq!(stat.flags, 4_194_304);
    }

    #[test]
    fn a_zombie_leader_with_live_threads_is_alive() {
        let zombie = |threads| Stat {
            comm: String::new(),
            state: 'Z',
            flags: 0,
            threads,
            start_time_ticks: 0,
            rss_pages: 0,
        };
        assert!(zombie(2).is_alive());
        assert!(!zombie(1).is_alive());
    }

    #[test]
    fn a_truncated_line_is_refused() {
        assert_eq!(parse_stat("7 (a) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn arguments_without_end_are_cut_and_say_so() {
        let mut child = std::process::Command::new("sleep")
            .args(["10", "0"])
            .args(std::iter::repeat_n("0", 20_000))
            .spawn()
            .expect("`sleep` is there");
        // The parent of a vfork goes on before the kernel has put the arguments in place (`exec_mmap`, fs/exec.c).
        let looks = std::iter::repeat_with(|| info(child.id()).expect("it runs").cmdline);
        let mut looks = looks.inspect(|_| std::thread::sleep(std::time::Duration::from_millis(1)));
        let cmdline =
            looks.by_ref().take(10_000).find(|cmdline| !cmdline.is_empty()).expect("it has arguments");
        child.kill().and_then(|()| child.wait()).expect("it is ours");
        assert_eq!((cmdline[1].as_str(), cmdline[2].as_str()), ("10", "0"));
        assert!(cmdline.len() < 10_000 && cmdline.last().is_some_and(|last| last.ends_with("...")));
    }

    #[test]
    fn this_process_is_found_in_proc() {
        let pid = std::process::id();
        assert!(all().contains(&pid));
        assert_eq!(info(pid).expect("it exists").pid, pid);
        assert!(rss_bytes(pid).is_some_and(|bytes| bytes > 4096));
        assert_eq!(process_of(pid), Some(pid));
    }
}
