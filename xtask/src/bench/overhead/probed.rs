//! Whether a process has breakpoints in its code, whoever put them there, and which files it has loaded.
//!
//! A breakpoint makes the page that it is in anonymous, which `/proc/PID/smaps` shows, and unlike the file, which
//! `/proc/PID/mem` shows. When the last has gone the kernel may leave the page anonymous, but not different. So the end
//! of tracing can be seen without asking the tracer.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::str::SplitWhitespace;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Longest wait for a tool to come or go.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the code has breakpoints, or none.
pub(super) fn wait_until_probed(pid: u32, is_wanted: bool) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if is_probed(pid)? == is_wanted {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let state = if is_wanted { "no breakpoints" } else { "breakpoints left" };
    bail!("process {pid} has {state} after {PATIENCE:?}")
}

fn is_probed(pid: u32) -> Result<bool> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    for code in private_code(&fs::read_to_string(format!("/proc/{pid}/smaps"))?) {
        let mut loaded = vec![0; code.length];
        memory.read_exact_at(&mut loaded, code.address)?;
        let mut of_file = vec![0; code.length];
        // Of a mapping that goes beyond its file's end the rest is zero in both.
        let _length = File::open(&code.path)?.read_at(&mut of_file, code.offset)?;
        if loaded != of_file {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A mapping of a file's code of which some pages are no longer the file's own.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Code {
    address: u64,
    length: usize,
    offset: u64,
    path: String,
}

fn private_code(smaps: &str) -> Vec<Code> {
    let mut code = None;
    let mut found = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Anonymous:"), Some(kilobytes)) if kilobytes != "0" => found.extend(code.take()),
            (Some(range), Some(rights)) if is_rights(rights) => {
                code = rights.starts_with("r-xp").then(|| mapping(range, words)).flatten();
            }
            _ => {}
        }
    }
    found
}

/// Out of the rest of a line: offset, device, inode, path. Nothing when there is no file.
fn mapping(range: &str, mut rest: SplitWhitespace<'_>) -> Option<Code> {
    let (start, end) = range.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let offset = u64::from_str_radix(rest.next()?, 16).ok()?;
    let path = rest.nth(2).filter(|path| path.starts_with('/'))?.to_owned();
    Some(Code { address: start, length: end.checked_sub(start)? as usize, offset, path })
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
    fn code_with_an_anonymous_page_is_looked_at() {
        let code = Code {
            address: 0x7f00_0000_0000,
            length: 0x10_0000,
            offset: 0x28000,
            path: "/usr/lib/libc.so.6".to_owned(),
        };
        assert_eq!(private_code(&format!("{HEAD}Rss: 900 kB\nAnonymous: 4 kB\n")), [code]);
    }

    #[test]
    fn pages_of_data_and_of_no_file_are_not() {
        assert!(private_code(&format!("{HEAD}Anonymous:             0 kB\n")).is_empty());
        assert!(private_code(&format!("{}Anonymous: 8 kB\n", HEAD.replace("r-xp", "rw-p"))).is_empty());
        assert!(
            private_code("7f0000000000-7f0000100000 r-xp 00000000 00:00 0\nAnonymous: 8 kB\n").is_empty()
        );
    }

    #[test]
    fn this_process_has_no_breakpoints() {
        assert!(!is_probed(std::process::id()).expect("its own memory can be read"));
    }

    #[test]
    fn the_files_of_this_process_are_found() {
        let file = file_of(std::process::id(), |name| name.starts_with("libc.so")).expect("maps can be read");
        assert!(file.is_some_and(|path| path.starts_with('/')));
    }
}
