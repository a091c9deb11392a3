//! The files whose code appears in stacks, by number. A file is held open, so that it can be symbolized after its
//! process is gone, or its path names another file.
//!
//! Invariant: a number stands for one file for the whole run. A process can map any number of files: beyond the limits
//! a file is kept without a descriptor (its frames have a path and an offset, but no names), then not at all.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use memtrace_core::attribute::CodeRange;

use crate::host::{
    files::MappedFile,
    mappings::{FileId, Mapping},
};

/// Files known at a time. One takes about 300 bytes with its path, 4.3 kB with the longest one: 5 MiB, 70 at worst.
const MODULES: usize = 16_384;

/// Files held open. systemd's hard limit of descriptors is 524,288, the kernel's own default 4,096: with half of that
/// here, there is room for processes (one each) and probes.
const OPEN_FILES: usize = 2_048;

/// A file with code.
#[derive(Debug)]
pub struct Module {
    /// Its number.
    pub number: u32,
    /// Its path as its first process knew it.
    pub path: Arc<str>,
    /// Open, unless it could not be opened.
    pub file: Option<MappedFile>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Modules {
    by_id: HashMap<(FileId, Arc<str>), u32>,
    modules: HashMap<u32, Arc<Module>>,
    last_number: u32,
    open_files: usize,
}

impl Modules {
    /// The number of a mapping's file, given out on first sight; [`CodeRange::NO_MODULE`] when there are too many.
    pub fn number_of(&mut self, pid: u32, mapping: &Mapping) -> u32 {
        let path: Arc<str> = mapping.path.as_str().into();
        let key = (mapping.file, Arc::clone(&path));
        if let Some(number) = self.by_id.get(&key) {
            return *number;
        }
        if self.modules.len() >= MODULES {
            return CodeRange::NO_MODULE;
        }
        // A file that cannot be opened has no names, but a path and offsets.
        let file = if self.open_files < OPEN_FILES { MappedFile::open(pid, mapping).ok() } else { None };
        self.open_files += usize::from(file.is_some());
        self.last_number += 1;
        let number = self.last_number;
        self.modules.insert(number, Arc::new(Module { number, path, file }));
        self.by_id.insert(key, number);
        number
    }

    /// The module with this number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Arc<Module>> {
        self.modules.get(&number)
    }

    /// True when it is time to [`Modules::forget_unused`].
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.modules.len() > MODULES / 4 * 3 || self.open_files > OPEN_FILES / 4 * 3
    }

    /// Forgets all but these: files of processes that have gone, and files that were unmapped.
    pub fn forget_unused(&mut self, used: &HashSet<u32>) {
        self.modules.retain(|number, _| used.contains(number));
        self.by_id.retain(|_, number| used.contains(number));
        self.open_files = self.modules.values().filter(|module| module.file.is_some()).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(path: &str, inode: u64) -> Mapping {
        Mapping {
            start: 0x1000,
            end: 0x2000,
            executable: true,
            file_offset: 0,
            file: FileId { device: (0, 1), inode },
            path: path.to_owned(),
            deleted: false,
        }
    }

    #[test]
    fn a_process_that_maps_very_many_files_fills_the_table_and_no_more() {
        let mut modules = Modules::default();
        let pid = std::process::id();
        let numbers: HashSet<u32> = (0..MODULES as u64)
            .map(|inode| modules.number_of(pid, &mapping("/etc/hostname", inode)))
            .collect();
        assert_eq!(numbers.len(), MODULES);
        assert!(modules.open_files <= OPEN_FILES && modules.is_crowded());
        assert_eq!(modules.number_of(pid, &mapping("/etc/hostname", 1 << 40)), CodeRange::NO_MODULE);
        let known = modules.number_of(pid, &mapping("/etc/hostname", 7));
        assert!(numbers.contains(&known), "what is known keeps its number");
    }

    #[test]
    fn a_file_that_comes_back_after_it_was_forgotten_has_another_number() {
        let mut modules = Modules::default();
        let pid = std::process::id();
        let kept = modules.number_of(pid, &mapping("/etc/hostname", 1));
        let gone = modules.number_of(pid, &mapping("/etc/hostname", 2));
        modules.forget_unused(&HashSet::from([kept]));
        assert!(modules.get(kept).is_some() && modules.get(gone).is_none());
        let again = modules.number_of(pid, &mapping("/etc/hostname", 2));
        assert!(again != gone && again != kept, "frames that name the old number must not change their file");
    }
}
