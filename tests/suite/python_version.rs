//! The version of an interpreter, from each place that tells it.

use std::fs;

use memtrace_core::attribute::python::{PythonVersion, VersionError};
use object::{Object, ObjectSection};

use crate::support::interpreters;
use crate::support::memory::{ProcessMemory, RuntimeFinder};
use crate::support::program::Program;

#[test]
fn every_place_that_tells_the_version_tells_the_same() {
    for interpreter in interpreters::found() {
        let mut program = Program::start(&interpreter, "import sys; print(flush=True); sys.stdin.read()");
        program.line();
        let mapped = RuntimeFinder::default().find(program.process()).expect("the runtime is mapped");
        let memory = ProcessMemory::open(program.process());
        assert_eq!(mapped.version(&memory), interpreter.version);
        assert_eq!(PythonVersion::from_soname_or_path(&mapped.path), Ok(interpreter.version));

        let bytes = fs::read(&mapped.path).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let data = file.section_by_name(".rodata").expect("it has read-only data").data().unwrap();
        let from_data = PythonVersion::from_read_only_data(data);
        println!("{}: {from_data:?} in the read-only data", mapped.path);
        // A build whose own path ends in the version may keep the string inside that path only.
        assert!(
            from_data == Ok(interpreter.version) || from_data == Err(VersionError::Unknown),
            "{}: {from_data:?}",
            mapped.path
        );
    }
}
