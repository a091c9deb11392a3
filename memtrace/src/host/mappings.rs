//! `/proc/PID/maps`: what is mapped where, reduced to files with executable parts.

use std::{fs, io, path::PathBuf};

/// A file-backed mapping (or the vDSO), as a line of the file has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// Executable.
    pub executable: bool,
    /// Offset in the file of `start`.
    pub file_offset: u64,
    /// Device and inode: the identity of the file, whatever it is called.
    pub file: FileId,
    /// As the kernel shows it, in the process' own mount namespace; `(deleted)` is cut off and marked.
    pub path: String,
    /// The file was deleted or replaced since it was mapped.
    pub deleted: bool,
}

/// Identity of a file: device (major, minor) and inode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct FileId {
    /// Major and minor number.
    pub device: (u32, u32),
    /// Inode.
    pub inode: u64,
}

/// All mappings of files in a process.
///
/// # Errors
/// When the process is gone or may not be looked at.
pub fn of_process(pid: u32) -> io::Result<Vec<Mapping>> {
    let text = fs::read(format!("/proc/{pid}/maps"))?;
    Ok(parse(&String::from_utf8_lossy(&text)))
}

/// The file that this process runs from. Not its path: a program that was replaced on disk still runs from the old file.
pub const OWN_FILE: &str = "/proc/self/exe";

/// The mapping of an address of this process' own code.
#[must_use]
pub fn own_mapping(address: usize) -> Option<Mapping> {
    let address = address as u64;
    let mappings = of_process(std::process::id()).ok()?;
    mappings.into_iter().find(|mapping| (mapping.start..mapping.end).contains(&address))
}

/// The file and the offset in it of an address of this process' own code.
#[must_use]
pub fn own_file_offset(address: usize) -> Option<(PathBuf, u64)> {
    let mapping = own_mapping(address)?;
    Some((PathBuf::from(OWN_FILE), address as u64 - mapping.start + mapping.file_offset))
}

fn parse(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_line).collect()
}

/// `start-end perms offset dev inode path`; the path may hold anything, blanks included. Lines without a file are
/// left out, except the vDSO.
fn parse_line(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut field = || {
        let trimmed = rest.trim_start_matches(' ');
        let (field, after) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
        rest = after;
        field
    };
    let (start, end) = field().split_once('-')?;
    let permissions = field();
    let file_offset = u64::from_str_radix(field(), 16).ok()?;
    let (major, minor) = field().split_once(':')?;
    let inode: u64 = field().parse().ok()?;
    let path = rest.trim_start_matches(' ');
    if inode == 0 && path != "[vdso]" {
        return None;
    }
    let (path, deleted) = path.strip_suffix(" (deleted)").map_or((path, false), |path| (path, true));
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        executable: permissions.as_bytes().get(2) == Some(&b'x'),
        file_offset,
        file: FileId {
            device: (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?),
            inode,
        },
        path: path.to_owned(),
        deleted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_range_rights_file_and_path() {
        let line =
            "7f0a1c028000-7f0a1c1bd000 r-xp 00026000 fe:01 393345                     /usr/lib/libc.so.6";
        let mapping = parse_line(line).expect("a file mapping");
        assert_eq!((mapping.start, mapping.end), (0x7f0a_1c02_8000, 0x7f0a_1c1b_d000));
        assert!(mapping.executable && !mapping.deleted);
        assert_eq!(mapping.file_offset, 0x26000);
        assert_eq!(mapping.file, FileId { device: (0xfe, 1), inode: 393_345 });
        assert_eq!(mapping.path, "/usr/lib/libc.so.6");
    }

    #[test]
    fn a_path_keeps_its_blanks_and_a_deleted_file_is_marked() {
        let line = "1000-2000 r--p 00000000 00:1f 7 /tmp/a b  c (deleted)";
        let mapping = parse_line(line).expect("a file mapping");
        assert_eq!(mapping.path, "/tmp/a b  c");
        assert!(mapping.deleted);
    }

    #[test]
    fn memory_without_a_file_is_left_out() {
        assert_eq!(parse("1000-2000 rw-p 00000000 00:00 0 [heap]\n2000-3000 rw-p 00000000 00:00 0 \n"), []);
    }

    #[test]
    fn garbage_is_left_out() {
        assert_eq!(parse("\n - \nzz-yy r-xp 0 0:0 1 /x\n1000-2000\n"), []);
    }

    #[test]
    fn an_address_of_this_program_is_found_in_its_file() {
        let (_, offset) = own_file_offset(parse as *const () as usize).expect("own code is mapped");
        assert!(offset > 0);
    }
}
