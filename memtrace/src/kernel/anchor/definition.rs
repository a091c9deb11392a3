//! Uprobe events of tracefs: made and removed by writing lines to `uprobe_events`.
//!
//! In: a file, offsets, a name. Out: a [`Definition`], removed when dropped. It refuses paths that tracefs would read
//! otherwise: it splits its lines at blanks and takes what is behind the last colon for the offset. Invariant: every
//! event is in the group `memtrace_PID` of its process, so what a process that was killed has left is known by its name
//! ([`sweep`]). An event that is merely defined probes nothing.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use super::AnchorError;
use crate::{
    host::process,
    kernel::tracefs::{self, MOUNT_POINT},
};

/// What groups begin with.
const GROUP_PREFIX: &str = "memtrace_";

/// Events defined so far: their names are this process' own.
static DEFINED: AtomicU64 = AtomicU64::new(0);

/// An event.
#[derive(Debug)]
pub(super) struct Definition {
    /// Group and name, as `uprobe_events` has it.
    name: String,
    /// What `perf_event_open` knows it by.
    pub(super) id: u64,
}

impl Definition {
    /// Defines an event with a probe at each offset of a file.
    pub(super) fn new(
        name: &str,
        path: &Path,
        offsets: &[u64],
        is_return: bool,
    ) -> Result<Self, AnchorError> {
        let path = path.to_str().filter(|path| !path.contains(|character: char| character.is_whitespace()));
        let path = path.ok_or(AnchorError::Path)?;
        let number = DEFINED.fetch_add(1, Ordering::Relaxed);
        let mut definition = Self { name: format!("{}/e{number}_{name}", own_group()), id: 0 };
        let kind = if is_return { 'r' } else { 'p' };
        for offset in offsets {
            // A second probe of the same name joins the first one's event (5.5 on).
            command(&format!("{kind}:{} {path}:{offset:#x}", definition.name))?;
        }
        let id = fs::read_to_string(format!("{MOUNT_POINT}/events/{}/id", definition.name));
        let id = id.ok().and_then(|id| id.trim().parse().ok());
        definition.id = id.ok_or(AnchorError::NoId)?;
        Ok(definition)
    }
}

impl Drop for Definition {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes what processes that are gone have left. An event that is in use cannot be removed, so nobody is hurt if a
/// process is mistaken for gone.
///
/// # Errors
/// When tracefs cannot be had.
pub fn sweep() -> Result<usize, AnchorError> {
    tracefs::ensure_mounted()?;
    let text =
        fs::read_to_string(format!("{MOUNT_POINT}/uprobe_events")).map_err(AnchorError::NotWritable)?;
    let mut names: Vec<&str> = text.lines().filter_map(event_of_line).filter(|name| is_left(name)).collect();
    // An event with many probes has many lines.
    names.dedup();
    Ok(names.into_iter().filter(|name| remove(name)).count())
}

/// `p:memtrace_12/e0_free /proc/self/fd/9:0x98b93` is `memtrace_12/e0_free`.
fn event_of_line(line: &str) -> Option<&str> {
    let name = line.split_whitespace().next()?.split_once(':')?.1;
    name.starts_with(GROUP_PREFIX).then_some(name)
}

/// True for events of a process that is gone: no such process, one of another name that has taken its number, or
/// this one, which has not begun.
fn is_left(name: &str) -> bool {
    let group = name.split('/').next().unwrap_or(name);
    let Some(pid) = group.strip_prefix(GROUP_PREFIX).and_then(|pid| pid.parse::<u32>().ok()) else {
        return false;
    };
    let is_memtrace = process::comm(pid).is_some_and(|comm| comm.starts_with("memtrace"));
    pid == std::process::id() || !is_memtrace
}

fn own_group() -> String {
    format!("{GROUP_PREFIX}{}", std::process::id())
}

fn remove(name: &str) -> bool {
    let removed = command(&format!("-:{name}"));
    if let Err(error) = &removed {
        tracing::debug!("{name} stays defined: {error}");
    }
    removed.is_ok()
}

fn command(line: &str) -> Result<(), AnchorError> {
    // Not truncating: that would remove everybody's events.
    let file = OpenOptions::new().append(true).open(format!("{MOUNT_POINT}/uprobe_events"));
    let mut file = file.map_err(AnchorError::NotWritable)?;
    file.write_all(line.as_bytes()).map_err(|error| refused(line, error))
}

fn refused(line: &str, error: io::Error) -> AnchorError {
    AnchorError::Definition { line: line.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_events_of_memtraces_are_recognised() {
        assert_eq!(
            event_of_line("p:memtrace_12/e0_free /proc/self/fd/9:0x98b93"),
            Some("memtrace_12/e0_free")
        );
        for line in ["p:probes/x /bin/true:0x1", "", "p", "# comment", "memtrace_1/x"] {
            assert_eq!(event_of_line(line), None, "{line}");
        }
    }

    #[test]
    fn events_are_left_by_processes_that_are_no_memtrace() {
        // Pids end at 2^22 (PID_MAX_LIMIT); 1 is init.
        assert!(is_left("memtrace_4194304/e0_free"));
        assert!(is_left("memtrace_1/e0_free"));
        assert!(!is_left("memtrace_x/f0_free"));
    }

    #[test]
    fn a_path_with_blanks_is_refused_before_the_kernel_sees_it() {
        let refused = Definition::new("blank", Path::new("/tmp/a b"), &[1], false);
        assert!(matches!(refused, Err(AnchorError::Path)), "{refused:?}");
    }
}
