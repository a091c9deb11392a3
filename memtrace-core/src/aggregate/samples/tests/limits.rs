//! What happens when there is no room.

use super::*;

fn fill(fixture: &mut Fixture, windows: u64, blocks: u64) -> f64 {
    let mut truth = 0.0;
    for window in 0..windows {
        fixture.open(0);
        for block in 0..blocks {
            let size_bytes = 10 + block;
            let address = (window * blocks + block + 1) * 16;
            fixture.alloc(LIBC, address, size_bytes, 1);
            truth += size_bytes as f64 * 10.0;
        }
        fixture.close(0.1);
        fixture.all_live();
    }
    truth
}

#[test]
fn at_the_limit_some_samples_are_dropped_and_the_rest_weighs_more() {
    let limits = Limits { samples: 400, ..Limits::default() };
    let mut fixture = Fixture::exact(limits);
    fixture.aggregator.begin_windows(1, 0, 3);
    let truth = fill(&mut fixture, 30, 100);
    assert!(fixture.aggregator.samples() <= 400 && fixture.aggregator.samples() > 100);
    let dropped = fixture.dropped(DropReason::SamplesFull);
    assert_eq!(dropped + fixture.aggregator.samples() as u64, 3_000);
    let figures = fixture.figures(Sort::Live);
    assert_adds_up(&figures);
    let live = figures.estimate.live_bytes;
    assert!(live.low <= truth && truth <= live.high, "{truth} {live:?}");
    assert!((live.value / truth - 1.0).abs() < 0.25, "{truth} {live:?}");
    assert!((figures.totals.allocations as f64 / 30_000.0 - 1.0).abs() < 1e-9, "allocations are not thinned");
}

#[test]
fn processes_share_the_common_room() {
    let limits = Limits { samples_all: 300, ..Limits::default() };
    let mut fixture = Fixture::exact(limits);
    assert!(fixture.aggregator.add_process(2, 0));
    fixture.aggregator.begin_windows(1, 0, 3);
    fill(&mut fixture, 3, 100);
    assert_eq!(fixture.aggregator.samples(), 300);
    fixture.aggregator.begin_windows(2, fixture.now_ns, 3);
    fixture.aggregator.end_interval(1, fixture.now_ns);
    assert!(fixture.aggregator.samples() <= 150);
    assert!(fixture.aggregator.remove_process(2));
    fill(&mut fixture, 3, 100);
    assert!(fixture.aggregator.samples() > 150, "its part is free again");
}

#[test]
fn a_window_with_more_samples_than_there_is_room_for_is_void() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    let room = crate::limits::WINDOW_SAMPLES as u64;
    let origin = fixture.origin(LIBC);
    for address in 0..room + 5 {
        let allocation =
            Allocation { origin, address, size_bytes: 1, stack_id: 1, time_ns: 0, rarity_log2: 0 };
        fixture.aggregator.apply(&Event::Allocated(allocation));
    }
    fixture.close(0.5);
    assert_eq!(fixture.dropped(DropReason::WindowVoid), room + 5);
    assert_eq!(fixture.live(), (0, 0));
    assert_eq!(fixture.aggregator.samples(), 0);
}
