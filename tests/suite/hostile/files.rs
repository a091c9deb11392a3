//! Files that are not what they are called, and files that must not be opened.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde::Deserialize;
use tempfile::TempDir;

use crate::support::compile;
use crate::support::figures::Figures;
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;

#[derive(Deserialize)]
struct Books {
    #[serde(flatten)]
    figures: Figures,
}

fn directory() -> TempDir {
    tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable")
}

/// A real library's beginning: its headers promise what is not there.
fn beginning_of_a_library(bytes: usize) -> Vec<u8> {
    let mut library = fs::read(compile::library("tiny")).expect("it was compiled");
    library.truncate(bytes);
    library
}

/// Section headers beyond the end of all files, as many as there can be.
fn library_with_absurd_sections() -> Vec<u8> {
    let mut library = fs::read(compile::library("tiny")).expect("it was compiled");
    library[0x28..0x30].copy_from_slice(&0x7fff_ffff_ffff_0000_u64.to_le_bytes());
    library[0x3c..0x3e].copy_from_slice(&u16::MAX.to_le_bytes());
    library
}

#[test]
fn files_that_only_look_like_libraries_are_noted_and_the_program_is_traced() {
    let directory = directory();
    let garbage: Vec<u8> =
        (0..8192_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let files = [
        ("libc.so.6", garbage),
        ("libc-2.so", beginning_of_a_library(700)),
        ("libpython3.11.so.1.0", beginning_of_a_library(4096)),
        ("libpython3.12.so.1.0", library_with_absurd_sections()),
        ("libpython3.10.so.1.0", fs::read(compile::library("tiny")).expect("it was compiled")),
        ("ld-musl-x86_64.so.1", vec![0x7f; 4096]),
    ];
    let paths = files.each_ref().map(|(name, bytes)| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).expect("there is room");
        path.to_str().expect("our own name").to_owned()
    });
    let mut arguments = vec!["maps"];
    arguments.extend(paths.iter().map(String::as_str));
    let mut program = Target::c("hostile", &arguments);
    let memtrace = Memtrace::follow(&program);
    program.go(100);
    let books: Books = program.books();
    let report = memtrace.stop();
    assert_eq!(report.process(program.pid()).figures, books.figures, "{}", report.said.stderr);
    let noted = report.said.warnings.iter().filter(|warning| warning.to_string().contains("cannot be read"));
    assert!(noted.count() >= 2, "{:?}", report.said.warnings);
}

/// Opening a pipe waits for a writer: a debug link that names one must not stop the attaching thread.
#[test]
fn a_debug_link_to_a_pipe_is_not_opened() {
    let directory = directory();
    let copy = directory.path().join("program");
    fs::copy(compile::static_program("leak", true), &copy).expect("there is room");
    let debug = directory.path().join("program.debug");
    File::create(&debug).and_then(|mut file| file.write_all(b"x")).expect("there is room");
    let linked = directory.path().join("linked");
    let status = Command::new("objcopy")
        .arg(format!("--add-gnu-debuglink={}", debug.display()))
        .args([&copy, &linked])
        .status()
        .expect("`objcopy` is installed (Debian: apt install binutils)");
    assert!(status.success());
    fs::remove_file(&debug).expect("it is ours");
    make_pipe(&debug);
    let program = Target::executable(&linked, &[]);
    let other = Target::c("leak", &[]);
    let memtrace = Memtrace::start(&["--pid", &program.pid().to_string(), "--pid", &other.pid().to_string()]);
    memtrace.wait_attached(other.pid());
    assert_eq!(memtrace.stop().status.code(), Some(0));
}

fn make_pipe(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).expect("a pipe can be made");
}

/// Symbols are read from the library while it is cut and filled again.
#[test]
fn a_library_that_is_cut_while_it_is_read_costs_its_names_and_nothing_else() {
    let directory = directory();
    let whole = fs::read(compile::library("tiny")).expect("it was compiled");
    let paths: Vec<String> = (0..100)
        .map(|index| {
            let path = directory.path().join(format!("libcut{index}.so"));
            fs::write(&path, &whole).expect("there is room");
            path.to_str().expect("our own name").to_owned()
        })
        .collect();
    let arguments: Vec<&str> = ["libraries"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let mut program = Target::c("hostile", &arguments);
    let memtrace = Memtrace::follow(&program);
    program.go(1);
    let stop = Arc::new(AtomicBool::new(false));
    let cutter = {
        let (stop, paths) = (Arc::clone(&stop), paths.clone());
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for path in &paths {
                    let file = File::options().write(true).open(path).expect("it is ours");
                    file.set_len(64).expect("it can be cut");
                }
                for path in &paths {
                    fs::write(path, &whole).expect("there is room");
                }
            }
        })
    };
    for _ in 0..5 {
        memtrace.wait_for_process(program.pid(), "reports go on", |process| {
            process.figures.live_bytes >= 100 * 4321
        });
    }
    stop.store(true, Ordering::Relaxed);
    cutter.join().expect("it only writes files");
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    assert!(program.is_alive());
}
