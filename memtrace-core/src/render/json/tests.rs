//! The lines, the schema and the documentation say the same.

use std::collections::BTreeSet;

use memtrace_common::StackEnd;
use serde_json::Value;

use super::*;
use crate::model::{ProcessState, Snapshot as Moment};
use crate::render::fixtures::{hostile, process, sampled_process, snapshot as moment};

mod schema;

const SCHEMA_TEXT: &str = include_str!("../../../../docs/schema/memtrace.schema.json");
const DOCUMENTATION: &str = include_str!("../../../../docs/json.md");

fn schema() -> Value {
    serde_json::from_str(SCHEMA_TEXT).unwrap()
}

fn parsed(line: &str) -> Value {
    assert_eq!(line.find('\n'), Some(line.len() - 1), "one line, ended: {line}");
    serde_json::from_str(line).unwrap()
}

fn snapshot_value(moment: &Moment) -> Value {
    parsed(&snapshot(moment, JsonOptions::default()))
}

fn every_line() -> Vec<Value> {
    let mut exited = process(7, "python3.11");
    exited.state = ProcessState::Exited;
    exited.rss_bytes = None;
    exited.info.exe = None;
    exited.notes = vec!["a note".to_owned()];
    let argv = ["memtrace".to_owned(), "--json".to_owned()];
    vec![
        parsed(&begin(&Begin { version: "0.1.0", kernel: "6.18.0", argv: &argv })),
        snapshot_value(&moment(vec![process(4121, "python3.11"), exited])),
        snapshot_value(&moment(Vec::new())),
        snapshot_value(&hostile()),
        parsed(&warning(&Warning { elapsed_ns: 1, pid: None, message: "say \"it\"\nonce" })),
        parsed(&warning(&Warning { elapsed_ns: 1, pid: Some(7), message: "gone" })),
        parsed(&end(&End {
            elapsed_ns: 9,
            snapshots: 2,
            processes_seen: 3,
            events: 4,
            dropped: &BTreeMap::from([(DropReason::RingFull, 5)]),
        })),
    ]
}

#[test]
fn every_line_is_valid_by_the_schema() {
    let schema = schema();
    for line in every_line() {
        assert_eq!(schema::errors(&schema, &line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn the_schema_refuses_missing_unknown_and_mistyped_keys() {
    let schema = schema();
    let good = snapshot_value(&moment(vec![process(4121, "python3.11")]));
    let mut missing = good.clone();
    missing["data"].as_object_mut().unwrap().remove("unix_ns");
    let mut unknown = good.clone();
    unknown["data"]["processes"][0]["sites"][0]["surprise"] = Value::from(1);
    let mut mistyped = good;
    mistyped["data"]["processes"][0]["sites"][0]["id"] = Value::from("7f3a");
    for bad in [missing, unknown, mistyped] {
        assert!(!schema::errors(&schema, &bad).is_empty(), "{bad}");
    }
}

/// The first two cells of a row.
fn key_and_type(row: &str) -> (String, String) {
    let mut cells = row.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', ""));
    (cells.next().unwrap(), cells.next().unwrap())
}

/// A type as the documentation writes it.
fn type_name(rule: &Value) -> String {
    if let Some(target) = rule["$ref"].as_str() {
        return target.replace("#/$defs/", "object ");
    }
    match (&rule["type"], &rule["items"]) {
        (Value::String(name), Value::Null) => name.clone(),
        (Value::Array(names), _) => {
            names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(" or ")
        }
        (_, items) => format!("array of {}", type_name(items).replace("object ", "")),
    }
}

#[test]
fn the_documentation_has_a_row_for_every_key_and_no_other() {
    let schema = schema();
    for (name, heading) in [
        ("begin", "data of begin"),
        ("snapshot", "data of snapshot"),
        ("quality", "quality"),
        ("stacks_ended", "stacks_ended"),
        ("own_cost", "own_cost"),
        ("process", "process"),
        ("overhead", "overhead"),
        ("other_sites", "other_sites"),
        ("site", "site"),
        ("survival", "survival"),
        ("frame", "frame"),
        ("warning", "data of warning"),
        ("end", "data of end"),
    ] {
        let section = DOCUMENTATION.split(&format!("\n## `{heading}`\n")).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let documented: BTreeSet<(String, String)> =
            section.lines().filter(|line| line.starts_with("| `")).map(key_and_type).collect();
        let properties = schema["$defs"][name]["properties"].as_object().unwrap();
        let defined: BTreeSet<(String, String)> =
            properties.iter().map(|(key, rule)| (key.clone(), type_name(rule))).collect();
        assert_eq!(documented, defined, "{name}");
    }
}

#[test]
fn the_schema_knows_every_drop_reason_in_order() {
    let schema = schema();
    let required = schema["$defs"]["dropped"]["required"].as_array().unwrap().clone();
    let names: Vec<Value> = DropReason::ALL.iter().map(|reason| Value::from(reason.name())).collect();
    assert_eq!(required, names);
}

#[test]
fn the_schema_knows_every_end_of_a_stack_in_order() {
    let schema = schema();
    let required = schema["$defs"]["stacks_ended"]["required"].as_array().unwrap().clone();
    let names: Vec<Value> = StackEnd::ALL.iter().map(|end| Value::from(end.name())).collect();
    assert_eq!(required, names);
}

#[test]
fn every_end_of_a_stack_is_a_key_with_its_count() {
    let value = snapshot_value(&moment(vec![process(4121, "python3.11")]));
    let ended = value["data"]["quality"]["stacks_ended"].as_object().unwrap();
    assert_eq!(ended.len(), StackEnd::ALL.len());
    assert_eq!((&ended["read_fault"], &ended["bad_pointer"]), (&Value::from(1), &Value::from(0)));
}

#[test]
fn keys_keep_their_order() {
    let line = snapshot(&moment(vec![process(4121, "python3.11")]), JsonOptions::default());
    assert!(
        line.starts_with(
            r#"{"type":"snapshot","schema":1,"data":{"unix_ns":1800000000000000000,"elapsed_ns":"#
        )
    );
    assert!(line.contains(r#"{"pid":4121,"start_time_ticks":8321,"comm":"python3.11","cmdline":["#));
    assert!(line.contains(r#"{"id":"7f3a90c10042beef","domain":"libc","live_bytes":432013312,"#));
}

#[test]
fn internal_frames_are_left_out_and_counted() {
    let moment = moment(vec![process(4121, "python3.11")]);
    let site = &snapshot_value(&moment)["data"]["processes"][0]["sites"][0];
    assert_eq!((site["frames"].as_array().unwrap().len(), &site["frames_hidden"]), (3, &Value::from(1)));
    assert_eq!(site["frames"][0]["function"], "SessionCache.put");
    let all = parsed(&snapshot(&moment, JsonOptions { show_internal: true }));
    let site = &all["data"]["processes"][0]["sites"][0];
    assert_eq!((site["frames"].as_array().unwrap().len(), &site["frames_hidden"]), (4, &Value::from(0)));
}

#[test]
fn a_short_id_keeps_its_sixteen_digits() {
    let value = snapshot_value(&moment(vec![process(4121, "python3.11")]));
    assert_eq!(value["data"]["processes"][0]["sites"][1]["id"], "0000000000000011");
}

#[test]
fn strings_of_a_target_survive_unchanged() {
    let value = snapshot_value(&hostile());
    assert_eq!(value["data"]["processes"][0]["comm"], "\x1b[2J\x1b]0;pwn\x07");
}

#[test]
fn a_rate_that_is_not_a_number_is_null_and_the_line_stays_valid() {
    let mut moment = moment(vec![process(4121, "python3.11")]);
    moment.processes[0].rates.frees_per_second = f64::NAN;
    moment.own_cost.cpu_share = f64::INFINITY;
    let value = snapshot_value(&moment);
    assert_eq!(value["data"]["processes"][0]["frees_per_second"], Value::Null);
    assert_eq!(schema::errors(&schema(), &value), Vec::<String>::new());
}

#[test]
fn a_sampled_process_carries_intervals_and_an_open_end_is_null() {
    let value = snapshot_value(&moment(vec![sampled_process(4121, "python3.11")]));
    assert_eq!(schema::errors(&schema(), &value), Vec::<String>::new());
    let process = &value["data"]["processes"][0];
    assert_eq!(
        (&process["live_bytes_low"], &process["live_bytes_high"]),
        (&Value::from(350e6), &Value::Null)
    );
    assert_eq!(process["overhead"]["tier"], "windows");
    let site = &process["sites"][0];
    assert_eq!(site["growth_bytes_per_minute_high"], Value::from(1.4e6));
    let ages: Vec<&Value> =
        site["survival"].as_array().unwrap().iter().map(|share| &share["age_seconds"]).collect();
    assert_eq!(ages, [10, 60], "nothing is known of 300 s");
}
