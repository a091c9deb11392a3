//! The reader of interpreters against real ones: what it says from outside is what the program itself says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use memtrace_core::attribute::python::{PythonError, PythonRuntime, inspect, read_code, thread_states};

use crate::support::frames;
use crate::support::interpreters::{self, Interpreter};
use crate::support::memory::{ProcessMemory, RuntimeFinder};
use crate::support::program::Program;

const NESTED_FRAMES: &str = include_str!("../programs/nested_frames.py");
const REUSED_CODE: &str = include_str!("../programs/reused_code.py");
const STARTS: usize = 3;
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// Function, file, line.
type Place = (String, String, u32);

#[test]
fn the_frames_of_every_thread_are_those_that_the_program_reports() {
    let interpreters = interpreters::found();
    assert!(!interpreters.is_empty(), "no CPython 3.8 to 3.14 found; name some in MEMTRACE_PYTHONS");
    for interpreter in &interpreters {
        let mut program = Program::start(interpreter, NESTED_FRAMES);
        let reported: BTreeMap<u64, Vec<Place>> = serde_json::from_str(&program.line()).unwrap();
        let (memory, runtime) = program.inspect();
        assert_eq!(runtime.version, interpreter.version);

        let seen = frames_of_all_threads(&memory, &runtime);
        assert_eq!(seen.len(), 2);
        assert_eq!(seen, reported, "{}", interpreter.path.display());
        println!(
            "{} {}: {} frames, thread state at {:#x} (indirect {})",
            interpreter.path.display(),
            runtime.version,
            seen.values().map(Vec::len).sum::<usize>(),
            runtime.target.thread_state_offset,
            runtime.target.thread_state_indirect,
        );
    }
    for version in interpreters::missing(&interpreters) {
        println!("{version}: not found, not tested");
    }
}

/// Frames by thread id, each thread walked from its FS base alone.
fn frames_of_all_threads(memory: &ProcessMemory, runtime: &PythonRuntime) -> BTreeMap<u64, Vec<Place>> {
    let states = thread_states(memory, runtime.address, &runtime.offsets).unwrap();
    let place = |frame: memtrace_common::record::PythonFrame| {
        let code = read_code(memory, runtime, frame.code).unwrap();
        assert!(code.identity.still_same(memory, runtime));
        let line = code.line_of(frame.instruction).expect("a waiting frame has a line");
        (code.function.to_string(), code.file.to_string(), line)
    };
    states
        .iter()
        .map(|state| {
            let frames = frames::walk(memory, &runtime.target, state.thread_id).unwrap();
            (state.thread_id, frames.into_iter().map(place).collect())
        })
        .collect()
}

#[test]
fn an_interpreter_that_starts_is_not_ready_and_then_ready() {
    let mut finder = RuntimeFinder::default();
    for interpreter in interpreters::found() {
        let mut not_ready = 0;
        for _ in 0..STARTS {
            let program = Program::start(&interpreter, "import sys; sys.stdin.read()");
            not_ready += wait_until_ready(&mut finder, &interpreter, program.process());
        }
        println!("{}: not ready {not_ready} times", interpreter.path.display());
    }
}

/// Asks without a pause, and returns how often the answer was `NotReady`.
fn wait_until_ready(finder: &mut RuntimeFinder, interpreter: &Interpreter, process: u32) -> usize {
    let begin = Instant::now();
    let mut not_ready = 0;
    loop {
        assert!(begin.elapsed() < START_TIME_MAX, "{} starts", interpreter.path.display());
        let Some(mapped) = finder.find(process) else { continue };
        // Opened anew each time: before exec, the process' memory is another one.
        match inspect(&ProcessMemory::open(process), mapped.address, interpreter.version) {
            Ok(_) => return not_ready,
            Err(PythonError::NotReady) => not_ready += 1,
            Err(error) => assert!(error.is_temporary(), "{}: {error}", interpreter.path.display()),
        }
    }
}

#[test]
fn a_code_object_at_a_used_address_is_told_from_the_one_before() {
    for interpreter in interpreters::found() {
        let mut program = Program::start(&interpreter, REUSED_CODE);
        let address: u64 = program.line().trim().parse().unwrap();
        let (memory, runtime) = program.inspect();
        let before = read_code(&memory, &runtime, address).unwrap();
        assert_eq!((&*before.function, &*before.file, before.first_line), ("before", "same.py", 2));
        assert!(before.identity.still_same(&memory, &runtime));

        program.proceed();
        assert_eq!(program.line().trim(), "used again", "{}", interpreter.path.display());
        assert!(!before.identity.still_same(&memory, &runtime));
        let after = read_code(&memory, &runtime, address).unwrap();
        assert_eq!((&*after.function, &*after.file, after.first_line), ("after_", "same.py", 2));
    }
}

#[test]
fn the_wrong_version_of_an_interpreter_with_a_table_is_refused() {
    for interpreter in interpreters::found().into_iter().filter(|it| it.version.minor >= 13) {
        let mut program = Program::start(&interpreter, NESTED_FRAMES);
        program.line();
        let (memory, runtime) = program.inspect();
        let mut wrong = interpreter.version;
        wrong.minor = if wrong.minor == 13 { 14 } else { 13 };
        let error = inspect(&memory, runtime.address, wrong).unwrap_err();
        assert_eq!(error.reason(), "contradictory_version");
    }
}
