//! What is known of a process that is watched in windows.

use std::time::Duration;

use crate::support::hot::{Books, Heat, share_machine};
use crate::support::memtrace::Memtrace;
use crate::support::snapshot::Certainty;
use crate::support::target::Target;

/// 2,000 blocks a second leak among millions; 2,000 that were planted before are kept.
#[test]
fn a_leak_in_churn_is_found_within_a_minute_and_what_was_known_before_is_kept() {
    let _shared = share_machine();
    let mut program = Target::hot(1, 200, &[]);
    let pid = program.pid();
    let memtrace = Memtrace::follow_within_budget(&program, &[]);
    program.heat(Heat::Plant);
    memtrace
        .wait_for_process(pid, "what was planted is seen", |process| process.figures.live_blocks >= 2_000);
    program.heat(Heat::Leaking);
    memtrace.wait_for_tier(pid, "windows", Duration::from_secs(10));
    let found = memtrace.wait_long_for_snapshot(Duration::from_secs(60), "the leak is found", |snapshot| {
        let process = snapshot.process(pid)?;
        let leak = process.site_of("leak_here")?;
        let grows = leak.certainty.growth_bytes_per_minute.is_some_and(|growth| growth > 0.0);
        (process.overhead.windows > 0 && leak.sampled_blocks >= 5 && grows).then(|| process.clone())
    });
    let churn_bytes = found.site_of("churn_here").map_or(0, |site| site.figures.live_bytes);
    program.heat(Heat::Cool);
    let books: Books = program.books();
    // What was born since the last window is in no report before the next.
    let windows = found.overhead.windows;
    let last = memtrace.wait_for_windows(pid, windows + 3);
    assert_eq!((books.planted.live_blocks, books.planted.live_bytes), (2_000, 1_000_000));
    let planted = last.site_of("plant_here").expect("what was known before is kept");
    assert!(planted.certainty.holds(books.planted.live_bytes), "{planted:?}");
    assert!(
        planted.figures.live_bytes.abs_diff(1_000_000) < 50_000,
        "most was looked at lately: {planted:?}"
    );
    let leak = last.site_of("leak_here").expect("the leak goes on being known");
    assert!(leak.certainty.holds(books.leaked.live_bytes), "{} leaked: {leak:?}", books.leaked.live_bytes);
    assert!(leak.certainty.live_bytes_low > 0.0, "{leak:?}");
    assert!(churn_bytes < leak.figures.live_bytes, "churn is no leak: {churn_bytes} {leak:?}");
    assert!(last.certainty.holds(books.leaked.live_bytes + books.planted.live_bytes), "{:?}", last.certainty);
    let report = memtrace.stop();
    assert_eq!(report.status.code(), Some(0), "{}", report.said.stderr);
}

/// The program maps several times what it has planted, and nothing less may be claimed to hold all that lives.
fn is_bounded_by_mappings(certainty: &Certainty) -> bool {
    const PLANTED_BYTES: f64 = 1_000_000.0;
    certainty.live_bytes_high.is_none_or(|high| high > 3.0 * PLANTED_BYTES)
}

/// Its budget is overdrawn by then, and there is no window for a while: that must not look like certainty.
#[test]
fn until_the_first_window_only_what_is_mapped_bounds_a_figure() {
    let _shared = share_machine();
    let mut program = Target::hot(1, 0, &[]);
    let pid = program.pid();
    let memtrace = Memtrace::follow_within_budget(&program, &["--max-overhead", "0.1%"]);
    program.heat(Heat::Plant);
    memtrace.wait_for_process(pid, "what was planted is seen", |process| process.figures.live_blocks > 1_000);
    program.heat(Heat::Hot);
    let blind = memtrace.wait_for_process(pid, "it is no longer traced exactly", |process| {
        process.overhead.tier == "windows" && process.overhead.windows == 0
    });
    assert!(is_bounded_by_mappings(&blind.certainty), "{:?}", blind.certainty);
    let planted = blind.site_of("plant_here").expect("what was known before is kept");
    assert!(is_bounded_by_mappings(&planted.certainty), "{planted:?}");
    assert!(planted.certainty.live_bytes_low > 400_000.0, "{planted:?}");
    drop(memtrace.stop());
}
