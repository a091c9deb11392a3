//! Where a file's separate debug file may be, and whether a file found there belongs to it.
//!
//! In: a file and its path. Out: paths to try, best first. It refuses a debug link that is more than a file name,
//! because the link is as hostile as the file. Invariant: only equal build ids make two files belong together.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::elf::Elf;

/// Where distributions put debug files.
const DEBUG_ROOT: &str = "/usr/lib/debug";

/// A build id is a hash of at most this length; SHA-1, 20 bytes, is what linkers use.
const BUILD_ID_BYTES_MAX: usize = 64;

/// Why a debug file was not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DebugMismatch {
    /// One of them has no build id.
    #[error("no build id says whether the debug file belongs to this file; link with --build-id")]
    NoBuildId,
    /// They differ.
    #[error("the debug file is of another build; install the one of the same package version")]
    OtherBuild,
}

impl DebugMismatch {
    pub(super) fn check(file: Option<&[u8]>, debug: Option<&[u8]>) -> Result<(), Self> {
        match (file, debug) {
            (Some(file), Some(debug)) if file == debug => Ok(()),
            (Some(_), Some(_)) => Err(Self::OtherBuild),
            _ => Err(Self::NoBuildId),
        }
    }
}

/// The paths at which the debug file of the file at `path` may be, in the order that gdb tries them.
#[must_use]
pub fn candidates(elf: &Elf<'_>, path: &Path) -> Vec<PathBuf> {
    let by_build_id = elf.build_id().and_then(build_id_path);
    let by_link = debug_link(elf).into_iter().flat_map(|name| link_paths(name, path));
    by_build_id.into_iter().chain(by_link).collect()
}

/// `/usr/lib/debug/.build-id/ab/cdef....debug`
fn build_id_path(id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = id.split_first().filter(|(_, rest)| !rest.is_empty())?;
    if id.len() > BUILD_ID_BYTES_MAX {
        return None;
    }
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(PathBuf::from(format!("{DEBUG_ROOT}/.build-id/{first:02x}/{rest}.debug")))
}

/// The file name in `.gnu_debuglink`: a name, a zero byte, and a checksum that build ids have replaced.
fn debug_link<'data>(elf: &Elf<'data>) -> Option<&'data [u8]> {
    let section = elf.section_bytes(b".gnu_debuglink")?;
    let name = section.split(|byte| *byte == 0).next()?;
    let is_plain = !name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..";
    is_plain.then_some(name)
}

fn link_paths(name: &[u8], path: &Path) -> Vec<PathBuf> {
    let name = OsStr::from_bytes(name);
    let Some(directory) = path.parent() else { return Vec::new() };
    let under_root = Path::new(DEBUG_ROOT).join(directory.strip_prefix("/").unwrap_or(directory));
    [directory.to_owned(), directory.join(".debug"), under_root]
        .into_iter()
        .map(|directory| directory.join(name))
        // `libc.so.6` may be linked to itself by name.
        .filter(|candidate| candidate != path)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_names_one_path() {
        assert_eq!(
            build_id_path(&[0xab, 0x01, 0xff]),
            Some(PathBuf::from("/usr/lib/debug/.build-id/ab/01ff.debug"))
        );
        assert_eq!(build_id_path(&[0xab]), None);
        assert_eq!(build_id_path(&[0; 65]), None);
    }

    #[test]
    fn a_link_is_looked_for_beside_the_file_first() {
        assert_eq!(
            link_paths(b"libc.debug", Path::new("/usr/lib/libc.so.6")),
            [
                PathBuf::from("/usr/lib/libc.debug"),
                PathBuf::from("/usr/lib/.debug/libc.debug"),
                PathBuf::from("/usr/lib/debug/usr/lib/libc.debug"),
            ]
        );
    }

    #[test]
    fn only_equal_build_ids_belong_together() {
        assert_eq!(DebugMismatch::check(Some(b"ab"), Some(b"ab")), Ok(()));
        assert_eq!(DebugMismatch::check(Some(b"ab"), Some(b"ac")), Err(DebugMismatch::OtherBuild));
        assert_eq!(DebugMismatch::check(None, Some(b"ab")), Err(DebugMismatch::NoBuildId));
        assert_eq!(DebugMismatch::check(None, None), Err(DebugMismatch::NoBuildId));
    }
}
