//! Python programs that forge their interpreter's structures while they allocate.

use std::collections::BTreeMap;

use memtrace_core::attribute::python::inspect;
use serde_json::Value;

use crate::support::compile;
use crate::support::interpreters::{self, Interpreter};
use crate::support::memory::{ProcessMemory, RuntimeFinder};
use crate::support::memtrace::Memtrace;
use crate::support::poll;
use crate::support::releases;
use crate::support::report::Report;
use crate::support::snapshot::{Process, Site};
use crate::support::target::Target;

/// What the program calls, innermost first.
const CALLERS: [&str; 5] = ["innermost", "middle", "outermost", "main", "<module>"];
const BLOCKS: u64 = 7;

/// What must be left of the Python stack.
enum Left {
    Whole,
    Nothing,
    /// The innermost frame, once.
    Innermost,
    /// The innermost frame, again and again.
    Circle,
    /// The first frame without a name, because its code cannot be read; the others as they are.
    Nameless,
}

/// Word, value, what is left, and why the walk ends.
const FORGERIES: [(&str, &str, Left, &str); 18] = [
    ("none", "same", Left::Whole, "complete"),
    ("slot", "zero", Left::Nothing, "no_thread_state"),
    ("slot", "unmapped", Left::Nothing, "read_fault"),
    ("slot", "misaligned", Left::Nothing, "bad_pointer"),
    ("slot", "kernel", Left::Nothing, "bad_pointer"),
    ("frame", "zero", Left::Nothing, "complete"),
    ("frame", "unmapped", Left::Nothing, "read_fault"),
    ("frame", "misaligned", Left::Nothing, "bad_pointer"),
    ("frame", "kernel", Left::Nothing, "bad_pointer"),
    ("frame", "circle", Left::Nothing, "truncated"),
    ("outer", "zero", Left::Innermost, "complete"),
    ("outer", "unmapped", Left::Innermost, "read_fault"),
    ("outer", "misaligned", Left::Innermost, "bad_pointer"),
    ("outer", "kernel", Left::Innermost, "bad_pointer"),
    ("outer", "itself", Left::Circle, "truncated"),
    ("code", "unmapped", Left::Nameless, "complete"),
    ("code", "kernel", Left::Nameless, "complete"),
    ("code", "object", Left::Nameless, "complete"),
];

#[test]
fn forged_structures_of_every_interpreter_end_walks_with_a_reason_and_invent_nothing() {
    for interpreter in &interpreters::found() {
        if releases::split(&interpreter.path).is_some() {
            println!(
                "not tested: {} cannot load a library from outside its root",
                interpreter.path.display()
            );
            continue;
        }
        println!("{}", interpreter.path.display());
        check(interpreter);
    }
}

fn check(interpreter: &Interpreter) {
    let mut program = Target::python(&interpreter.path, "forge");
    program.ask(&format!("layout {} {}", compile::library("forge").display(), layout(program.pid())));
    let memtrace = Memtrace::follow(&program);
    for (site, (word, value, ..)) in FORGERIES.iter().enumerate() {
        let forged = program.ask(&format!("forge {site} {word} {value} {}", size(site)));
        assert_eq!(forged["forged"], site);
    }
    assert!(program.is_alive());
    let report = memtrace.stop();
    report.assert_nothing_lost();
    let process = report.process(program.pid());
    for (number, (word, value, left, _)) in FORGERIES.iter().enumerate() {
        check_site(process, number, left, &format!("{}: {word} {value}", interpreter.version));
    }
    check_ends(&report);
}

fn size(site: usize) -> u64 {
    20_000 + 16 * site as u64
}

/// Exact figures, and no Python frame that is not the program's.
fn check_site(process: &Process, number: usize, left: &Left, what: &str) {
    let function = format!("allocate_{number}");
    let sites: Vec<&Site> = process
        .sites
        .iter()
        .filter(|site| site.frames.first().is_some_and(|frame| frame.function.as_ref() == Some(&function)))
        .collect();
    let [site] = sites[..] else { panic!("{what}: {} sites have {function}", sites.len()) };
    let live = (site.figures.live_blocks, site.figures.live_bytes);
    assert_eq!(live, (BLOCKS, BLOCKS * size(number)), "{what}");
    let python: Vec<&str> =
        site.python().iter().map(|frame| frame.function.as_deref().unwrap_or("?")).collect();
    match left {
        Left::Whole => assert_eq!(python, CALLERS, "{what}"),
        Left::Nothing => assert_eq!(python, [""; 0], "{what}"),
        Left::Innermost => assert_eq!(python, CALLERS[..1], "{what}"),
        Left::Circle => {
            assert!(
                python.len() >= 128 && python.iter().all(|name| *name == CALLERS[0]),
                "{what}: {python:?}"
            );
        }
        Left::Nameless => {
            assert_eq!(python, CALLERS[1..], "{what}");
            let reasons: Vec<&str> = site.frames.iter().filter_map(|frame| frame.reason.as_deref()).collect();
            assert!(reasons.iter().any(|reason| reason.starts_with("code_")), "{what}: {reasons:?}");
        }
    }
}

/// Every forgery is a stack of its own, so it counts at least once under its reason.
fn check_ends(report: &Report) {
    let quality = &report.last().quality;
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for (.., end) in &FORGERIES {
        *expected.entry(end).or_default() += 1;
    }
    for (end, count) in expected {
        assert!(quality.stacks_ended[end] >= count, "{end} {count}: {:?}", quality.stacks_ended);
    }
    let short = FORGERIES.iter().filter(|(.., end)| ["read_fault", "bad_pointer", "truncated"].contains(end));
    assert!(quality.stacks_truncated >= short.count() as u64, "{quality:?}");
    let nameless = FORGERIES.iter().filter(|(_, _, left, _)| matches!(left, Left::Nameless));
    assert!(quality.frames_unresolved >= nameless.count() as u64, "{quality:?}");
}

/// Where things are, as memtrace itself finds out.
fn layout(pid: u32) -> String {
    let find = || {
        let runtime = RuntimeFinder::default().find(pid)?;
        let memory = ProcessMemory::open(pid);
        inspect(&memory, runtime.address, runtime.version(&memory)).ok()
    };
    let target = poll::wait_until("the interpreter can be read", find, String::new).target;
    let window = target.window;
    let numbers: [Value; 8] = [
        target.thread_state_offset.into(),
        target.thread_state_index_offset.into(),
        target.thread_state_indirect.into(),
        target.frame_offset.into(),
        target.cframe_offset.into(),
        window.start.into(),
        window.code.into(),
        window.outer.into(),
    ];
    numbers.map(|number| number.to_string()).join(" ")
}
