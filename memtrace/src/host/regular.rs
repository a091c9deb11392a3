//! Opens files whose paths others choose.
//!
//! In: a path that a target, or a file of its, named. Out: an open regular file. It refuses everything else: opening a
//! pipe waits for a writer for ever, and opening a device can do things. So the path is first opened without being
//! opened (`O_PATH`), looked at, and only then opened for reading, by its descriptor and not by its path again.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    path::Path,
};

use rustix::fs::{self as sys, CWD, FileType, Mode, OFlags, ResolveFlags};

/// Opens the regular file at `path`.
///
/// # Errors
/// When there is none.
pub fn open(path: &Path) -> io::Result<File> {
    reopen(&sys::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens the regular file at `path` under the directory `root`, as a process sees it whose root that is: links do not
/// lead out of it.
///
/// # Errors
/// When there is none.
pub fn open_in(root: &Path, path: &Path) -> io::Result<File> {
    let root = sys::openat(CWD, root, OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    reopen(&sys::openat2(root.as_fd(), path, flags, Mode::empty(), resolve)?)
}

fn reopen(place: &OwnedFd) -> io::Result<File> {
    if FileType::from_raw_mode(sys::fstat(place)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))
}

/// All bytes of a file, unless there are more than `bytes_max`; also when it grows meanwhile.
///
/// # Errors
/// When reading fails, or the file is too large.
pub fn bytes(mut file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    use std::io::Seek as _;
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    if length <= bytes_max {
        bytes.try_reserve_exact(length as usize)?;
        file.rewind()?;
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    }
    if length.max(bytes.len() as u64) > bytes_max {
        return Err(io::Error::other(format!("{length} bytes, more than the {bytes_max} that are read")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_pipe_and_a_device_are_refused_at_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let pipe = directory.path().join("pipe");
        sys::mkfifoat(CWD, &pipe, Mode::RUSR).expect("a pipe can be made");
        let link = directory.path().join("link");
        symlink("/dev/zero", &link).expect("a link can be made");
        for path in [&pipe, &link, &directory.path().to_owned()] {
            let error = open(path).expect_err("it is no regular file");
            assert!(error.to_string().contains("not a regular file"), "{path:?}: {error}");
        }
    }

    #[test]
    fn a_link_does_not_lead_out_of_a_root() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("inside"), "in").expect("it is writable");
        symlink("/inside", root.path().join("link")).expect("a link can be made");
        symlink("/etc/passwd", root.path().join("out")).expect("a link can be made");
        let file = open_in(root.path(), Path::new("/link")).expect("an absolute link stays inside");
        assert_eq!(bytes(&file, 2).expect("two bytes"), b"in");
        assert!(open_in(root.path(), Path::new("/out")).is_err());
        assert!(open_in(root.path(), Path::new("../../../etc/passwd")).is_err());
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_and_a_sparse_one_is_not_read_first() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(1 << 40).expect("it can be sparse");
        assert!(bytes(&file, 1 << 20).is_err());
        file.set_len(3).expect("it can be cut");
        assert_eq!(bytes(&file, 3).expect("three bytes"), [0; 3]);
        assert!(bytes(&file, 2).is_err());
    }
}
