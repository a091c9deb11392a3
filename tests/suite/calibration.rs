//! What `memtrace doctor` measures of the cost of a hit.

use serde_json::Value;

use crate::support::{command::run, root};

const KEYS: [&str; 4] = ["entry_ns", "stepped_entry_ns", "return_ns", "stack_ns"];

fn costs() -> Value {
    let output = run(&["doctor", "--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).expect("doctor --json prints one JSON object");
    assert!(object["data"]["costs"].is_object(), "{object}");
    object["data"]["costs"].clone()
}

#[track_caller]
fn number(costs: &Value, key: &str) -> f64 {
    costs[key].as_f64().unwrap_or_else(|| panic!("no number {key}: {costs}"))
}

#[test]
fn what_the_kernel_steps_over_costs_more_and_so_does_every_return_and_stack() {
    root::require();
    let costs = costs();
    let [entry_ns, stepped_ns, return_ns, stack_ns] = KEYS.map(|key| number(&costs, key));
    assert!((100.0..20_000.0).contains(&entry_ns), "{costs}");
    assert!(stepped_ns > entry_ns * 1.3 && stepped_ns < 200_000.0, "{costs}");
    assert!(return_ns > 50.0 && stack_ns > 50.0, "a return is a trap, and a stack is walked: {costs}");
    let bought = number(&costs, "hits_per_second_of_1_percent");
    assert!((bought * entry_ns / 1e7 - 1.0).abs() < 0.05, "{costs}");
}

#[test]
fn two_measurements_agree_and_are_measurements() {
    root::require();
    let (first, second) = (costs(), costs());
    for key in KEYS {
        let (one, other) = (number(&first, key), number(&second, key));
        assert!(one.max(other) <= one.min(other) * 2.0, "{key}: {first} {second}");
    }
    assert_ne!(first, second, "no two measurements are the same to the nanosecond");
}

#[test]
fn the_helper_ends_with_its_input() {
    let output = run(&["--calibration-helper"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ready\n");
}
