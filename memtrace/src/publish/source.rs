//! What the symbolizer may read of a file.
//!
//! In: an open file of a target. Out: the path for blazesym, and whether it may follow the file's links to debug files.
//! blazesym opens what a debug link names beside the file, whatever that is: a pipe would stop the publishing thread
//! for ever. So links are followed only where root alone can put files.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use blazesym::symbolize::source::Elf;

use object::{
    Endianness,
    elf::FileHeader64,
    read::{ReadCache, elf::FileHeader as _},
};

use crate::host::{files::MappedFile, regular};

/// How blazesym is to read this file.
pub(super) fn of(file: &MappedFile) -> Elf {
    let path = PathBuf::from(&file.path);
    if is_trusted(&path, file) {
        // By its own path, so that debug files beside it are found.
        return Elf::new(path);
    }
    let mut elf = Elf::new(file.own_path());
    // Without links, debug information is the file's own.
    elf.debug_syms = !links_to_debug_file(file);
    elf
}

/// True when the path leads to this file and only root can change either.
fn is_trusted(path: &Path, file: &MappedFile) -> bool {
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let (Ok(here), Ok(held)) = (fs::metadata(path), fs::metadata(file.own_path())) else { return false };
    let directory = path.canonicalize().ok().and_then(|path| fs::metadata(path.parent()?).ok());
    identity(&here) == identity(&held)
        && is_roots(&here)
        && directory.is_some_and(|directory| is_roots(&directory))
}

/// Owned by root, and writable by nobody else.
fn is_roots(metadata: &Metadata) -> bool {
    metadata.uid() == 0 && metadata.mode() & 0o022 == 0
}

/// `.gnu_debuglink`, `.gnu_debugaltlink` and `.debug_sup` name other files. A file that cannot be looked into might.
fn links_to_debug_file(file: &MappedFile) -> bool {
    has_link_section(file).unwrap_or(true)
}

/// Reads the table of sections and their names only: a file can have hundreds of megabytes.
fn has_link_section(file: &MappedFile) -> Option<bool> {
    let cache = ReadCache::new(regular::open(&file.own_path()).ok()?);
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    if header.e_shnum.get(endian) == 0 {
        // None, or more than 65,279, and then a hostile file says how many there are to read.
        return None;
    }
    let sections = header.sections(endian, &cache).ok()?;
    let links: [&[u8]; 3] = [b".gnu_debuglink", b".gnu_debugaltlink", b".debug_sup"];
    Some(links.iter().any(|name| sections.section_by_name(endian, name).is_some()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn held(path: &Path) -> MappedFile {
        MappedFile::open_in_root(std::process::id(), &path.to_string_lossy()).expect("it is there")
    }

    #[test]
    fn a_library_of_the_system_is_read_by_its_path_and_a_copy_of_it_by_its_descriptor() {
        let maps = fs::read_to_string("/proc/self/maps").expect("a process may read its own");
        let libc = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
        let libc = libc.into_iter().find(|path| path.contains("/libc.so")).expect("glibc is mapped");
        assert_eq!(of(&held(Path::new(libc))).path, PathBuf::from(libc));
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .expect("ours");
        let copy = directory.path().join("libc.so.6");
        fs::copy(libc, &copy).expect("there is room");
        let file = held(&copy);
        let elf = of(&file);
        assert_eq!(elf.path, file.own_path());
    }

    #[test]
    fn a_link_of_a_file_that_anybody_can_change_is_not_followed() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .expect("ours");
        let (plain, linked) = (directory.path().join("plain"), directory.path().join("linked"));
        fs::copy("/proc/self/exe", &plain).expect("there is room");
        fs::write(directory.path().join("x.debug"), "debug").expect("there is room");
        let status = Command::new("objcopy")
            .current_dir(directory.path())
            .args(["--add-gnu-debuglink=x.debug", "plain", "linked"])
            .status()
            .expect("`objcopy` is installed (Debian: apt install binutils)");
        assert!(status.success());
        assert!(of(&held(&plain)).debug_syms);
        assert!(!of(&held(&linked)).debug_syms);
    }
}
