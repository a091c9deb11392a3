//! The archive format that the kernel unpacks as its first filesystem (cpio, "newc": Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! In: files by absolute path. Out: the archive's bytes. Invariant: every directory precedes what it holds, and two
//! equal trees give equal bytes.

use std::collections::BTreeMap;

/// What is at a path.
enum Entry {
    Directory,
    File { permissions: u32, bytes: Vec<u8> },
    CharacterDevice { major: u32, minor: u32 },
}

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// A filesystem to be.
#[derive(Default)]
pub(super) struct Archive {
    /// By path without the leading slash, so the order of the keys puts parents first.
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Adds an empty directory and those above it.
    pub(super) fn add_directory(&mut self, path: &str) {
        self.add_parents(path);
        self.entries.entry(relative(path)).or_insert(Entry::Directory);
    }

    /// Adds a file and the directories above it.
    pub(super) fn add_file(&mut self, path: &str, permissions: u32, bytes: Vec<u8>) {
        self.add_parents(path);
        self.entries.insert(relative(path), Entry::File { permissions, bytes });
    }

    /// Adds a device node and the directories above it.
    pub(super) fn add_character_device(&mut self, path: &str, major: u32, minor: u32) {
        self.add_parents(path);
        self.entries.insert(relative(path), Entry::CharacterDevice { major, minor });
    }

    fn add_parents(&mut self, path: &str) {
        let path = relative(path);
        for (slash, _) in path.match_indices('/') {
            self.entries.entry(path[..slash].to_owned()).or_insert(Entry::Directory);
        }
    }

    /// The archive, ready for the kernel.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (inode, (path, entry)) in (1u32..).zip(&self.entries) {
            match entry {
                Entry::Directory => append(&mut bytes, inode, path, DIRECTORY | 0o755, &[], (0, 0)),
                Entry::File { permissions, bytes: content } => {
                    append(&mut bytes, inode, path, REGULAR | permissions, content, (0, 0));
                }
                Entry::CharacterDevice { major, minor } => {
                    append(&mut bytes, inode, path, CHARACTER_DEVICE | 0o600, &[], (*major, *minor));
                }
            }
        }
        append(&mut bytes, 0, "TRAILER!!!", 0, &[], (0, 0));
        bytes
    }
}

fn relative(path: &str) -> String {
    path.trim_matches('/').to_owned()
}

/// One header of thirteen hexadecimal fields, the name and the content, each padded to four bytes.
fn append(archive: &mut Vec<u8>, inode: u32, path: &str, mode: u32, content: &[u8], device: (u32, u32)) {
    let links = 1;
    let name_length = path.len() as u32 + 1;
    let (owner, group, modified, disk, checksum) = (0, 0, 0, (0, 0), 0);
    let fields = [
        inode,
        mode,
        owner,
        group,
        links,
        modified,
        content.len() as u32,
        disk.0,
        disk.1,
        device.0,
        device.1,
        name_length,
        checksum,
    ];
    archive.extend_from_slice(b"070701");
    for field in fields {
        archive.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    archive.extend_from_slice(path.as_bytes());
    archive.push(0);
    pad(archive);
    archive.extend_from_slice(content);
    pad(archive);
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Archive {
        let mut archive = Archive::default();
        archive.add_file("/usr/bin/tool", 0o755, b"#!".to_vec());
        archive.add_directory("/proc");
        archive.add_character_device("/dev/console", 5, 1);
        archive
    }

    #[test]
    fn a_directory_comes_before_what_it_holds() {
        let paths: Vec<String> = example().entries.into_keys().collect();
        assert_eq!(paths, ["dev", "dev/console", "proc", "usr", "usr/bin", "usr/bin/tool"]);
    }

    #[test]
    fn headers_have_the_length_and_alignment_that_the_kernel_expects() {
        let bytes = example().into_bytes();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(
            bytes.windows(6).filter(|window| window == b"070701").count(),
            7,
            "six entries and the trailer"
        );
        let device = bytes.windows(11).position(|window| window == b"dev/console").expect("the device");
        assert_eq!(&bytes[device - 110..device - 104], b"070701", "the name follows 110 bytes of header");
        assert_eq!(&bytes[device - 32..device - 16], b"0000000500000001", "major and minor number");
    }

    #[test]
    fn a_file_added_twice_is_there_once_with_its_last_content() {
        let mut archive = Archive::default();
        archive.add_file("/a", 0o644, b"first".to_vec());
        archive.add_file("/a", 0o644, b"second".to_vec());
        let bytes = archive.into_bytes();
        assert!(bytes.windows(6).any(|window| window == b"second"));
        assert!(!bytes.windows(5).any(|window| window == b"first"));
    }
}
