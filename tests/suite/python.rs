//! Python's lines, on every interpreter found.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::support::figures::Live;
use crate::support::memtrace::Memtrace;
use crate::support::pythons::{self, Python};
use crate::support::snapshot::{Process, Site};
use crate::support::source;
use crate::support::target::Target;

#[derive(Deserialize)]
struct Shape {
    functions: Vec<String>,
    #[serde(flatten)]
    live: Live,
}

#[test]
fn the_leaking_line_of_a_json_service_is_the_top_site_with_exact_bytes() {
    let line = source::line_of("python/json_service.py", "# LEAK");
    for python in pythons::all() {
        let mut service = Target::python(&python.path, "json_service");
        let memtrace = Memtrace::follow_comm(service.comm());
        memtrace.wait_attached(service.pid());
        service.go(2_000);
        let books: Live = service.books();
        let report = memtrace.stop();
        report.assert_nothing_lost();
        let top = report.process(service.pid()).top();
        assert!(top.is_at("json_service.py", line), "{python:?}: {top:#?}");
        assert_eq!(live_of(top), books, "{python:?}: {top:#?}");
        assert_functions(top, &["handle", "go", "serve"], &python);
    }
}

/// An array's own structure is numpy's overhead: at most 512 bytes a call.
#[test]
fn numpy_arrays_are_shown_at_the_line_that_asked_for_them() {
    let line = source::line_of("python/numpy_ones.py", "# LEAK");
    let pythons: Vec<Python> = pythons::all().into_iter().filter(|python| python.has_numpy).collect();
    assert!(!pythons.is_empty(), "no interpreter has numpy: `apt install python3-numpy`");
    for python in pythons {
        let mut program = Target::python(&python.path, "numpy_ones");
        let memtrace = Memtrace::follow(&program);
        program.go(100);
        let books: Live = program.books();
        let report = memtrace.stop();
        report.assert_nothing_lost();
        let process = report.process(program.pid());
        let of_the_line = process.sum(|site| goes_through(site, "numpy_ones.py", line));
        let overhead = of_the_line.live_bytes.checked_sub(books.live_bytes);
        assert!(
            overhead.is_some_and(|bytes| bytes <= 512 * books.live_blocks),
            "{python:?}: {of_the_line:?}"
        );
        assert_eq!(live_of(process.top()), books, "{python:?}");
        assert!(goes_through(process.top(), "numpy_ones.py", line), "{python:?}: {:#?}", process.top());
    }
}

#[test]
fn small_objects_are_exact_where_the_object_allocator_is_not_inlined() {
    let line = source::line_of("python/small_objects.py", "# KEEP");
    let pythons: Vec<Python> = pythons::all().into_iter().filter(|python| !python.has_pgo).collect();
    assert!(
        !pythons.is_empty(),
        "every interpreter found is a PGO build: install one with `pyenv install 3.12`"
    );
    for python in pythons {
        let mut program = Target::python(&python.path, "small_objects");
        let memtrace = Memtrace::follow_with(&program, &["--python-objects"]);
        program.go(20_000);
        let books: Live = program.books();
        let report = memtrace.stop();
        report.assert_nothing_lost();
        let process = report.process(program.pid());
        let sum = process.sum(|site| site.domain == "pymalloc" && site.is_at("small_objects.py", line));
        assert_eq!((sum.live_blocks, sum.live_bytes), (books.live_blocks, books.live_bytes), "{python:?}");
    }
}

#[test]
fn every_shape_of_python_stack_has_its_functions_and_line() {
    for python in pythons::all() {
        let mut program = Target::python(&python.path, "shapes");
        let memtrace = Memtrace::follow(&program);
        program.go(20);
        let books: BTreeMap<String, Shape> = program.books();
        let report = memtrace.stop();
        let process = report.process(program.pid());
        for (name, shape) in &books {
            let line = source::line_of("python/shapes.py", &format!("# SHAPE {name}"));
            let site = largest_at(process, "shapes.py", line)
                .unwrap_or_else(|| panic!("{python:?}: nothing at the line of {name}, {line}"));
            let sum = process.sum(|site| site.is_at("shapes.py", line));
            assert_eq!((sum.live_blocks, sum.live_bytes), of(shape.live), "{python:?}: {name}");
            let functions: Vec<&str> = shape.functions.iter().map(String::as_str).collect();
            assert_functions(site, &functions, &python);
        }
    }
}

#[test]
fn a_stack_deeper_than_the_limit_keeps_its_128_innermost_frames_and_is_counted() {
    let line = source::line_of("python/shapes.py", "# SHAPE recursion");
    for python in pythons::all() {
        let mut program = Target::python(&python.path, "shapes");
        let memtrace = Memtrace::follow(&program);
        program.go(1);
        let report = memtrace.stop();
        let process = report.process(program.pid());
        let site = largest_at(process, "shapes.py", line).expect("the line of the recursion is there");
        let in_recursion = site.python().iter().filter(|frame| frame.is_in("recursion")).count();
        assert!(in_recursion >= 128, "{python:?}: {in_recursion} frames");
        assert!(report.last().quality.stacks_truncated > 0, "{python:?}");
    }
}

fn live_of(site: &Site) -> Live {
    Live { live_blocks: site.figures.live_blocks, live_bytes: site.figures.live_bytes }
}

fn of(live: Live) -> (u64, u64) {
    (live.live_blocks, live.live_bytes)
}

fn goes_through(site: &Site, file: &str, line: u32) -> bool {
    site.python().iter().any(|frame| frame.is_at(file, line))
}

fn largest_at<'a>(process: &'a Process, file: &str, line: u32) -> Option<&'a Site> {
    let there = process.sites.iter().filter(|site| site.is_at(file, line));
    there.max_by_key(|site| site.figures.live_bytes)
}

fn assert_functions(site: &Site, functions: &[&str], python: &Python) {
    let frames = site.python();
    assert!(frames.len() >= functions.len(), "{python:?}: {frames:#?}");
    for (frame, function) in frames.iter().zip(functions) {
        assert!(frame.is_in(function), "{python:?}: {function} is expected, not {frame:?}");
    }
}
