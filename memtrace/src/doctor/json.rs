//! The report as one JSON object (docs/doctor.md). Strings are as they are: readers escape them.

use serde_json::{Value, json};

use super::report::{AllocatorReport, CostReport, ProcessReport, PythonReport, Report};

/// Counts up when a key is removed or means something else.
const SCHEMA: u32 = 1;

/// Writes it, on one line.
pub(super) fn render(report: &Report) -> String {
    let items: Vec<Value> = report
        .items
        .iter()
        .map(|item| json!({"name": item.name, "status": item.status.word(), "detail": item.detail}))
        .collect();
    let data = json!({
        "version": report.version,
        "can_trace": report.can_trace(),
        "items": items,
        "costs": report.costs.as_ref().map(costs),
        "process": report.process.as_ref().map(process),
    });
    format!("{}\n", json!({"type": "doctor", "schema": SCHEMA, "data": data}))
}

fn costs(costs: &CostReport) -> Value {
    json!({
        "entry_ns": costs.entry_ns,
        "stepped_entry_ns": costs.stepped_entry_ns,
        "return_ns": costs.return_ns,
        "stack_ns": costs.stack_ns,
        "stack_frames": costs.stack_frames,
        "hits_per_second_of_1_percent": costs.hits_per_second_of_1_percent,
        "stepped_hits_per_second_of_1_percent": costs.stepped_hits_per_second_of_1_percent,
    })
}

fn process(process: &ProcessReport) -> Value {
    json!({
        "pid": process.pid,
        "comm": process.comm,
        "exe": process.exe,
        "readable": process.is_readable,
        "allocators": process.allocators.iter().map(allocator).collect::<Vec<_>>(),
        "python": process.python.as_ref().map(python),
        "notes": process.notes,
    })
}

fn allocator(allocator: &AllocatorReport) -> Value {
    let sites: Vec<Value> = allocator
        .sites
        .iter()
        .map(|site| {
            json!({
                "functions": site.functions,
                "offset_in_function": site.offset_in_function,
                "file_offset": site.file_offset,
                "instruction": site.instruction,
                "execution": site.execution,
            })
        })
        .collect();
    let missing = allocator.missing.iter();
    let missing: Vec<Value> =
        missing.map(|missing| json!({"functions": missing.functions, "reason": missing.reason})).collect();
    json!({
        "domain": allocator.domain,
        "path": allocator.path,
        "build_id": allocator.build_id,
        "sites": sites,
        "missing": missing,
    })
}

fn python(python: &PythonReport) -> Value {
    json!({
        "path": python.path,
        "build_id": python.build_id,
        "version": python.version,
        "identified_by": python.identified_by,
        "thread_state": python.thread_state.as_ref().ok(),
        "reason": python.thread_state.as_ref().err(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        report::{Item, Status},
        text::tests::full_report,
    };

    #[test]
    fn every_value_is_under_its_documented_key() {
        let object: Value = serde_json::from_str(&render(&full_report())).expect("JSON");
        assert_eq!((&object["type"], &object["schema"]), (&json!("doctor"), &json!(1)));
        let data = &object["data"];
        assert_eq!(data["can_trace"], true);
        assert_eq!(data["items"][1]["status"], "weaker");
        assert_eq!(data["costs"]["stepped_entry_ns"], 9_340);
        let allocator = &data["process"]["allocators"][0];
        assert_eq!(allocator["sites"][0]["functions"], json!(["malloc", "__libc_malloc"]));
        assert_eq!(allocator["sites"][0]["offset_in_function"], 4);
        assert_eq!(allocator["missing"][0]["reason"], "not defined in this file");
        assert_eq!(data["process"]["python"]["thread_state"], "fs+0x318");
        assert_eq!(data["process"]["python"]["reason"], Value::Null);
        let page = include_str!("../../../docs/doctor.md");
        for key in keys(&object) {
            assert!(page.contains(&format!("`{key}`")), "docs/doctor.md does not say what `{key}` is");
        }
    }

    #[test]
    fn what_is_missing_and_what_is_absent_are_told() {
        let mut report = full_report();
        report.process = None;
        report.costs = None;
        report.items.push(Item::new("x", Status::Missing, "y"));
        let object: Value = serde_json::from_str(&render(&report)).expect("JSON");
        assert_eq!(object["data"]["can_trace"], false);
        assert_eq!(object["data"]["process"], Value::Null);
        assert_eq!(object["data"]["costs"], Value::Null);
    }

    fn keys(value: &Value) -> Vec<String> {
        match value {
            Value::Object(map) => {
                map.iter().flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat()).collect()
            }
            Value::Array(values) => values.iter().flat_map(keys).collect(),
            _ => Vec::new(),
        }
    }
}
