//! The lifecycle tracepoints' ids and field offsets come from tracefs, which is usually mounted and sometimes not.

use std::{fs, io, path::Path};

use rustix::mount::{MountFlags, mount};
use thiserror::Error;

/// The conventional place.
pub(super) const MOUNT_POINT: &str = "/sys/kernel/tracing";

/// Attached at load: category and name; the program has the tracepoint's name.
pub const LIFECYCLE: [(&str, &str); 4] = [
    ("task", "task_newtask"),
    ("sched", "sched_process_exec"),
    ("sched", "sched_process_exit"),
    ("task", "task_rename"),
];

/// Why tracepoints cannot be used.
#[derive(Debug, Error)]
pub enum TracefsError {
    /// tracefs is not there and cannot be mounted.
    #[error("tracefs is not mounted ({0}); try: mount -t tracefs tracefs {MOUNT_POINT}")]
    NotMounted(io::Error),
    /// It is there, for root.
    #[error(
        "tracefs at {MOUNT_POINT} cannot be read ({0}); run memtrace as root, or with CAP_DAC_READ_SEARCH"
    )]
    NotReadable(io::Error),
    /// A format file is missing or has another form.
    #[error("{MOUNT_POINT}/events/{event}/format has no field {field}")]
    NoField {
        /// Category and name.
        event: &'static str,
        /// The field that was looked for.
        field: &'static str,
    },
}

/// Offsets of the fields that the BPF programs read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LifecycleOffsets {
    /// `task_newtask`: `pid`.
    pub newtask_pid: u16,
    /// `task_newtask`: `clone_flags`.
    pub newtask_flags: u16,
    /// `task_rename`: `pid`.
    pub rename_pid: u16,
    /// `sched_process_exec`: `old_pid`.
    pub exec_old_pid: u16,
}

/// Mounts tracefs if need be and reads the offsets.
///
/// # Errors
/// When tracefs cannot be had, or a field is missing.
pub fn lifecycle_offsets() -> Result<LifecycleOffsets, TracefsError> {
    ensure_mounted()?;
    let offset = |event: &'static str, field: &'static str| {
        let format = fs::read_to_string(format!("{MOUNT_POINT}/events/{event}/format")).unwrap_or_default();
        field_offset(&format, field).ok_or(TracefsError::NoField { event, field })
    };
    Ok(LifecycleOffsets {
        newtask_pid: offset("task/task_newtask", "pid")?,
        newtask_flags: offset("task/task_newtask", "clone_flags")?,
        rename_pid: rename_offset(offset)?,
        exec_old_pid: offset("sched/sched_process_exec", "old_pid")?,
    })
}

/// `task_rename` lost its `pid` field in 6.15, which the common header of every event has instead.
fn rename_offset(
    offset: impl Fn(&'static str, &'static str) -> Result<u16, TracefsError>,
) -> Result<u16, TracefsError> {
    offset("task/task_rename", "pid").or_else(|_| offset("task/task_rename", "common_pid"))
}

/// Mounts tracefs if need be.
pub(super) fn ensure_mounted() -> Result<(), TracefsError> {
    match fs::metadata(Path::new(MOUNT_POINT).join("events")) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(TracefsError::NotReadable(error));
        }
        Err(_) => {}
    }
    mount("tracefs", MOUNT_POINT, "tracefs", MountFlags::empty(), None)
        .map_err(|error| TracefsError::NotMounted(error.into()))?;
    tracing::info!("mounted tracefs at {MOUNT_POINT}");
    Ok(())
}

/// Finds `field:... NAME;\toffset:N;` in a format file.
fn field_offset(format: &str, field: &str) -> Option<u16> {
    let line = format.lines().find(|line| {
        let declaration = line.trim().strip_prefix("field:").and_then(|rest| rest.split(';').next());
        let name = declaration.and_then(|declaration| declaration.split_whitespace().next_back());
        name.is_some_and(|name| name.split('[').next() == Some(field))
    })?;
    let offset = line.split("offset:").nth(1)?.split(';').next()?;
    offset.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::field_offset;

    const FORMAT: &str = "name: task_newtask\nID: 122\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n\tfield:u64 clone_flags;\toffset:32;\tsize:8;\tsigned:0;\n";

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(field_offset(FORMAT, "pid"), Some(8));
        assert_eq!(field_offset(FORMAT, "common_pid"), Some(4));
        assert_eq!(field_offset(FORMAT, "clone_flags"), Some(32));
    }

    #[test]
    fn an_array_is_found_without_its_length() {
        assert_eq!(field_offset(FORMAT, "comm"), Some(12));
    }

    #[test]
    fn a_missing_field_is_not_invented() {
        assert_eq!(field_offset(FORMAT, "flags"), None);
        assert_eq!(field_offset("", "pid"), None);
    }
}
