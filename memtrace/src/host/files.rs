//! The files that a process maps, opened whatever their path means here: in a container's own mount namespace,
//! deleted, or replaced on disk.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{
    mappings::{FileId, Mapping},
    regular,
};

/// An open file of a target. Holding it keeps the inode, and so probes and symbols, whatever happens to the path.
#[derive(Debug)]
pub struct MappedFile {
    file: File,
    /// The kernel's identity of the file, as `/proc/PID/maps` shows it.
    pub id: FileId,
    /// As the process knows it.
    pub path: String,
}

impl MappedFile {
    /// Opens the file behind a mapping: through the mapping itself, or through the process' root directory.
    ///
    /// # Errors
    /// When neither way works: the process is gone, or this one may not look.
    pub fn open(pid: u32, mapping: &Mapping) -> io::Result<Self> {
        let through_mapping = format!("/proc/{pid}/map_files/{:x}-{:x}", mapping.start, mapping.end);
        let file = regular::open(Path::new(&through_mapping))
            .or_else(|error| if mapping.deleted { Err(error) } else { open_by_path(pid, &mapping.path) })?;
        Ok(Self { file, id: mapping.file, path: mapping.path.clone() })
    }

    /// Opens a file by its path in a process' root directory.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open_in_root(pid: u32, path: &str) -> io::Result<Self> {
        let file = open_by_path(pid, path)?;
        let metadata = file.metadata()?;
        let device = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
        Ok(Self { file, id: FileId { device, inode: metadata.ino() }, path: path.to_owned() })
    }

    /// A path that names this very file in this process for as long as it is held, for the kernel to attach to.
    #[must_use]
    pub fn own_path(&self) -> PathBuf {
        use std::os::fd::AsRawFd as _;
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// All of its bytes, unless there are more than `bytes_max`.
    ///
    /// # Errors
    /// When reading fails, or the file is too large.
    pub fn bytes(&self, bytes_max: u64) -> io::Result<Vec<u8>> {
        regular::bytes(&self.file, bytes_max)
    }
}

fn open_by_path(pid: u32, path: &str) -> io::Result<File> {
    regular::open_in(&path_in_root(pid, "/"), Path::new(path))
}

/// A path in a process' own root directory, as seen from here.
#[must_use]
pub fn path_in_root(pid: u32, path: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join("root").join(path.trim_start_matches('/'))
}
