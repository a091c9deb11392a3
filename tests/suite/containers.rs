//! Programs in roots and namespaces of their own, on libraries that are not this machine's.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::container::Image;
use crate::support::figures::{Figures, Live};
use crate::support::memtrace::Memtrace;
use crate::support::report::Report;
use crate::support::target::Target;
use crate::support::{comm, compile, source};

const ROUNDS: u64 = 200;
const ALLOCATIONS_A_ROUND: u64 = 101;

/// Starts `leak` in a container.
fn leak_in(command: impl FnOnce(&str) -> Command, comm: String) -> Target {
    let command = command(&comm);
    Target::contained(comm, command)
}

/// Works; returns the books.
fn work(program: &mut Target) -> Figures {
    program.go(ROUNDS);
    program.books()
}

fn assert_leaked(report: &Report, program: &Target, books: &Figures) {
    let figures = report.process(program.pid()).figures;
    assert_eq!((figures.live_blocks, figures.live_bytes), (books.live_blocks, books.live_bytes));
    assert_eq!(figures.allocations, ROUNDS * ALLOCATIONS_A_ROUND);
    assert_eq!(figures.frees, ROUNDS * (ALLOCATIONS_A_ROUND - 1));
}

#[test]
fn a_container_is_found_by_pid_and_its_own_libc_is_traced() {
    for is_user_namespace in [false, true] {
        let (image, comm) = (Image::new(), comm::unique("cont"));
        image.add_program(&compile::program("leak"), &comm);
        let mut program = leak_in(|comm| image.command(is_user_namespace, comm), comm);
        assert_runs_none_of_this_machines_files(program.pid());
        let memtrace = Memtrace::follow(&program);
        let books = work(&mut program);
        let report = memtrace.stop();
        report.assert_nothing_lost();
        assert_leaked(&report, &program, &books);
        let top = report.process(program.pid()).top();
        let line = source::line_of("c/leak.c", "// LEAK");
        assert!(top.frames[0].is_at("leak.c", line), "{top:#?}");
    }
}

/// Its first allocation is its first after attach: nothing of it may be missed.
#[test]
fn a_container_that_starts_later_is_found_by_its_name() {
    let (image, comm) = (Image::new(), comm::unique("cont"));
    image.add_program(&compile::program("leak"), &comm);
    let memtrace = Memtrace::follow_comm(&comm);
    let mut program = leak_in(|comm| image.command(false, comm), comm);
    memtrace.wait_attached(program.pid());
    let books = work(&mut program);
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_leaked(&report, &program, &books);
}

/// Both roots are overlays: to the kernel's probes their C libraries are one file.
#[test]
fn two_containers_on_one_image_are_counted_once_each() {
    let (image, comm) = (Image::new(), comm::unique("over"));
    image.add_program(&compile::program("leak"), &comm);
    let homes =
        [0, 1].map(|_| tempfile::tempdir_in(compile::directory()).expect("the directory is writable"));
    let memtrace = Memtrace::follow_comm(&comm);
    let mut programs =
        homes.each_ref().map(|home| leak_in(|name| image.overlaid(home.path(), name), comm.clone()));
    for program in &programs {
        memtrace.wait_attached(program.pid());
    }
    let books = programs.each_mut().map(work);
    let report = memtrace.stop();
    report.assert_nothing_lost();
    for (program, books) in programs.iter().zip(&books) {
        assert_leaked(&report, program, books);
    }
}

/// The library by its path in the overlay, and the same inode by its path in the layer below.
#[test]
fn a_library_mapped_through_an_overlay_and_from_below_it_is_counted_once() {
    let (image, comm) = (Image::new(), comm::unique("both"));
    let program = compile::program("two_paths");
    image.add_program(&program, &comm);
    let home = tempfile::tempdir_in(compile::directory()).expect("the directory is writable");
    let mut command = image.overlaid(home.path(), &comm);
    command.arg(Path::new("/lower").join(libc_in(&image)));
    assert_counted_once(Target::contained(comm, command));
}

#[test]
fn a_library_mapped_by_two_names_is_counted_once() {
    let (image, comm) = (Image::new(), comm::unique("two"));
    image.add_program(&compile::program("two_paths"), &comm);
    let other_name = image.root().join("other");
    fs::hard_link(image.root().join(libc_in(&image)), other_name).expect("on one file system");
    let mut command = image.command(false, &comm);
    command.arg("/other");
    assert_counted_once(Target::contained(comm, command));
}

fn assert_counted_once(mut program: Target) {
    let memtrace = Memtrace::follow(&program);
    let books = work(&mut program);
    let report = memtrace.stop();
    report.assert_nothing_lost();
    assert_eq!(report.process(program.pid()).figures, books);
}

#[test]
fn python_in_a_container_shows_its_lines_under_the_names_that_it_knows() {
    let python = Path::new("/usr/bin/python3.11");
    if !python.exists() {
        println!("not tested: no /usr/bin/python3.11 to copy into a container");
        return;
    }
    let (image, comm) = (Image::new(), comm::unique("pyth"));
    image.add_program(python, &comm);
    add_standard_library(&image);
    fs::create_dir(image.root().join("app")).expect("the root is ours");
    for file in ["json_service.py", "protocol.py"] {
        fs::copy(source::path("python").join(file), image.root().join("app").join(file))
            .expect("there is room");
    }
    let mut command = image.command(false, &comm);
    command.arg("/app/json_service.py").env("PYTHONHOME", "/usr").env("PYTHONDONTWRITEBYTECODE", "1");
    let mut service = Target::contained(comm.clone(), command);
    let memtrace = Memtrace::follow_comm(&comm);
    memtrace.wait_attached(service.pid());
    service.go(500);
    let books: Live = service.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    let top = report.process(service.pid()).top();
    let line = source::line_of("python/json_service.py", "# LEAK");
    let frame = top.python()[0];
    assert_eq!((frame.file.as_deref(), frame.line), (Some("/app/json_service.py"), Some(line)), "{top:#?}");
    assert_eq!((top.figures.live_blocks, top.figures.live_bytes), (books.live_blocks, books.live_bytes));
}

/// What starting an interpreter and `json` take.
fn add_standard_library(image: &Image) {
    let library = Path::new("/usr/lib/python3.11");
    for entry in fs::read_dir(library).expect("Python has its library").flatten() {
        let name = entry.file_name();
        let is_module = entry.path().extension().is_some_and(|extension| extension == "py");
        let packages = ["collections", "encodings", "importlib", "json", "re"];
        if is_module || packages.iter().any(|package| name == *package) {
            image.add_tree(&entry.path());
        }
    }
}

/// The C library's path below the root of an image.
fn libc_in(image: &Image) -> PathBuf {
    let directories = ["lib/x86_64-linux-gnu", "lib64", "usr/lib64"].map(PathBuf::from);
    let paths = directories.into_iter().map(|directory| directory.join("libc.so.6"));
    paths.into_iter().find(|path| image.root().join(path).exists()).expect("the image has a C library")
}

fn assert_runs_none_of_this_machines_files(pid: u32) {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process runs");
    let libc = maps.lines().find(|line| line.ends_with("/libc.so.6")).expect("it maps a C library");
    let inode: u64 = libc.split_whitespace().nth(4).and_then(|inode| inode.parse().ok()).expect("an inode");
    let own = fs::read_to_string("/proc/self/maps").expect("a process may read its own mappings");
    let own =
        own.lines().find(|line| line.ends_with("/libc.so.6")).and_then(|line| line.split_whitespace().last());
    let own = fs::metadata(own.expect("this test maps a C library")).expect("it is there");
    assert_ne!(inode, own.ino());
}
