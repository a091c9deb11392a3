//! The files whose code appears in stacks, by number. A file is held open, so that it can be symbolized after its
//! process is gone, or its path names another file.

use std::{collections::HashMap, sync::Arc};

use crate::host::{
    files::MappedFile,
    mappings::{FileId, Mapping},
};

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
    by_id: HashMap<(FileId, String), u32>,
    modules: Vec<Arc<Module>>,
}

impl Modules {
    /// The number of a mapping's file, given out on first sight.
    pub fn number_of(&mut self, pid: u32, mapping: &Mapping) -> u32 {
        let key = (mapping.file, mapping.path.clone());
        if let Some(number) = self.by_id.get(&key) {
            return *number;
        }
        let number = self.modules.len() as u32;
        // A file that cannot be opened has no names, but a path and offsets.
        let file = MappedFile::open(pid, mapping).ok();
        self.modules.push(Arc::new(Module { number, path: mapping.path.as_str().into(), file }));
        self.by_id.insert(key, number);
        number
    }

    /// The module with this number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Arc<Module>> {
        self.modules.get(number as usize)
    }
}
