//! Reports made by hand, and what becomes of them.

use super::*;
use crate::doctor::report::{CostReport, Status};

/// One of everything.
pub(in crate::doctor) fn full_report() -> Report {
    let site = SiteReport {
        functions: vec!["malloc".into(), "__libc_malloc".into()],
        offset_in_function: 4,
        file_offset: 0x9a_0f4,
        instruction: "push rbx".into(),
        execution: "emulated".into(),
    };
    let missing =
        MissingReport { functions: vec!["cfree".into()], reason: "not defined in this file".into() };
    Report {
        version: "0.1.0".into(),
        items: vec![
            Item::new("kernel", Status::Ok, "Linux 6.1.0, x86_64"),
            Item::new("uprobes", Status::Weaker, "a perf event for each probe"),
        ],
        costs: Some(CostReport {
            entry_ns: 505,
            stepped_entry_ns: 9_340,
            return_ns: 330,
            stack_ns: 1_200,
            stack_frames: 8,
            hits_per_second_of_1_percent: 19_801,
            stepped_hits_per_second_of_1_percent: 1_070,
        }),
        process: Some(ProcessReport {
            pid: 4242,
            comm: "python3".into(),
            exe: Some("/usr/bin/python3.11".into()),
            is_readable: true,
            allocators: vec![AllocatorReport {
                domain: "libc",
                path: "/lib/libc.so.6".into(),
                build_id: Some("ab01".into()),
                sites: vec![site],
                missing: vec![missing],
            }],
            python: Some(PythonReport {
                path: "/usr/bin/python3.11".into(),
                build_id: None,
                version: Some("3.11".into()),
                identified_by: "the symbol Py_Version",
                thread_state: Ok("fs+0x318".into()),
            }),
            notes: vec!["something to know".into()],
        }),
    }
}

#[test]
fn a_full_report_is_one_screen() {
    let expected = "\
memtrace 0.1.0 can trace here

ok      kernel                Linux 6.1.0, x86_64
weaker  uprobes               a perf event for each probe

process 4242  python3  /usr/bin/python3.11
Python 3.11 (by the symbol Py_Version), thread state at fs+0x318
    /usr/bin/python3.11
note    something to know

libc  /lib/libc.so.6
    build id ab01
    malloc __libc_malloc                              +0x4   emulated  push rbx
    no probe: cfree: not defined in this file
";
    assert_eq!(render(&full_report()), expected);
}

#[test]
fn one_missing_thing_is_enough_not_to_trace() {
    let mut report = full_report();
    report.items.push(Item::new("capabilities", Status::Missing, "lacks CAP_BPF. Try: sudo"));
    let text = render(&report);
    assert!(text.starts_with("memtrace 0.1.0 cannot trace here\n"), "{text}");
    assert!(text.contains("missing capabilities          lacks CAP_BPF. Try: sudo\n"), "{text}");
}

#[test]
fn a_process_that_may_not_be_read_is_not_traced() {
    let mut report = full_report();
    let process = report.process.as_mut().expect("it has one");
    process.is_readable = false;
    assert!(!report.can_trace());
}

#[test]
fn a_long_detail_is_broken_at_blanks_under_its_own_column() {
    let detail = ["word"; 40].join(" ");
    let text = render(&Report {
        version: "0".into(),
        items: vec![Item::new("tracefs", Status::Ok, format!("{detail}\n  and more"))],
        costs: None,
        process: None,
    });
    assert!(text.lines().count() > 3 && text.lines().all(|line| line.len() <= WIDTH), "{text}");
    let words = text.split_whitespace().filter(|word| *word == "word").count();
    assert_eq!(words, 40, "{text}");
    assert!(text.ends_with(&format!("{}and more\n", " ".repeat(INDENT))), "{text}");
}

#[test]
fn names_of_a_target_cannot_act_on_the_terminal() {
    let mut report = full_report();
    let process = report.process.as_mut().expect("it has one");
    process.comm = "\x1b[2J".into();
    process.exe = Some("/tmp/\n\u{202e}x".into());
    process.notes = vec!["/tmp/\x07 cannot be opened".into()];
    process.allocators[0].path = "/tmp/\r".into();
    process.allocators[0].sites[0].functions = vec!["\x1b]0;x\x07".into()];
    let text = render(&report);
    let is_plain = |character: char| character == '\n' || !character.is_control();
    assert!(text.chars().all(is_plain) && !text.contains('\u{202e}'), "{text:?}");
}
