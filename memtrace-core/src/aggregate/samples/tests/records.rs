//! What each record means for samples.

use proptest::prelude::*;

use super::*;

#[test]
fn a_sample_stands_for_as_many_blocks_as_its_window_missed() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.alloc(LIBC, 0x20, 50, 2);
    assert_eq!(fixture.close(0.01).len(), 2);
    fixture.all_live();
    assert_eq!(fixture.live(), (15_000, 200));
    let figures = fixture.figures(Sort::Live);
    assert_eq!((figures.totals.allocations, figures.totals.allocated_bytes), (200, 15_000));
    assert_eq!(figures.estimate.sampled_blocks, 2);
    let live = figures.sites[0].estimate.live_bytes;
    assert!(live.low < 1_000.0 && live.high > 50_000.0, "one sample says little: {live:?}");
}

#[test]
fn what_was_freed_or_handed_out_in_the_window_is_no_candidate() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    for address in [0x10, 0x20, 0x30, 0x40] {
        fixture.alloc(LIBC, address, 100, 1);
    }
    fixture.free(LIBC, 0x10);
    fixture.hand_out(0x20);
    fixture.free(PYTHON, 0x30); // libc's own record would follow
    fixture.alloc(LIBC, 0x40, 8, 2); // reused
    assert_eq!(fixture.addresses(), [0x30, 0x40]);
    fixture.close(0.5);
    fixture.all_live();
    assert_eq!(fixture.live(), (216, 4));
    let figures = fixture.figures(Sort::Live);
    assert_eq!((figures.totals.allocations, figures.totals.frees), (10, 6));
    assert_eq!(figures.totals.frees_unknown, 0);
}

#[test]
fn the_addresses_freed_last_are_told_until_they_are_handed_out() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    for address in 1..=50 {
        fixture.free(LIBC, address * 16);
    }
    fixture.hand_out(50 * 16);
    fixture.alloc(LIBC, 48 * 16, 1, 1);
    fixture.free(PYTHON, 0x9990);
    let freed = fixture.aggregator.just_freed(1, 1);
    assert_eq!(freed[..3], [49 * 16, 47 * 16, 46 * 16]);
    assert!(freed.len() <= 32, "{}", freed.len());
    assert!(fixture.aggregator.just_freed(1, 2).is_empty(), "of no other window");
}

#[test]
fn a_later_window_ends_samples_of_earlier_ones() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    for address in [0x10, 0x20, 0x30, 0x40] {
        fixture.alloc(LIBC, address, 100, 1);
    }
    let first = fixture.close(1.0);
    fixture.open(0);
    fixture.free(LIBC, 0x10);
    fixture.hand_out(0x20);
    fixture.alloc(LIBC, 0x30, 7, 2);
    fixture.close(1.0);
    fixture.all_live();
    assert_eq!(fixture.live(), (107, 2));
    let followed = |candidate: &Candidate| fixture.aggregator.is_followed(1, candidate.sample);
    assert_eq!(first.iter().map(followed).collect::<Vec<_>>(), [false, false, false, true]);
}

#[test]
fn a_realloc_ends_its_block_and_is_an_allocation() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    for address in [0x10, 0x20, 0x30] {
        fixture.alloc(LIBC, address, 100, 1);
    }
    fixture.begin(0x10);
    assert_eq!(fixture.addresses(), [0x20, 0x30], "what is being moved is not read");
    fixture.end(0x10, (0x50, 30), false);
    fixture.end(0x20, (0x60, 1), true); // its begin was before the window
    fixture.begin(0x30);
    fixture.end(0x30, (0, 10), false); // failed
    assert_eq!(fixture.addresses(), [0x30, 0x50]);
    fixture.begin(0x30);
    fixture.hand_out(0x30); // by another thread, before the end
    fixture.end(0x30, (0x30, 0), true);
    assert_eq!(fixture.addresses(), [0x50]);
    fixture.close(1.0);
    fixture.all_live();
    assert_eq!(fixture.live(), (30, 1));
}

#[test]
fn a_block_whose_realloc_is_not_seen_to_end_is_unknown_until_it_is_looked_at() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.begin(0x10);
    fixture.close(1.0);
    let figures = fixture.figures(Sort::Live);
    assert_eq!((figures.totals.live_bytes, figures.estimate.sampled_blocks), (0, 0));
    assert!(figures.estimate.unknown_bytes > 0, "listed though nothing is known to live");
    assert_eq!(figures.sites.len(), 1);
    fixture.all_live();
    assert_eq!(fixture.live(), (100, 1));
}

#[test]
fn unknown_blocks_count_only_for_the_upper_bound() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    for address in 1..=100 {
        fixture.alloc(LIBC, address * 16, 10, 1);
    }
    let candidates = fixture.close(0.5);
    fixture.all_live();
    let before = fixture.figures(Sort::Live).estimate.live_bytes;
    for candidate in &candidates[..50] {
        fixture.aggregator.judged(1, candidate.sample, Verdict::Unknown, fixture.now_ns);
    }
    fixture.now_ns += MS;
    let figures = fixture.figures(Sort::Live);
    assert_adds_up(&figures);
    let after = figures.estimate;
    // A little less than all of those alive: some may have died in the millisecond since they were looked at.
    assert!((990..=1_000).contains(&figures.totals.live_bytes), "{}", figures.totals.live_bytes);
    assert_eq!(after.sampled_blocks, 50);
    assert!((990..=1_010).contains(&after.unknown_bytes), "{}", after.unknown_bytes);
    assert!(after.live_bytes.low < before.low);
    assert!((after.live_bytes.high / before.high - 1.0).abs() < 0.02, "{before:?} {after:?}");
}

#[test]
fn dead_is_dead_and_a_late_look_brings_nobody_back() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    let sample = fixture.close(1.0)[0].sample;
    fixture.aggregator.judged(1, sample, Verdict::Dead, fixture.now_ns);
    fixture.aggregator.judged(1, sample, Verdict::Alive, fixture.now_ns + 1);
    fixture.now_ns += 60 * SECOND;
    assert_eq!(fixture.live(), (0, 0));
    assert!(!fixture.aggregator.is_followed(1, sample));
}

#[test]
fn a_block_that_is_found_dead_within_its_realloc_does_not_come_back_with_its_end() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    let sample = fixture.close(1.0)[0].sample;
    fixture.open(0);
    fixture.begin(0x10);
    fixture.aggregator.judged(1, sample, Verdict::Dead, fixture.now_ns);
    fixture.end(0x10, (0, 10), false); // failed
    fixture.close(1.0);
    assert_eq!(fixture.live(), (0, 0));
}

#[test]
fn candidates_without_a_fingerprint_are_unknown() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    let window = fixture.window;
    let share = WindowShare { share: 1.0, share_low: 1.0, share_high: 1.0, armed_ns: MS, closed_ns: MS };
    fixture.aggregator.close_window(1, window, &share);
    fixture.now_ns += SECOND;
    assert_eq!(fixture.live(), (0, 0));
    assert!(fixture.figures(Sort::Live).estimate.live_bytes.high > 0.0);
}

#[test]
fn a_share_that_cannot_be_told_from_nothing_leaves_no_upper_bound() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    let sample = fixture.candidates()[0].sample;
    fixture.aggregator.fingerprinted(1, 1, &[sample]);
    let share = WindowShare { share: 0.1, share_low: 0.0, share_high: 0.2, armed_ns: MS, closed_ns: MS };
    fixture.aggregator.close_window(1, 1, &share);
    fixture.now_ns = 20 * SECOND;
    fixture.all_live();
    let live = fixture.figures(Sort::Live).estimate.live_bytes;
    assert!((live.value - 1_000.0).abs() < 1e-6 && live.high.is_infinite() && live.low < 100.0, "{live:?}");
}

#[test]
fn void_windows_count_nothing_but_what_they_lost() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.close(1.0);
    fixture.open(0);
    fixture.alloc(LIBC, 0x20, 100, 1);
    fixture.alloc(LIBC, 0x30, 100, 1);
    fixture.free(LIBC, 0x10);
    fixture.aggregator.void_window(1, 2);
    assert_eq!(fixture.dropped(DropReason::WindowVoid), 2);
    fixture.alloc(LIBC, 0x40, 100, 1); // a late record of it
    assert_eq!(fixture.dropped(DropReason::WindowVoid), 3);
    for (share, lost) in [(f64::NAN, 4), (0.0, 5), (-1.0, 6), (f64::INFINITY, 7)] {
        fixture.open(0);
        fixture.alloc(LIBC, 0x50, 100, 1);
        fixture.close(share);
        assert_eq!(fixture.dropped(DropReason::WindowVoid), lost, "{share}");
    }
    fixture.open(0);
    fixture.alloc(LIBC, 0x50, 100, 1);
    fixture.open(0); // without an end of the last one
    assert_eq!(fixture.dropped(DropReason::WindowVoid), 8);
    fixture.now_ns += SECOND;
    assert_eq!(fixture.live(), (0, 0), "the free that it saw was true");
}

#[test]
fn the_window_after_a_void_one_stands_for_its_time_too() {
    let mut fixture = Fixture::in_windows();
    fixture.open(0);
    fixture.now_ns = 10 * SECOND;
    fixture.aggregator.void_window(1, 1);
    fixture.open(0);
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.close(0.1);
    fixture.now_ns -= 15 * SECOND; // 5 s after the window
    fixture.all_live();
    let (bytes, _) = fixture.live();
    assert!((490..=510).contains(&bytes), "half of its stretch has gone by: {bytes}");
}

/// Few addresses, so that every clash happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Alloc(u64, u64, u64, Domain),
    Free(u64, Domain),
    HandOut(u64),
    Begin(u64),
    End(u64, u64, u64, bool),
    Open,
    Close(f64),
    Void,
    Exact,
    Windows,
    Exit,
    Judge(u64, u8),
    Report,
}

fn steps() -> impl Strategy<Value = Step> {
    let address = || 1_u64..8;
    let domain = || prop_oneof![Just(LIBC), Just(PYTHON)];
    prop_oneof![
        8 => (address(), 0_u64..1_000, 0_u64..10, domain()).prop_map(|(a, s, i, d)| Step::Alloc(a, s, i, d)),
        6 => (address(), domain()).prop_map(|(a, d)| Step::Free(a, d)),
        4 => address().prop_map(Step::HandOut),
        4 => address().prop_map(Step::Begin),
        4 => (address(), 0_u64..8, 0_u64..9, any::<bool>()).prop_map(|(o, n, s, u)| Step::End(o, n, s, u)),
        4 => Just(Step::Open),
        4 => prop_oneof![Just(0.5), Just(1e-5), Just(f64::NAN), Just(7.0)].prop_map(Step::Close),
        1 => Just(Step::Void),
        1 => Just(Step::Exact),
        1 => Just(Step::Windows),
        1 => Just(Step::Exit),
        3 => (1_u64..40, 0_u8..3).prop_map(|(sample, verdict)| Step::Judge(sample, verdict)),
        2 => Just(Step::Report),
    ]
}

fn take(fixture: &mut Fixture, step: Step) {
    match step {
        Step::Alloc(address, size_bytes, stack_id, domain) => {
            fixture.alloc(domain, address, size_bytes, stack_id);
        }
        Step::Free(address, domain) => fixture.free(domain, address),
        Step::HandOut(address) => fixture.hand_out(address),
        Step::Begin(address) => fixture.begin(address),
        Step::End(old, new, size_bytes, is_unsampled) => fixture.end(old, (new, size_bytes), is_unsampled),
        Step::Open => fixture.open(100),
        Step::Close(share) => drop(fixture.close(share)),
        Step::Void => fixture.aggregator.void_window(1, fixture.window),
        Step::Exact => {
            fixture.aggregator.begin_exact(1);
            fixture.window = 0;
        }
        Step::Windows => drop(fixture.aggregator.begin_windows(1, fixture.now_ns, 1)),
        Step::Exit => fixture.aggregator.forget_thread(1, 1),
        Step::Judge(sample, verdict) => {
            let verdict = [Verdict::Alive, Verdict::Dead, Verdict::Unknown][usize::from(verdict)];
            fixture.aggregator.judged(1, sample, verdict, fixture.now_ns);
        }
        Step::Report => assert_adds_up(&fixture.figures(Sort::Growth)),
    }
    fixture.now_ns += 100 * MS;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_order_of_records_breaks_the_book_or_the_sums(
        steps in proptest::collection::vec(steps(), 1..150),
    ) {
        let mut fixture = Fixture::in_windows();
        for &step in &steps {
            take(&mut fixture, step);
            crate::aggregate::tests::assert_consistent(&fixture.aggregator, 1);
        }
        assert_adds_up(&fixture.figures(Sort::Live));
        prop_assert_eq!(fixture.aggregator.samples(), fixture.aggregator.ledger(1).book.as_ref().map_or(0, |b| b.len()));
    }
}
