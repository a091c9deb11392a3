//! The files that can carry probes: what each of them is, worked out once a file.

use std::{collections::HashMap, sync::Arc};

use memtrace_common::Call;
use memtrace_core::{
    attribute::python::{PythonVersion, VersionError},
    liveness::Libc,
};

use crate::{
    host::{
        files::MappedFile,
        mappings::{FileId, Mapping},
        regular,
    },
    probe::{self, Elf, Execution, Sites},
};

/// Files remembered. Each holds one descriptor open and a few kilobytes.
const OBJECTS: usize = 1024;

/// Largest file that is looked into: it is read whole.
const FILE_BYTES: u64 = 512 << 20;

/// What a file is to memtrace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ObjectKind {
    /// It has nothing to do with allocating.
    Other,
    /// It could not be looked into.
    Unreadable(String),
    /// It has an allocator, an interpreter, or both.
    Useful,
}

/// A file.
#[derive(Debug)]
pub struct Object {
    /// Held open: it is attached to through its descriptor.
    pub file: MappedFile,
    /// What it is.
    pub kind: ObjectKind,
    /// Tells copies and other names of one file from other files: inode and build id.
    pub identity: (u64, Vec<u8>),
    /// Sites of the C library's allocator; `None` when it has none.
    pub libc: Option<Sites>,
    /// Whose notes tell of the blocks of `libc`.
    pub libc_kind: Libc,
    /// The Python interpreter in it.
    pub python: Option<PythonObject>,
    /// The dynamic loader that it asks for; an executable without one is static.
    pub loader: Option<String>,
    /// True for a static executable.
    pub is_static: bool,
    /// True for a program or library of the Go toolchain.
    pub is_go: bool,
}

/// A Python interpreter as a file has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PythonObject {
    /// What the version was told by.
    pub evidence: VersionEvidence,
    /// The version, or why it is not one that can be read.
    pub version: Result<PythonVersion, VersionError>,
    /// Address of `_PyRuntime`, before the load bias.
    pub runtime_vaddr: u64,
    /// Sites of its object allocator.
    pub sites: Sites,
    /// Executable segments: (file offset, address), both rounded down to a page.
    pub segments: Vec<(u64, u64)>,
}

/// What tells a file's version of Python.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionEvidence {
    /// `Py_Version`, which is exact; from 3.11 on.
    Symbol,
    /// The file's name.
    Name,
    /// Strings in its read-only data.
    Strings,
}

/// All files seen.
#[derive(Debug, Default)]
pub struct Objects {
    by_id: HashMap<(FileId, String), Arc<Object>>,
}

impl Objects {
    /// The file behind a mapping.
    pub fn of_mapping(&mut self, pid: u32, mapping: &Mapping) -> Option<Arc<Object>> {
        let key = (mapping.file, mapping.path.clone());
        if let Some(object) = self.by_id.get(&key) {
            return Some(Arc::clone(object));
        }
        let file = MappedFile::open(pid, mapping).ok()?;
        Some(self.insert(key, file))
    }

    /// The file with a path in a process' own root directory.
    pub fn of_path(&mut self, pid: u32, path: &str) -> Option<Arc<Object>> {
        let file = MappedFile::open_in_root(pid, path).ok()?;
        let key = (file.id, path.to_owned());
        if let Some(object) = self.by_id.get(&key) {
            return Some(Arc::clone(object));
        }
        Some(self.insert(key, file))
    }

    fn insert(&mut self, key: (FileId, String), file: MappedFile) -> Arc<Object> {
        if self.by_id.len() >= OBJECTS {
            // What is in use is held by its processes' attachments; the rest is looked into again when it comes back.
            self.by_id.clear();
        }
        let object = Arc::new(look_into(file));
        self.by_id.insert(key, Arc::clone(&object));
        object
    }
}

fn look_into(file: MappedFile) -> Object {
    let inode = file.id.inode;
    let unreadable = |file, reason: String| Object {
        file,
        kind: ObjectKind::Unreadable(reason),
        identity: (inode, Vec::new()),
        libc: None,
        libc_kind: Libc::Other,
        python: None,
        loader: None,
        is_static: false,
        is_go: false,
    };
    let bytes = match file.bytes(FILE_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => return unreadable(file, error.to_string()),
    };
    let mut elf = match Elf::parse(&bytes) {
        Ok(elf) => elf,
        Err(error) => return unreadable(file, error.to_string()),
    };
    let debug_bytes = debug_file(&elf, &file);
    let debug_elf = debug_bytes.as_deref().and_then(|bytes| Elf::parse(bytes).ok());
    if let Some(debug_elf) = &debug_elf
        && let Err(mismatch) = elf.add_debug_file(debug_elf)
    {
        tracing::debug!("{}: debug file left out: {mismatch}", file.path);
    }
    let libc = probe::is_allocator(&elf).then(|| probe::libc_sites(&elf));
    let python = python_object(&elf, &bytes, &file.path);
    let is_useful = libc.is_some() || python.is_some();
    Object {
        kind: if is_useful { ObjectKind::Useful } else { ObjectKind::Other },
        identity: (inode, elf.build_id().unwrap_or_default().to_vec()),
        libc_kind: libc.as_ref().map_or(Libc::Other, |_| Libc::of_file(name_of(&file.path), &bytes)),
        libc,
        python,
        loader: elf.interpreter().map(|path| String::from_utf8_lossy(path).into_owned()),
        is_static: elf.is_static(),
        is_go: elf.is_go(),
        file,
    }
}

impl Object {
    /// The shape of the calls that each of its sites sees, and whether its instruction is stepped; of Python's object
    /// allocator too, if it is probed.
    pub fn sites(&self, python_objects: bool) -> impl Iterator<Item = (Call, bool)> {
        let python = self.python.as_ref().filter(|_| python_objects).map(|python| &python.sites);
        let sites = self.libc.iter().chain(python).flat_map(|sites| &sites.sites);
        sites.map(|site| (site.call, site.execution == Execution::Stepped))
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Symbols of a stripped file; looked for only when it is stripped.
fn debug_file(elf: &Elf<'_>, file: &MappedFile) -> Option<Vec<u8>> {
    if !elf.is_stripped() {
        return None;
    }
    let candidates = probe::debug_file_candidates(elf, std::path::Path::new(&file.path));
    // Beside a target's file, so whatever the target put there.
    candidates.into_iter().find_map(|path| regular::bytes(&regular::open(&path).ok()?, FILE_BYTES).ok())
}

fn python_object(elf: &Elf<'_>, bytes: &[u8], path: &str) -> Option<PythonObject> {
    let runtime_vaddr = elf.data_vaddr("_PyRuntime")?;
    const PAGE: u64 = 4096;
    let round_down = |value: u64| value & !(PAGE - 1);
    let segments = elf.executable_segments();
    let (version, evidence) = python_version(elf, bytes, path);
    Some(PythonObject {
        evidence,
        version,
        runtime_vaddr,
        sites: probe::python_sites(elf),
        segments: segments
            .map(|segment| (round_down(segment.file_offset), round_down(segment.vaddr)))
            .collect(),
    })
}

/// `Py_Version` is exact, where there is one (3.11 on); else the file's name, else its strings.
fn python_version(
    elf: &Elf<'_>,
    bytes: &[u8],
    path: &str,
) -> (Result<PythonVersion, VersionError>, VersionEvidence) {
    let by_symbol = || {
        let offset = usize::try_from(elf.file_offset_of(elf.data_vaddr("Py_Version")?)?).ok()?;
        let hex = bytes.get(offset..offset.checked_add(4)?)?;
        Some(PythonVersion::from_hex(u32::from_le_bytes(hex.try_into().ok()?)))
    };
    let by_name = PythonVersion::from_soname_or_path(path);
    match (by_symbol(), by_name) {
        // The name alone tells these builds.
        (_, Err(error @ (VersionError::FreeThreaded(_) | VersionError::DebugBuild(_)))) => {
            (Err(error), VersionEvidence::Name)
        }
        (Some(version), _) => (version, VersionEvidence::Symbol),
        (None, Err(VersionError::Unknown)) => {
            (PythonVersion::from_read_only_data(bytes), VersionEvidence::Strings)
        }
        (None, by_name) => (by_name, VersionEvidence::Name),
    }
}
