//! Random streams of several threads, records lost from them, through the aggregator and the naive ledger.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::aggregate::naive::NaiveLedger;

/// A record, or the exit of a thread.
#[derive(Clone, Copy, Debug)]
enum Step {
    Record(Event<'static>),
    ThreadExits(u32),
}

/// Few addresses and threads, so that every clash happens.
fn steps() -> impl Strategy<Value = Step> {
    let origins =
        (1_u32..4, prop_oneof![Just(LIBC), Just(PYTHON)]).prop_map(|(thread, domain)| origin(thread, domain));
    let addresses = 1_u64..8;
    let sizes = prop_oneof![1 => Just(0), 5 => 1_u64..1_000];
    let stacks = 0_u64..10;
    prop_oneof![
        4 => (origins.clone(), addresses.clone(), sizes.clone(), stacks.clone()).prop_map(
            |(origin, address, size_bytes, stack_id)| Step::Record(Event::Allocated(Allocation {
                origin, address, size_bytes, stack_id, time_ns: 0, rarity_log2: 0 }))
        ),
        4 => (origins.clone(), addresses.clone())
            .prop_map(|(origin, address)| Step::Record(Event::Freed(Free { origin, address }))),
        3 => (origins.clone(), addresses.clone())
            .prop_map(|(origin, address)| Step::Record(Event::ReallocBegun(ReallocBegin { origin, address }))),
        4 => (origins, addresses, prop_oneof![Just(0), 1_u64..8], sizes, stacks, any::<bool>()).prop_map(
            |(origin, old_address, new_address, size_bytes, stack_id, flag)| {
                Step::Record(Event::ReallocEnded(ReallocEnd {
                    origin,
                    old_address,
                    new_address,
                    size_bytes,
                    stack_id,
                    time_ns: 0,
                    new_block_is_libc: flag && origin.domain == PYTHON, rarity_log2: 0, is_unsampled: false }))
            }
        ),
        1 => (1_u32..4).prop_map(Step::ThreadExits),
    ]
}

fn live_by_site(fixture: &Fixture) -> BTreeMap<(Domain, u64), (u64, u64)> {
    let key = |site: &SiteFigures| match site.frames[0] {
        FrameRef::Python { line, .. } => (site.domain, u64::from(line)),
        _ => (site.domain, 0),
    };
    let sites = fixture.report(Sort::Live, usize::MAX).sites;
    sites.iter().map(|site| (key(site), (site.live_bytes, site.live_blocks))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_aggregator_keeps_the_same_books_as_the_naive_ledger(
        steps in proptest::collection::vec(steps(), 1..120),
    ) {
        let mut fixture = Fixture::new();
        let mut naive = NaiveLedger::default();
        for step in &steps {
            match *step {
                Step::Record(event) => {
                    fixture.apply(&event);
                    naive.apply(&event);
                }
                Step::ThreadExits(thread) => {
                    fixture.aggregator.forget_thread(1, thread);
                    naive.forget_thread(thread);
                }
            }
            prop_assert_eq!(fixture.totals(), naive.totals(), "after {:?}", step);
        }
        prop_assert_eq!(fixture.dropped(DropReason::FreeInferred), naive.frees_inferred);
        prop_assert_eq!(live_by_site(&fixture), naive.live_by_site());
        prop_assert_eq!(fixture.aggregator.live_blocks() as u64, fixture.totals().live_blocks);
    }

    #[test]
    fn the_books_balance_at_every_limit_and_with_stacks_that_change(
        steps in proptest::collection::vec((steps(), 0_u64..12, 0_u64..3), 1..120),
    ) {
        let limits = Limits { live_blocks: 3, sites: 2, stacks: 4, reallocs: 1, processes: 1, ..Limits::default() };
        let mut fixture = Fixture::with_limits(limits);
        for (step, stack_id, version) in steps {
            fixture.aggregator.define_stack(1, stack_id, version / 2, line((stack_id * 3 + version) as u32));
            match step {
                Step::Record(event) => fixture.apply(&event),
                Step::ThreadExits(thread) => fixture.aggregator.forget_thread(1, thread),
            }
            assert_consistent(&fixture.aggregator, 1);
            prop_assert!(fixture.aggregator.live_blocks() <= 3);
        }
        let figures = fixture.report(Sort::Live, 1);
        let listed: u64 = figures.sites.iter().map(|site| site.live_bytes).sum();
        prop_assert_eq!(listed + figures.other_sites.live_bytes, figures.totals.live_bytes);
    }
}

#[test]
fn a_row_of_events_applied_together_gives_the_books_of_one_at_a_time() {
    let allocation = |address: u64, time_ns| {
        let size_bytes = address % 100;
        let stack_id = address % 9 + 1;
        Event::Allocated(Allocation {
            origin: origin(1, LIBC),
            address,
            size_bytes,
            stack_id,
            time_ns,
            rarity_log2: 0,
        })
    };
    let mut events: Vec<_> = (1..80_000).map(|address| allocation(address, 0)).collect();
    for address in 50_000..60_100 {
        events.push(Event::ReallocBegun(ReallocBegin { origin: origin(1, LIBC), address }));
        events.push(allocation(address, 7 * SECOND_NS));
        events.push(Event::Freed(Free { origin: origin(2, LIBC), address: address - 40_000 }));
    }
    let mut together = Fixture::new();
    together.aggregator.apply_all(&events);
    let mut one_by_one = Fixture::new();
    for event in &events {
        one_by_one.aggregator.apply(event);
    }
    assert!(together.aggregator.live_blocks() > 50_000);
    assert_eq!(together.report(Sort::Live, 99), one_by_one.report(Sort::Live, 99));
    assert_eq!(together.aggregator.drops(), one_by_one.aggregator.drops());
    assert_eq!(together.aggregator.events(), events.len() as u64);
}
