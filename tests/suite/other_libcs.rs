//! C libraries that are not this machine's: musl, and glibc of other Debian releases.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::semantics::CASES;
use crate::support::figures::Figures;
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;
use crate::support::{compile, releases};

const ROUNDS: u64 = 10;

/// Works and compares.
fn assert_exact(mut program: Target, rounds: u64, what: &str) {
    let memtrace = Memtrace::follow(&program);
    program.go(rounds);
    let books: Figures = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert!(books.allocations + books.frees_unknown > 0, "{what}");
    assert_eq!(report.process(program.pid()).figures, books, "{what}");
}

fn words<'a>(arguments: &[&'a str]) -> Vec<&'a OsStr> {
    arguments.iter().map(|word| OsStr::new(*word)).collect()
}

#[test]
fn every_rule_of_the_allocators_holds_on_musl() {
    for is_static in [false, true] {
        for case in CASES {
            let program = compile::musl_program("semantics", is_static);
            assert_exact(
                Target::executable(&program, &words(&[case])),
                ROUNDS,
                &format!("{case}, static: {is_static}"),
            );
        }
    }
}

#[test]
fn a_threaded_program_on_musl_ends_with_the_live_set_of_its_own_books() {
    for is_static in [false, true] {
        for seed in ["1", "2", "3"] {
            let program = compile::musl_program("churn", is_static);
            assert_exact(
                Target::executable(&program, &words(&[seed])),
                5_000,
                &format!("seed {seed}, static: {is_static}"),
            );
        }
    }
}

#[test]
fn every_rule_of_the_allocators_holds_on_the_glibc_of_other_releases() {
    for root in releases::roots() {
        for case in CASES {
            let program = Target::c_in_root(&root, "semantics", &[case]);
            assert_exact(program, ROUNDS, &format!("{case} in {}", root.display()));
        }
    }
}

/// Before 2.34 the first call of an allocator is one of a hook, which sets the allocator up and calls it again.
#[test]
fn the_first_call_of_an_allocator_is_counted_once_on_the_glibc_of_other_releases() {
    for root in releases::roots() {
        for case in CASES.into_iter().filter(|case| !case.ends_with("from_before")) {
            let program = Target::c_in_root(&root, "semantics", &[case, "first"]);
            assert_exact(program, 1, &format!("{case} in {}", root.display()));
        }
    }
}

#[test]
fn a_threaded_program_on_the_glibc_of_other_releases_ends_with_the_live_set_of_its_own_books() {
    for root in releases::roots() {
        for seed in ["1", "2", "3"] {
            let program = Target::c_in_root(&root, "churn", &[seed]);
            assert_exact(program, 5_000, &format!("seed {seed} in {}", root.display()));
        }
    }
}

/// To the kernel the program is the loader then.
#[test]
fn a_program_that_another_releases_loader_was_told_to_run_is_traced() {
    for root in releases::roots() {
        let (_library, program) = start_by_loader(&root, &["churn", "7"]);
        assert_exact(program, 5_000, &root.display().to_string());
        let (_library, program) = start_by_loader(&root, &["semantics", "page_aligned"]);
        assert_exact(program, ROUNDS, &root.display().to_string());
    }
}

/// Copies: what runs may not depend on where the release's directory is.
fn start_by_loader(root: &Path, program_and_argument: &[&str; 2]) -> (TempDir, Target) {
    let directory = tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable");
    let libraries = root.join("lib/x86_64-linux-gnu");
    for (from, to) in [
        ("ld-linux-x86-64.so.2", "loader"),
        ("libc.so.6", "libc.so.6"),
        ("libpthread.so.0", "libpthread.so.0"),
    ] {
        fs::copy(libraries.join(from), directory.path().join(to)).expect("the release has it");
    }
    let [program, argument] = program_and_argument;
    let program = compile::program_of_release(root, program);
    let arguments = [
        OsStr::new("--library-path"),
        directory.path().as_os_str(),
        program.as_os_str(),
        OsStr::new(argument),
    ];
    let target = Target::executable(&directory.path().join("loader"), &arguments);
    (directory, target)
}
