//! The text, the table of families and the documentation say the same, and Prometheus' own linter agrees.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::super::metrics_state::OTHER;
use super::*;
use crate::limits::COMM_LABELS;
use crate::render::fixtures::{hostile, process, snapshot};

const METRICS_PAGE: &str = include_str!("../../../../docs/metrics.md");
const DROP_REASONS_PAGE: &str = include_str!("../../../../docs/drop-reasons.md");

fn text(snapshot: &Snapshot) -> String {
    metrics(&mut MetricsState::new(), snapshot)
}

fn rows(page: &str) -> Vec<Vec<String>> {
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

#[test]
fn the_documentation_has_a_row_for_every_family_and_no_other() {
    let families: Vec<Vec<String>> = FAMILIES
        .iter()
        .map(|family| {
            [family.name, family.kind.name(), family.label().unwrap_or("-"), family.help]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    assert_eq!(rows(METRICS_PAGE), families);
}

#[test]
fn the_documentation_has_a_row_for_every_drop_reason_and_no_other() {
    let normal = |text: &str| text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ");
    let reasons: Vec<Vec<String>> = DropReason::ALL
        .iter()
        .map(|reason| vec![reason.name().to_owned(), normal(reason.meaning())])
        .collect();
    assert_eq!(rows(DROP_REASONS_PAGE), reasons);
}

#[test]
fn the_documentation_states_the_limit_on_series() {
    let by_comm = FAMILIES.iter().filter(|family| family.label() == Some("comm")).count();
    assert_eq!(by_comm, 14);
    assert_eq!((COMM_LABELS, by_comm * (COMM_LABELS + 1)), (200, 2_814), "docs/metrics.md says so");
}

#[test]
fn every_family_is_in_the_output_even_without_a_process() {
    let text = text(&snapshot(Vec::new()));
    for family in FAMILIES {
        assert!(text.contains(&format!("# HELP {} {}\n", family.name, family.help)), "{}", family.name);
        assert!(
            text.contains(&format!("# TYPE {} {}\n", family.name, family.kind.name())),
            "{}",
            family.name
        );
    }
}

#[test]
fn every_drop_reason_is_exposed_even_when_zero() {
    let mut snapshot = snapshot(Vec::new());
    snapshot.quality.dropped.clear();
    snapshot.quality.dropped.insert(DropReason::RingFull, 3);
    let text = text(&snapshot);
    for reason in DropReason::ALL {
        let count = if reason == DropReason::RingFull { 3 } else { 0 };
        let line = format!("memtrace_events_dropped_total{{reason=\"{}\"}} {count}\n", reason.name());
        assert!(text.contains(&line), "{line}");
    }
}

#[test]
fn figures_of_the_same_comm_are_summed() {
    let text = text(&snapshot(vec![process(1, "python3"), process(2, "python3"), process(3, "node")]));
    let live_bytes = process(1, "python3").totals.live_bytes;
    assert!(text.contains(&format!("memtrace_heap_live_bytes{{comm=\"python3\"}} {}\n", 2 * live_bytes)));
    assert!(text.contains("memtrace_group_processes{comm=\"node\"} 1\n"));
    assert!(text.contains("memtrace_heap_allocations_total{comm=\"python3\"} 2600000\n"));
    assert!(text.contains("memtrace_group_processes{comm=\"other\"} 0\n"));
    assert!(text.contains("memtrace_tracked_processes 3\n"));
}

#[test]
fn counters_stay_when_their_process_exits_and_gauges_vanish() {
    let mut state = MetricsState::new();
    assert!(metrics(&mut state, &snapshot(vec![process(1, "python3")])).contains("comm=\"python3\""));
    let text = metrics(&mut state, &snapshot(Vec::new()));
    assert!(text.contains("memtrace_heap_allocations_total{comm=\"python3\"} 1300000\n"));
    assert!(!text.contains("memtrace_heap_live_bytes{comm=\"python3\"}"));
    assert!(!text.contains("memtrace_group_processes{comm=\"python3\"}"));
}

#[test]
fn label_values_of_hostile_processes_are_escaped() {
    let mut process = process(1, "a\"b\\c\nd");
    process.info.cmdline.clear();
    let text = text(&snapshot(vec![process]));
    assert!(text.contains(r#"memtrace_group_processes{comm="a\"b\\c\nd"} 1"#));
    assert!(
        text.lines().all(|line| line.starts_with('#')
            || line.starts_with("memtrace_")
            || line.starts_with("process_"))
    );
}

#[test]
fn the_number_of_series_is_bounded() {
    let crowd = (0..3_000).map(|pid| process(pid, &format!("comm-{pid}"))).collect();
    let text = text(&snapshot(crowd));
    let series = text.lines().filter(|line| line.starts_with("memtrace_group_processes{")).count();
    assert_eq!(series, COMM_LABELS + 1);
    let other = format!("memtrace_group_processes{{comm=\"{OTHER}\"}} {}\n", 3_000 - COMM_LABELS);
    assert!(text.contains(&other));
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        println!("not checked: promtool is not installed (Debian: apt-get install prometheus)");
        return;
    };
    let mut all = snapshot(vec![process(1, "python3"), process(2, "a\"b\\c\nd")]);
    all.processes.extend(hostile().processes);
    promtool.stdin.take().unwrap().write_all(text(&all).as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}
