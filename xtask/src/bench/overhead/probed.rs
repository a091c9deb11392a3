//! Whether a process has breakpoints in its code, whoever put them there, and which files it has loaded.
//!
//! A breakpoint makes the page that it is in anonymous, which `/proc/PID/smaps` shows; the kernel takes the page back
//! when the last breakpoint has gone. So the end of tracing can be seen without asking the tracer.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Longest wait for a tool to come or go.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the code has breakpoints, or none.
pub(super) fn wait_until_probed(pid: u32, is_wanted: bool) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if is_probed(&fs::read_to_string(format!("/proc/{pid}/smaps"))?) == is_wanted {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let state = if is_wanted { "no breakpoints" } else { "breakpoints left" };
    bail!("process {pid} has {state} after {PATIENCE:?}")
}

fn is_probed(smaps: &str) -> bool {
    let mut is_code = false;
    smaps.lines().any(|line| {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Anonymous:"), Some(kilobytes)) => is_code && kilobytes != "0",
            (Some(_), Some(rights)) if is_rights(rights) => {
                is_code =
                    rights.starts_with("r-xp") && words.nth(3).is_some_and(|path| path.starts_with('/'));
                false
            }
            _ => false,
        }
    })
}

fn is_rights(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| b"rwxsp-".contains(&byte))
}

/// The loaded file whose name begins as wanted, with the executable code of a process.
pub(super) fn file_of(pid: u32, is_wanted: impl Fn(&str) -> bool) -> Result<Option<String>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let paths =
        maps.lines().filter(|line| line.contains(" r-xp ")).filter_map(|line| line.split_whitespace().nth(5));
    let mut named = paths.filter(|path| is_wanted(path.rsplit('/').next().unwrap_or(path)));
    Ok(named.next().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "7f0000000000-7f0000100000 r-xp 00028000 fe:00 123   /usr/lib/libc.so.6\n";

    #[test]
    fn an_anonymous_page_of_code_is_a_breakpoint() {
        assert!(is_probed(&format!("{HEAD}Rss: 900 kB\nAnonymous: 4 kB\n")));
    }

    #[test]
    fn pages_of_data_and_of_no_file_are_none() {
        assert!(!is_probed(&format!("{HEAD}Anonymous:             0 kB\n")));
        assert!(!is_probed(&format!("{}Anonymous: 8 kB\n", HEAD.replace("r-xp", "rw-p"))));
        assert!(!is_probed("7f0000000000-7f0000100000 r-xp 00000000 00:00 0\nAnonymous: 8 kB\n"));
    }

    #[test]
    fn the_files_of_this_process_are_found() {
        let file = file_of(std::process::id(), |name| name.starts_with("libc.so")).expect("maps can be read");
        assert!(file.is_some_and(|path| path.starts_with('/')));
    }
}
