//! Hot Python programs in windows: its own small objects are seen there, with their lines.

use std::time::Duration;

use crate::support::hot::have_machine;
use crate::support::memtrace::Memtrace;
use crate::support::pythons::{self, Python};
use crate::support::source;
use crate::support::target::Target;

/// Builds with profile-guided optimization inline most calls of the allocator of small objects, but not all; which ones
/// depends on the type, so the line makes several.
#[test]
fn lines_that_keep_small_objects_are_seen_in_windows() {
    let _alone = have_machine();
    let pythons = pythons::all();
    for has_pgo in [false, true] {
        let newest = pythons.iter().filter(|python| python.has_pgo == has_pgo && python.is_of_this_system());
        match newest.max_by_key(|python| python.version) {
            Some(python) => assert_lines_are_seen(python),
            None => println!("not tested: no CPython, with profile-guided optimization: {has_pgo}"),
        }
    }
}

fn assert_lines_are_seen(python: &Python) {
    let name = python.path.display();
    println!("{name}, with profile-guided optimization: {}", python.has_pgo);
    let mut program = Target::python(&python.path, "hot_objects");
    let pid = program.pid();
    let line = source::line_of("python/hot_objects.py", "# KEEP");
    let memtrace = Memtrace::follow_within_budget(&program, &[]);
    program.go(1);
    memtrace.wait_for_tier(pid, "windows", Duration::from_secs(10));
    let found = memtrace.wait_long_for_snapshot(
        Duration::from_secs(60),
        &format!("the line that keeps objects is seen in {name}"),
        |snapshot| {
            let process = snapshot.process(pid)?;
            let kept = process.sites.iter().find(|site| {
                site.domain == "pymalloc" && site.is_at("hot_objects.py", line) && site.sampled_blocks > 0
            })?;
            (process.overhead.tier == "windows").then(|| (kept.clone(), process.overhead.clone()))
        },
    );
    println!("{found:?}");
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
    program.go(0);
    assert!(program.is_alive(), "{name}");
}
