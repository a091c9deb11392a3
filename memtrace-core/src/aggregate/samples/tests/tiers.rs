//! From the exact tier to windows and back.

use super::*;

#[test]
fn the_ledgers_blocks_are_taken_along_with_nothing_lost_where_there_is_room() {
    let mut fixture = Fixture::exact(Limits::default());
    for address in 1..=100 {
        let allocation = Allocation {
            origin: Origin { target: 1, thread: 1, domain: LIBC, window: 0 },
            address: address * 16,
            size_bytes: address,
            stack_id: address % 3 + 1,
            time_ns: address * MS,
            rarity_log2: 0,
        };
        fixture.aggregator.apply(&Event::Allocated(allocation));
    }
    fixture.now_ns = SECOND;
    let before = fixture.figures(Sort::Live);
    let taken = fixture.aggregator.begin_windows(1, SECOND, 1);
    assert_eq!(taken.len(), 100);
    let after = fixture.figures(Sort::Live);
    assert_eq!(after.totals, before.totals);
    let live = |figures: &ProcessFigures| {
        figures.sites.iter().map(|site| (line(site), site.live_bytes, site.live_blocks)).collect::<Vec<_>>()
    };
    assert_eq!(live(&after), live(&before));
    let certain = after.estimate.live_bytes;
    assert!((certain.high - certain.low).abs() < 1e-6, "drawn with estimate: {certain:?}");
    assert_eq!(fixture.aggregator.live_blocks(), 0, "the ledger is empty");
    fixture.free(LIBC, 16); // seen before the probes went
    fixture.now_ns += SECOND;
    fixture.all_live();
    assert_eq!(fixture.live(), (5_049, 99));
}

#[test]
fn until_the_first_window_has_closed_nothing_bounds_what_may_have_been_born() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.close(0.5);
    fixture.aggregator.begin_exact(1);
    fixture.now_ns += SECOND;
    fixture.aggregator.begin_windows(1, fixture.now_ns, 1);
    fixture.now_ns += SECOND;
    let certain = |fixture: &Fixture| fixture.figures(Sort::Live).estimate;
    assert_eq!(certain(&fixture).live_bytes.high, f64::INFINITY);
    fixture.open(0);
    fixture.close(0.5);
    fixture.all_live();
    assert!(certain(&fixture).live_bytes.high.is_finite());
    fixture.now_ns += 15 * SECOND;
    fixture.all_live();
    assert_eq!(certain(&fixture).live_bytes.high, f64::INFINITY, "no window came for long");
}

#[test]
fn blocks_that_were_not_looked_at_lately_may_all_be_alive() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    for address in 1..=100 {
        fixture.alloc(LIBC, address * 16, 10, 1);
    }
    fixture.close(1.0);
    fixture.now_ns += 5 * SECOND;
    let live = fixture.figures(Sort::Live).estimate.live_bytes;
    assert!(live.value < 1_000.0 && live.high >= 1_000.0, "{live:?}");
}

#[test]
fn many_blocks_are_taken_along_by_their_bytes() {
    let mut held = 0;
    for seed in 1..=10 {
        let (taken, truth, estimate) = adopt_many(seed);
        assert!((10_000..=crate::limits::SAMPLES_ADOPTED).contains(&taken), "{taken}");
        let (bytes, blocks) = (estimate.live_bytes, estimate.live_blocks);
        held += u32::from(bytes.low <= truth && truth <= bytes.high);
        held += u32::from(blocks.low <= 60_000.0 && 60_000.0 <= blocks.high);
        assert!((bytes.high - bytes.low) / bytes.value < 0.01, "the large ones are certain: {bytes:?}");
    }
    assert!(held >= 17, "{held} of 20 intervals held the truth");
}

/// How many of 60,000 blocks were taken along, how many bytes these have, and what is said of them.
fn adopt_many(seed: u64) -> (usize, f64, crate::model::Estimate) {
    let mut fixture = Fixture::exact(Limits::default());
    let mut truth = 0;
    for address in 1..=60_000_u64 {
        let size_bytes = if address % 1_000 == 0 { 1 << 20 } else { 16 + address % 500 };
        truth += size_bytes;
        let allocation = Allocation {
            origin: Origin { target: 1, thread: 1, domain: LIBC, window: 0 },
            address: address * 16,
            size_bytes,
            stack_id: 1,
            time_ns: 0,
            rarity_log2: 0,
        };
        fixture.aggregator.apply(&Event::Allocated(allocation));
    }
    fixture.now_ns = SECOND;
    let taken = fixture.aggregator.begin_windows(1, SECOND, seed).len();
    (taken, truth as f64, fixture.figures(Sort::Live).estimate)
}

#[test]
fn back_in_the_exact_tier_samples_end_and_the_ledger_counts_the_rest() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    for address in [0x10, 0x20, 0x30, 0x40, 0x50] {
        fixture.alloc(LIBC, address, 100, 1);
    }
    fixture.close(1.0);
    fixture.aggregator.begin_exact(1);
    fixture.free(LIBC, 0x10); // of a sample: not unknown
    fixture.free(LIBC, 0x999); // of nobody
    fixture.alloc(LIBC, 0x20, 7, 2); // its free was not seen
    fixture.begin(0x30);
    fixture.end(0x30, (0x60, 30), false);
    fixture.begin(0x40);
    fixture.end(0x40, (0, 30), false); // failed
    fixture.all_live();
    assert_eq!(fixture.live(), (237, 4));
    let figures = fixture.figures(Sort::Live);
    assert_eq!(figures.totals.frees_unknown, 1);
    assert_eq!(figures.estimate.sampled_blocks, 2);
    crate::aggregate::tests::assert_consistent(&fixture.aggregator, 1);
    assert_eq!(fixture.aggregator.begin_windows(1, fixture.now_ns, 1).len(), 2, "the ledger's");
    assert_eq!(fixture.live(), (237, 4));
}

#[test]
fn the_book_goes_when_nothing_is_left_in_it() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.close(0.5);
    fixture.aggregator.begin_exact(1);
    fixture.free(LIBC, 0x10);
    fixture.aggregator.end_interval(1, fixture.now_ns);
    assert!(fixture.aggregator.has_samples(1), "growth looks back to it");
    fixture.now_ns += 100 * SECOND;
    fixture.aggregator.end_interval(1, fixture.now_ns);
    assert!(!fixture.aggregator.has_samples(1));
    let totals = fixture.figures(Sort::Live).totals;
    assert_eq!((totals.allocations, totals.frees, totals.live_blocks), (2, 2, 0));
}

#[test]
fn records_of_windows_mean_nothing_to_a_process_that_never_was_in_one() {
    let mut fixture = Fixture::exact(Limits::default());
    let origin = Origin { target: 1, thread: 1, domain: LIBC, window: 3 };
    let (address, size_bytes) = (16, 1);
    let allocation = Allocation { origin, address, size_bytes, stack_id: 1, time_ns: 0, rarity_log2: 0 };
    fixture.aggregator.apply(&Event::Allocated(allocation));
    fixture.aggregator.apply(&Event::HandedOut(Free { origin, address }));
    assert_eq!(fixture.figures(Sort::Live).totals, crate::model::Totals::default());
    assert_eq!(fixture.dropped(DropReason::WindowVoid), 1);
    fixture.aggregator.close_window(
        1,
        3,
        &WindowShare { share: 1.0, share_low: 1.0, share_high: 1.0, armed_ns: 1, closed_ns: 1 },
    );
    assert!(fixture.candidates().is_empty() && !fixture.aggregator.has_samples(1));
}

#[test]
fn exact_figures_are_exact() {
    let mut fixture = Fixture::exact(Limits::default());
    let origin = Origin { target: 1, thread: 1, domain: LIBC, window: 0 };
    for second in 0..200_u64 {
        let (address, time_ns) = (second * 16, second * SECOND);
        let allocation =
            Allocation { origin, address, size_bytes: 100, stack_id: 1, time_ns, rarity_log2: 0 };
        fixture.now_ns = time_ns;
        fixture.aggregator.apply(&Event::Allocated(allocation));
        fixture.aggregator.end_interval(1, time_ns);
    }
    fixture.now_ns = 200 * SECOND;
    let site = fixture.figures(Sort::Live).sites.remove(0);
    for estimate in [site.estimate, fixture.figures(Sort::Live).estimate] {
        let growth = estimate.growth_bytes_per_minute.expect("older than a second");
        assert!((growth.value / 6_000.0 - 1.0).abs() < 0.03, "{growth:?}");
        assert_eq!(
            (growth.low.to_bits(), growth.high.to_bits()),
            (growth.value.to_bits(), growth.value.to_bits())
        );
        assert_eq!(estimate.live_bytes, crate::estimate::Interval::exact(20_000.0));
        assert_eq!(estimate.survival, [None; 3]);
    }
}
