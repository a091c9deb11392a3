//! Golden blocks: what a person sees.

use insta::assert_snapshot;
use memtrace_common::DropReason;

use super::*;
use crate::model::OtherSites;
use crate::render::fixtures::{hostile, leaking_site, process, python, sampled_process, snapshot};

fn plain(snapshot: &Snapshot) -> String {
    table(snapshot, &TableOptions::default())
}

#[test]
fn a_leaking_python_service() {
    assert_snapshot!(plain(&snapshot(vec![process(4121, "python3.11")])));
}

#[test]
fn internal_frames_are_shown_on_request() {
    let options = TableOptions { show_internal: true, ..TableOptions::default() };
    assert_snapshot!(table(&snapshot(vec![process(4121, "python3.11")]), &options));
}

#[test]
fn a_hot_service_is_sampled_and_says_how_sure_it_is() {
    assert_snapshot!(plain(&snapshot(vec![sampled_process(4121, "python3.11")])));
}

#[test]
fn no_process_matches_yet() {
    assert_snapshot!(plain(&snapshot(Vec::new())));
}

#[test]
fn an_exited_process_beside_one_with_nothing_live() {
    let mut exited = process(4121, "python3.11");
    exited.state = ProcessState::Exited;
    exited.rss_bytes = None;
    exited.totals.frees_unknown = 12;
    let mut empty = process(4188, "python3.12");
    empty.totals = crate::model::Totals::default();
    empty.rates = crate::model::Rates::default();
    empty.sites.clear();
    empty.other_sites = OtherSites::default();
    empty.notes = vec!["not traceable: static binary".to_owned()];
    assert_snapshot!(plain(&snapshot(vec![exited, empty])));
}

#[test]
fn processes_that_exited_with_nothing_live_share_a_line() {
    let gone = |pid, comm| {
        let mut process = process(pid, comm);
        process.state = ProcessState::Exited;
        process.totals = crate::model::Totals::default();
        process.sites.clear();
        process.other_sites = OtherSites::default();
        process
    };
    let text = plain(&snapshot(vec![gone(7, "b"), process(4121, "python3.11"), gone(8, "a"), gone(9, "b")]));
    assert!(text.contains("\n\n3 processes exited with nothing live: a, b\n\nquality"), "{text}");
    assert!(text.contains("python3.11 [4121]") && !text.contains("[7]"), "{text}");

    let mut noted = gone(7, "b");
    noted.notes = vec!["libc cannot be read".to_owned()];
    assert!(plain(&snapshot(vec![noted])).contains("b [7]  exited"));
}

#[test]
fn small_objects_of_pymalloc() {
    let mut process = process(4121, "python3.11");
    process.sites[0].domain = Domain::Pymalloc;
    process.sites[0].oldest_age_ns = None;
    process.sites[0].frames = vec![python("fib", "fib.py", 3); 40];
    process.sites[0].frames.push(python("<module>", "fib.py", 9));
    assert_snapshot!(plain(&snapshot(vec![process])));
}

#[test]
fn losses_are_named_in_the_last_line() {
    let mut snapshot = snapshot(vec![process(4121, "python3.11")]);
    snapshot.quality.dropped.insert(DropReason::RingFull, 1_203);
    snapshot.quality.dropped.insert(DropReason::LedgerFull, 7);
    snapshot.quality.stacks_truncated = 3;
    snapshot.quality.frames_unresolved = 1;
    snapshot.own_cost.ledger_blocks = 15_200_000;
    let text = plain(&snapshot);
    let last = text.trim_end().lines().last().unwrap_or_default();
    assert_snapshot!(last, @"quality: 2,585,187 events, 1,210 dropped (ring_full 1,203, ledger_full 7), 3 stacks truncated, 1 frame without a name, ledger 95.0 % full (15.2 M of 16.0 M blocks); memtrace itself: 0.6 % CPU, 41.0 MiB");
}

#[test]
fn hostile_names_cannot_steer_the_terminal() {
    let text = plain(&hostile());
    assert!(!text.chars().any(|character| character.is_control() && character != '\n'));
    assert_eq!(text.lines().filter(|line| line.starts_with("quality:")).count(), 1);
    assert_snapshot!(text);
}

#[test]
fn at_eighty_columns_only_notes_and_the_last_line_are_longer() {
    let mut process = process(4121, "python3.11");
    process.info.cmdline.push("--configuration=/etc/service/production/very-long-name.toml".to_owned());
    process.totals.frees_unknown = 1_204_331;
    process.sites[0].frames.push(python(
        "BaseHTTPRequestHandler.handle_one_request",
        "/usr/lib/python3.11/site-packages/framework/server/handlers/http/server.py",
        424,
    ));
    let options = TableOptions { width: Some(80), ..TableOptions::default() };
    let text = table(&snapshot(vec![process]), &options);
    for line in text.lines().filter(|line| !line.starts_with("quality:")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_snapshot!(text);
}

#[test]
fn colour_adds_only_escape_sequences() {
    let snapshot = snapshot(vec![process(4121, "python3.11")]);
    let colored = table(&snapshot, &TableOptions { color: true, ..TableOptions::default() });
    assert!(colored.contains("\x1b[1m"));
    let mut stripped = colored;
    for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain(&snapshot));
}

#[test]
fn claims_beyond_all_memory_do_not_overflow() {
    let mut process = process(666, "liar");
    process.totals.live_bytes = u64::MAX;
    process.totals.live_blocks = u64::MAX;
    assert!(plain(&snapshot(vec![process.clone(), process])).contains("16.0 EiB live"));
}

#[test]
fn a_command_line_of_megabytes_is_cut_in_a_pipe_too() {
    let mut process = process(4121, "python3.11");
    process.info.cmdline = vec!["x".repeat(100); 20_000];
    let text = plain(&snapshot(vec![process]));
    assert!(text.lines().all(|line| line.chars().count() <= NAME_CHARS + 2));
}

#[test]
fn a_deep_stack_is_cut_and_counted_unless_all_is_asked_for() {
    let mut process = process(4121, "python3.11");
    process.sites = vec![leaking_site()];
    process.sites[0].frames = (1..=60).map(|line| python("call", "deep.py", line)).collect();
    let snapshot = snapshot(vec![process]);
    assert!(plain(&snapshot).contains("      ... 36 more frames\n"));
    let all = table(&snapshot, &TableOptions { stack_lines: None, ..TableOptions::default() });
    assert!(all.contains("call (deep.py:60)"));
}
