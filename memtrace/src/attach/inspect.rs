//! What a process maps that can be probed.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::Arc,
};

use super::{
    hazards,
    objects::{Object, ObjectKind, Objects},
    python::{self, Interpreter},
};
use crate::host::{
    files,
    mappings::{self, FileId, Mapping},
    process,
};

/// A process, looked at.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The files to attach to, each once.
    pub objects: Vec<Arc<Object>>,
    /// Its Python interpreter.
    pub interpreter: Option<Interpreter>,
    /// What a user should know.
    pub notes: Vec<String>,
}

impl Inspection {
    /// Of a process that runs and may not be looked into.
    #[must_use]
    pub fn refused(error: &io::Error) -> Self {
        let note = format!(
            "its mappings cannot be read, so it is not traced: {error}; run memtrace as root, or with CAP_SYS_PTRACE"
        );
        Self { notes: vec![note], ..Self::default() }
    }
}

/// Looks at a process' mappings, and, while the dynamic loader has not mapped the C library yet, at where it will
/// come from.
///
/// # Errors
/// When the process is gone.
pub fn inspect(objects: &mut Objects, pid: u32) -> io::Result<Inspection> {
    // The first thread may have ended before the others: it maps nothing any more.
    let pid = process::live_thread(pid);
    let mappings = mappings::of_process(pid)?;
    let mut inspection = Inspection::default();
    let exe = executable(pid);
    inspection.notes.extend(hazards::debugger_note(pid));
    let mut seen = HashSet::new();
    for (file, mappings) in by_file(&mappings) {
        let named = mappings.iter().find(|mapping| may_matter(&mapping.path, exe.as_deref()));
        let Some(&named) = named else { continue };
        let Some(object) = objects.of_mapping(pid, named) else {
            inspection.notes.push(format!("{} cannot be opened, so it is not traced", named.path));
            continue;
        };
        if exe.as_ref() == Some(&named.path)
            && let Some(objection) = hazards::go_objection(&object)
        {
            inspection.notes.push(objection);
            inspection.objects.clear();
            return Ok(inspection);
        }
        tracing::trace!("{pid}: {} is {:?}, {file:?}", named.path, object.kind);
        if let ObjectKind::Unreadable(reason) = &object.kind {
            inspection.notes.push(format!("{} cannot be read, so it is not traced: {reason}", named.path));
        }
        if let Some(python) = &object.python
            && inspection.interpreter.is_none()
        {
            inspection.interpreter = python::find(pid, python, &mappings);
        }
        if object.kind == ObjectKind::Useful && seen.insert(object.identity.clone()) {
            inspection.objects.push(object);
        }
    }
    if inspection.objects.iter().all(|object| object.libc.is_none()) {
        let mapping = mappings.iter().find(|mapping| Some(&mapping.path) == exe.as_ref());
        if let Some(object) = mapping.and_then(|mapping| objects.of_mapping(pid, mapping)) {
            find_unmapped_libc(objects, pid, &object, &mut inspection);
        }
    }
    Ok(inspection)
}

fn by_file(mappings: &[Mapping]) -> BTreeMap<FileId, Vec<&Mapping>> {
    let mut files: BTreeMap<FileId, Vec<&Mapping>> = BTreeMap::new();
    for mapping in mappings.iter().filter(|mapping| mapping.path != "[vdso]") {
        files.entry(mapping.file).or_default().push(mapping);
    }
    files.retain(|_, mappings| mappings.iter().any(|mapping| mapping.executable));
    files
}

/// By any of a file's names: the executable, C libraries and Python. Other libraries are not read, which can be large
/// and many.
fn may_matter(path: &str, exe: Option<&str>) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let prefixes = ["libc.", "libc-", "ld-musl", "libpython", "python"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || exe == Some(path)
}

/// The executable's path as [`Mapping::path`] has it: without the mark of a file that was deleted or replaced.
fn executable(pid: u32) -> Option<String> {
    let path = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let path = path.to_string_lossy();
    Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
}

/// Right after an exec only the executable and its loader are mapped. The C library is beside the loader (glibc), or
/// is the loader (musl): attached to before it is mapped, nothing is missed.
fn find_unmapped_libc(objects: &mut Objects, pid: u32, executable: &Object, inspection: &mut Inspection) {
    let Some(loader) = &executable.loader else {
        if executable.is_static && executable.libc.is_none() {
            inspection.notes.push(
                "a static program without symbols for its allocator: its memory cannot be traced by probes"
                    .into(),
            );
        }
        return;
    };
    let Some(directory) = loader_directory(pid, loader) else { return };
    let candidates = [format!("{directory}/libc.so.6"), loader.clone()];
    let found = candidates.iter().filter_map(|path| objects.of_path(pid, path));
    inspection.objects.extend(found.filter(|object| object.libc.is_some()).take(1));
}

/// The directory of the file that the loader's path leads to: `/lib64/ld-linux-x86-64.so.2` is a link on most
/// systems, and the library is beside what it points to.
fn loader_directory(pid: u32, loader: &str) -> Option<String> {
    let inside = files::path_in_root(pid, loader);
    let target = std::fs::read_link(&inside);
    let directory = |path: &str| path.rsplit_once('/').map(|(directory, _)| directory.to_owned());
    match target.as_ref().map(|target| target.to_string_lossy()) {
        Ok(target) if target.starts_with('/') => directory(&target),
        Ok(target) => {
            let base = directory(loader)?;
            directory(&format!("{base}/{target}"))
        }
        Err(_) => directory(loader),
    }
}
