//! Programs that are linked, deleted or replaced in ways of their own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::run;
use crate::support::compile;
use crate::support::figures::{Figures, SiteFigures};
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;

const ROUNDS: u64 = 50;

/// Leaks a block a round, among others that it gives back.
const PROGRAM: &str = "leak";

/// What the program leaked, and how many blocks it gave back.
#[derive(Deserialize)]
struct Books {
    #[serde(flatten)]
    leaked: SiteFigures,
    churned: u64,
}

/// Works and compares: the process must be attached to, and have allocated nothing since.
fn assert_exact(memtrace: Memtrace, program: &mut Target) {
    program.go(ROUNDS);
    let books: Books = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_books(&report.process(program.pid()).figures, &books);
    assert!(program.is_alive());
}

fn assert_books(figures: &Figures, books: &Books) {
    assert_eq!(
        (figures.live_blocks, figures.live_bytes),
        (books.leaked.live_blocks, books.leaked.live_bytes)
    );
    let (allocations, frees) = (books.leaked.allocations + books.churned, books.churned);
    assert_eq!((figures.allocations, figures.frees), (allocations, frees));
}

#[test]
fn a_static_program_with_symbols_is_traced() {
    let mut program = Target::executable(&compile::static_program(PROGRAM, false), &[]);
    let memtrace = Memtrace::follow(&program);
    assert_exact(memtrace, &mut program);
}

#[test]
fn a_stripped_static_program_is_said_to_be_untraceable_and_the_others_go_on() {
    let program = Target::executable(&compile::static_program(PROGRAM, true), &[]);
    let mut other = Target::c(PROGRAM, &[]);
    let memtrace = Memtrace::follow_with(&other, &["--pid", &program.pid().to_string()]);
    memtrace.wait_for_process(program.pid(), "it is shown all the same", |_| true);
    other.go(ROUNDS);
    let books: Books = other.books();
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    assert_books(&report.process(other.pid()).figures, &books);
    assert_eq!(report.process(program.pid()).probes, 0);
    let told = report.said.warnings.iter().filter(|warning| warning["pid"] == program.pid());
    let told: Vec<&Value> = told.collect();
    assert!(told.len() == 1 && told[0].to_string().contains("static"), "{:?}", report.said.warnings);
}

#[test]
fn doctor_says_that_a_stripped_static_program_cannot_be_traced() {
    let program = Target::executable(&compile::static_program(PROGRAM, true), &[]);
    let output = run(&["doctor", "--pid", &program.pid().to_string()]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "the machine can trace: {said}");
    assert!(said.contains("note    a static program without symbols"), "{said}");
}

/// A package was upgraded and its service not restarted.
#[test]
fn a_program_whose_executable_is_gone_from_disk_is_traced() {
    let directory = tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable");
    let copy = directory.path().join("program");
    fs::copy(compile::static_program(PROGRAM, false), &copy).expect("there is room for a copy");
    let mut program = Target::executable(&copy, &[]);
    fs::remove_file(&copy).expect("the copy is ours");
    let memtrace = Memtrace::follow(&program);
    assert_exact(memtrace, &mut program);
}

#[test]
fn a_program_whose_libc_was_deleted_is_traced() {
    let (library, mut program) = start_with_own_libc();
    fs::remove_file(library.path().join("libc.so.6")).expect("the copy is ours");
    let memtrace = Memtrace::follow(&program);
    assert_exact(memtrace, &mut program);
}

/// What is at the path now is another file: probes in it would see nothing.
#[test]
fn a_program_whose_libc_was_replaced_is_traced_in_the_one_that_it_runs() {
    let (library, mut program) = start_with_own_libc();
    let (path, new) = (library.path().join("libc.so.6"), library.path().join("new"));
    fs::copy(&path, &new).expect("there is room for a copy");
    fs::rename(&new, &path).expect("a file can be renamed in its directory");
    let memtrace = Memtrace::follow(&program);
    assert_exact(memtrace, &mut program);
}

/// The program on a private copy of the C library, as the loader is told to take it.
fn start_with_own_libc() -> (TempDir, Target) {
    let directory = tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable");
    let (libc, loader) = own_libc();
    fs::copy(libc, directory.path().join("libc.so.6")).expect("there is room for a copy");
    let program = compile::program(PROGRAM);
    let arguments = [OsStr::new("--library-path"), directory.path().as_os_str(), program.as_os_str()];
    let target = Target::executable(&loader, &arguments);
    (directory, target)
}

/// The C library and the loader of this very test, which were built for each other.
fn own_libc() -> (PathBuf, PathBuf) {
    let mappings = fs::read_to_string("/proc/self/maps").expect("a process may read its own mappings");
    let find = |start: &str| {
        let paths = mappings.lines().filter_map(|line| line.split_whitespace().nth(5)).map(Path::new);
        let is_it = |path: &&Path| {
            path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(start))
        };
        paths.into_iter().find(is_it).unwrap_or_else(|| panic!("no {start} in {mappings}")).to_owned()
    };
    (find("libc.so.6"), find("ld-linux"))
}
