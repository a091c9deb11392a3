//! The line decoders against CPython itself: every code unit of more than a hundred modules, in every interpreter of
//! this machine.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use memtrace_core::attribute::python::lines::{LineFormat, LineTable};
use serde_json::Value;

use crate::support::interpreters::{self, Interpreter};

const PROGRAM: &str = include_str!("../programs/line_tables.py");
const MODULES_MIN: u64 = 100;

/// What was compared in one interpreter.
#[derive(Default, Debug)]
struct Totals {
    modules: u64,
    code_objects: u64,
    units: u64,
    units_without_line: u64,
    mismatches: u64,
}

#[test]
fn every_code_unit_of_the_standard_library_has_the_line_that_cpython_gives_it() {
    let interpreters = interpreters::found();
    assert!(!interpreters.is_empty(), "no CPython 3.8 to 3.14 found; name some in MEMTRACE_PYTHONS");
    for interpreter in &interpreters {
        let totals = compare(interpreter);
        println!("{} {}: {totals:?}", interpreter.path.display(), interpreter.version);
        assert!(totals.modules >= MODULES_MIN && totals.units > 100_000, "{totals:?}");
        assert_eq!(totals.mismatches, 0, "{}", interpreter.path.display());
    }
    for version in interpreters::missing(&interpreters) {
        println!("{version}: not found, not tested");
    }
}

fn compare(interpreter: &Interpreter) -> Totals {
    let mut child = interpreter
        .command()
        .args(["-I", "-W", "ignore", "-c", PROGRAM])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let output = child.stdout.take().expect("its output is a pipe");
    let mut totals = Totals::default();
    for line in BufReader::new(output).lines() {
        let value: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match value["modules"].as_u64() {
            Some(modules) => totals.modules = modules,
            None => compare_code(LineFormat::of(interpreter.version), &value, &mut totals),
        }
    }
    assert!(child.wait().unwrap().success());
    totals
}

fn compare_code(format: LineFormat, code: &Value, totals: &mut Totals) {
    let table = from_hex(code["table"].as_str().unwrap());
    let first_line = i32::try_from(code["first_line"].as_i64().unwrap()).unwrap();
    let expected = expected_lines(&code["runs"]);
    let units = u32::try_from(expected.len()).unwrap();
    let lines = LineTable::decode(format, &table, first_line, units);
    totals.code_objects += 1;
    for (unit, line) in (0..).zip(&expected) {
        totals.units += 1;
        totals.units_without_line += u64::from(line.is_none());
        totals.mismatches += u64::from(lines.line_at(unit) != *line);
    }
    assert_eq!(lines.line_at(units), None, "nothing beyond the code has a line");
}

/// One line for each unit. Line 0, which CPython gives the `RESUME` of a module, is no line of a file.
fn expected_lines(runs: &Value) -> Vec<Option<u32>> {
    let mut lines = Vec::new();
    for run in runs.as_array().unwrap() {
        let units = usize::try_from(run[0].as_u64().unwrap()).unwrap();
        let line = run[1].as_u64().map(|line| u32::try_from(line).unwrap()).filter(|line| *line != 0);
        lines.resize(lines.len() + units, line);
    }
    lines
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
