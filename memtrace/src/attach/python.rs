//! The Python interpreter of a running process.

use memtrace_core::attribute::python::{PythonError, PythonRuntime, inspect};

use super::objects::PythonObject;
use crate::host::{
    mappings::{FileId, Mapping},
    memory::ProcessMemory,
};

/// An interpreter that was found.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// Its file.
    pub file: FileId,
    /// How to read it, or why not.
    pub runtime: Result<PythonRuntime, PythonError>,
}

/// Inspects the interpreter in a file that is mapped.
pub(super) fn find(pid: u32, object: &PythonObject, mappings: &[&Mapping]) -> Option<Interpreter> {
    let file = mappings.first()?.file;
    let bias = load_bias(object, mappings)?;
    let runtime_address = bias.wrapping_add(object.runtime_vaddr);
    let memory = ProcessMemory::new(pid);
    let runtime = match object.version {
        Ok(version) => inspect(&memory, runtime_address, version),
        Err(error) => Err(error.into()),
    };
    Some(Interpreter { file, runtime })
}

/// How far from its own addresses the file is mapped: by the executable mapping that starts where an executable
/// segment does.
fn load_bias(object: &PythonObject, mappings: &[&Mapping]) -> Option<u64> {
    mappings.iter().filter(|mapping| mapping.executable).find_map(|mapping| {
        let segment = object.segments.iter().find(|(offset, _)| *offset == mapping.file_offset)?;
        Some(mapping.start.wrapping_sub(segment.1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attach::VersionEvidence, probe::Sites};

    #[test]
    fn the_bias_is_that_of_the_executable_segment() {
        let object = PythonObject {
            evidence: VersionEvidence::Strings,
            version: Err(memtrace_core::attribute::python::VersionError::Unknown),
            runtime_vaddr: 0x5000,
            sites: Sites::default(),
            segments: vec![(0x1000, 0x2000)],
        };
        let mapping = |start, file_offset, executable| Mapping {
            start,
            end: start + 0x1000,
            executable,
            file_offset,
            file: FileId { device: (0, 0), inode: 1 },
            path: String::new(),
            deleted: false,
        };
        let (data, code) = (mapping(0x7000_0000, 0, false), mapping(0x7000_2000, 0x1000, true));
        assert_eq!(load_bias(&object, &[&data, &code]), Some(0x7000_0000));
        assert_eq!(load_bias(&object, &[&data]), None);
    }
}
