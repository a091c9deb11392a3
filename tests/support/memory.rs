//! A process' memory through `/proc/PID/mem`, and where its Python runtime is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use memtrace_core::attribute::python::PythonVersion;
use memtrace_core::world::{MemoryReader, Unreadable};
use object::{Object, ObjectSegment, ObjectSymbol};

/// Reads the memory of a process that may be traced by this one (its parent, or root).
pub(crate) struct ProcessMemory {
    file: File,
}

impl ProcessMemory {
    pub(crate) fn open(process: u32) -> Self {
        Self { file: File::open(format!("/proc/{process}/mem")).expect("the process' memory opens") }
    }
}

impl MemoryReader for ProcessMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let length = buffer.len();
        self.file.read_exact_at(buffer, address).map_err(|_| Unreadable { address, length })
    }
}

/// A CPython runtime that a process has mapped.
#[derive(Clone, Debug)]
pub(crate) struct MappedRuntime {
    /// Address of `_PyRuntime`.
    pub(crate) address: u64,
    /// Address of `Py_Version`, which 3.11 and later have.
    pub(crate) version_address: Option<u64>,
    /// The file that it is in.
    pub(crate) path: String,
}

impl MappedRuntime {
    /// The version, as the shell would find it.
    pub(crate) fn version(&self, reader: &dyn MemoryReader) -> PythonVersion {
        match self.version_address {
            Some(address) => {
                PythonVersion::from_hex(reader.read_u32(address).expect("Py_Version is readable"))
            }
            None => PythonVersion::from_soname_or_path(&self.path),
        }
        .expect("the runtime is of a supported version")
    }
}

/// Finds runtimes, and reads each file's symbols once.
#[derive(Default)]
pub(crate) struct RuntimeFinder {
    symbols_by_path: BTreeMap<String, Option<RuntimeSymbols>>,
}

impl RuntimeFinder {
    /// Looks through the files that a process has mapped. `None` when it has not mapped its runtime yet.
    pub(crate) fn find(&mut self, process: u32) -> Option<MappedRuntime> {
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
        maps.lines().filter_map(start_of_python_file).find_map(|(start, path)| {
            let symbols = self.symbols_by_path.entry(path.to_owned());
            let symbols = symbols.or_insert_with(|| RuntimeSymbols::read(path)).as_ref()?;
            Some(MappedRuntime {
                address: symbols.runtime.wrapping_add(start),
                version_address: symbols.version.map(|version| version.wrapping_add(start)),
                path: path.to_owned(),
            })
        })
    }
}

/// Address and path of a line of `maps` that starts a file with `python` in its name.
fn start_of_python_file(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.split_whitespace();
    let (range, _, offset) = (fields.next()?, fields.next()?, fields.next()?);
    let path = &line[line.find('/')?..];
    if offset != "00000000" || !path.rsplit('/').next()?.contains("python") {
        return None;
    }
    Some((u64::from_str_radix(range.split_once('-')?.0, 16).ok()?, path))
}

/// Where a file's symbols are, counted from its first byte in memory.
struct RuntimeSymbols {
    runtime: u64,
    version: Option<u64>,
}

impl RuntimeSymbols {
    fn read(path: &str) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        let first = file.segments().find(|segment| segment.file_range().0 == 0)?;
        let offset_of = |name: &str| {
            file.dynamic_symbols()
                .chain(file.symbols())
                .find(|symbol| symbol.is_definition() && symbol.name() == Ok(name))
                .map(|symbol| symbol.address().wrapping_sub(first.address()))
        };
        Some(Self { runtime: offset_of("_PyRuntime")?, version: offset_of("Py_Version") })
    }
}
