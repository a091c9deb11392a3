//! Lost records and reached limits: the second table in `ledger.rs`.

use super::*;

#[test]
fn an_end_without_its_begin_finds_the_old_block_at_its_address() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.end(1, LIBC, 0x10, (0x20, 150));
    assert_eq!(fixture.books(), (150, 1, 1, 0));
    fixture.end(1, LIBC, 0x20, (0, 99));
    assert_eq!(fixture.books(), (150, 1, 1, 0));
}

#[test]
fn an_end_whose_begin_was_lost_gives_up_the_realloc_before() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.alloc(LIBC, 0x20, 30, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.end(1, LIBC, 0x20, (0x30, 40));
    assert_eq!(fixture.books(), (140, 2, 1, 0));
    fixture.free(1, LIBC, 0x10);
    assert_eq!(fixture.books(), (40, 1, 2, 0));
}

#[test]
fn a_begin_without_its_end_puts_the_block_back_when_the_thread_begins_another() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.begin(1, LIBC, 0x20);
    fixture.free(2, LIBC, 0x10);
    assert_eq!(fixture.books(), (0, 0, 1, 0));
}

#[test]
fn a_python_realloc_gives_up_libcs_before_but_not_the_other_way_round() {
    let mut fixture = Fixture::new();
    fixture.alloc(PYTHON, 0x10, 10, 1);
    fixture.alloc(LIBC, 0x20, 20, 1);
    fixture.begin(1, PYTHON, 0x10);
    fixture.begin(1, LIBC, 0x20);
    assert!(!fixture.aggregator.ledger(1).blocks.contains(0x10));
    fixture.begin(1, PYTHON, 0x30);
    assert!(fixture.aggregator.ledger(1).blocks.contains(0x10));
    assert!(fixture.aggregator.ledger(1).blocks.contains(0x20));
}

#[test]
fn a_begin_without_its_end_puts_the_block_back_when_the_thread_exits() {
    let mut fixture = Fixture::new();
    fixture.alloc(PYTHON, 0x10, 100, 1);
    fixture.begin(1, PYTHON, 0x10);
    fixture.aggregator.forget_thread(1, 1);
    fixture.free(2, PYTHON, 0x10);
    assert_eq!(fixture.books(), (0, 0, 1, 0));
}

#[test]
fn a_block_that_comes_back_to_a_taken_address_is_taken_out() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.alloc(LIBC, 0x10, 7, 3);
    fixture.end(1, LIBC, 0x10, (0, 500));
    assert_eq!(fixture.books(), (7, 1, 1, 0));
    assert_eq!(fixture.dropped(DropReason::FreeInferred), 1);
}

#[test]
fn a_realloc_beyond_the_limit_is_settled_at_its_end() {
    let mut fixture = Fixture::with_limits(Limits { reallocs: 1, ..Limits::default() });
    fixture.alloc(LIBC, 0x10, 1, 1);
    fixture.alloc(LIBC, 0x20, 2, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.begin(2, LIBC, 0x20);
    fixture.end(2, LIBC, 0x20, (0x30, 3));
    fixture.end(1, LIBC, 0x10, (0x40, 4));
    assert_eq!(fixture.books(), (7, 2, 2, 0));
}

#[test]
fn an_allocation_without_a_stack_is_kept_under_a_site_that_says_so() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 0);
    fixture.alloc(LIBC, 0x20, 10, 777);
    let sites = fixture.report(Sort::Live, 9).sites;
    assert_eq!(sites.len(), 1);
    assert_eq!((sites[0].live_bytes, sites[0].live_blocks), (110, 2));
    assert_eq!(*sites[0].frames, [FrameRef::Unknown { address: 0, reason: "stack_missing" }]);
    assert_eq!(fixture.dropped(DropReason::StackMissing), 2);
}

#[test]
fn a_full_ledger_counts_allocations_without_following_them() {
    let mut fixture = Fixture::with_limits(Limits { live_blocks: 1, ..Limits::default() });
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.alloc(LIBC, 0x20, 30, 1);
    let figures = fixture.report(Sort::Live, 9);
    assert_eq!((figures.totals.live_bytes, figures.totals.allocated_bytes), (100, 130));
    assert_eq!((figures.unfollowed.allocations, figures.unfollowed.bytes), (1, 30));
    assert_eq!((figures.sites[0].live_bytes, figures.sites[0].allocated_bytes), (100, 130));
    assert_eq!(fixture.dropped(DropReason::LedgerFull), 1);
    fixture.free(1, LIBC, 0x20);
    assert_eq!(fixture.books(), (100, 1, 0, 1));
    fixture.alloc(LIBC, 0x10, 5, 1);
    assert_eq!(fixture.books(), (5, 1, 1, 1));
    fixture.free(1, LIBC, 0x10);
    fixture.alloc(LIBC, 0x30, 8, 1);
    assert_eq!(fixture.books(), (8, 1, 2, 1));
}

#[test]
fn allocations_beyond_the_limit_of_sites_share_one() {
    let mut fixture = Fixture::with_limits(Limits { sites: 2, ..Limits::default() });
    for stack_id in 1..=4 {
        fixture.alloc(LIBC, 0x10 * stack_id, 10, stack_id);
    }
    fixture.alloc(LIBC, 0x100, 10, 4);
    fixture.alloc(LIBC, 0x200, 10, 1);
    let sites = fixture.report(Sort::Live, 9).sites;
    assert_eq!(lines(&sites), [0, 1, 2]);
    assert_eq!(*sites[0].frames, [FrameRef::Unknown { address: 0, reason: "sites_full" }]);
    assert_eq!(fixture.dropped(DropReason::SitesFull), 3);
}

#[test]
fn a_stack_forgotten_at_the_limit_is_missing_until_it_is_sent_again() {
    let mut fixture = Fixture::with_limits(Limits { stacks: 4, ..Limits::default() });
    fixture.alloc(LIBC, 0x10, 1, 1);
    fixture.define(1, line(1));
    fixture.alloc(LIBC, 0x20, 1, 1);
    assert_eq!(fixture.dropped(DropReason::StackMissing), 1);
    let sites = fixture.report(Sort::Live, 9).sites;
    assert_eq!(lines(&sites), [0, 1]);
}

#[test]
fn sizes_that_overflow_the_sums_do_not_stop_the_ledger() {
    let mut fixture = Fixture::new();
    for address in 1..4 {
        let event = Event::Allocated(Allocation {
            origin: origin(1, LIBC),
            address,
            size_bytes: u64::MAX,
            stack_id: 1,
            time_ns: u64::MAX,
            rarity_log2: 0,
        });
        fixture.aggregator.apply(&event);
    }
    let all = Query { top: 9, older_ns: Some(u64::MAX), min_size_bytes: Some(u64::MAX), sort: Sort::Age };
    let figures = fixture.query(&all);
    assert_eq!((figures.totals.live_blocks, figures.sites.len()), (3, 0));
    for address in 1..4 {
        fixture.free(1, LIBC, address);
    }
    assert_eq!(fixture.books(), (0, 0, 3, 0));
}
