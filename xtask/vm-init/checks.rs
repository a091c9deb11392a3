//! What must hold on every kernel.
//!
//! Each check starts its own processes and compares memtrace's figures with theirs: exactly, never within a tolerance.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::programs::{Observation, Target, memtrace_output, observe};

/// Fails with what differs.
type Check = fn() -> Result<()>;

/// Every check by the name under which its verdict appears.
pub(crate) const CHECKS: [(&str, Check); 4] = [
    ("doctor", doctor),
    ("c-books", the_live_blocks_of_a_c_program_equal_its_books),
    ("python-line", the_line_that_leaks_is_on_top),
    ("python-objects", the_line_stays_on_top_with_python_objects_traced),
];

/// `python3` without anything beyond the few modules that the initramfs holds.
const PYTHON_ARGUMENTS: [&str; 3] = ["-I", "-S", "/usr/share/leak.py"];

fn doctor() -> Result<()> {
    let report = memtrace_output(&["doctor", "--json"])?;
    println!("vm-init: {}", report.trim());
    serde_json::from_str::<Value>(&report).context("the report is not JSON")?;
    Ok(())
}

fn the_live_blocks_of_a_c_program_equal_its_books() -> Result<()> {
    let mut target = Target::start("/usr/bin/books", &[])?;
    let pid = target.pid().to_string();
    let seen = observe(&mut target, &["-p", &pid])?;
    for figure in ["live_bytes", "live_blocks"] {
        ensure_equal(&seen, figure, &seen.process[figure], &seen.books[figure])?;
    }
    Ok(())
}

fn the_line_that_leaks_is_on_top() -> Result<()> {
    leaking_line(&["--comm", "python"])
}

fn the_line_stays_on_top_with_python_objects_traced() -> Result<()> {
    leaking_line(&["--comm", "python", "--python-objects"])
}

fn leaking_line(arguments: &[&str]) -> Result<()> {
    let mut target = Target::start("/usr/bin/python3", &PYTHON_ARGUMENTS)?;
    let seen = observe(&mut target, arguments)?;
    let top = &seen.process["sites"][0];
    let Some(frame) = first_python_frame(top) else { bail!("no Python frame in the top site: {top}") };
    ensure!(frame["file"] == "/usr/share/leak.py", "the top site's Python frame is {frame}");
    ensure_equal(&seen, "line", &frame["line"], &seen.books["line"])?;
    for figure in ["live_bytes", "live_blocks"] {
        ensure_equal(&seen, figure, &top[figure], &seen.books[figure])?;
    }
    Ok(())
}

fn first_python_frame(site: &Value) -> Option<&Value> {
    site["frames"].as_array()?.iter().find(|frame| frame["kind"] == "python")
}

fn ensure_equal(seen: &Observation, what: &str, reported: &Value, true_value: &Value) -> Result<()> {
    let (process, quality) = (&seen.process, &seen.snapshot["quality"]);
    ensure!(
        reported.is_number() && reported == true_value,
        "{what}: memtrace says {reported}, the program {true_value}; quality {quality}; process {process}"
    );
    Ok(())
}
