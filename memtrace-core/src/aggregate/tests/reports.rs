//! Figures: order, filters, rates, growth, ages.

use super::*;

#[test]
fn the_top_sites_are_listed_and_the_rest_is_summed() {
    let mut fixture = Fixture::new();
    for stack_id in 1..=5 {
        fixture.alloc(LIBC, 0x10 * stack_id, 10 * stack_id, stack_id);
    }
    let figures = fixture.report(Sort::Live, 2);
    assert_eq!(lines(&figures.sites), [5, 4]);
    let other = figures.other_sites;
    assert_eq!((other.sites, other.live_bytes, other.live_blocks), (3, 60, 3));
    let none = fixture.report(Sort::Live, 0);
    assert_eq!((none.sites.len(), none.other_sites.live_bytes), (0, 150));
}

#[test]
fn each_order_puts_its_own_site_first() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 1, 1); // the oldest
    fixture.now_ns = SECOND_NS;
    fixture.alloc(LIBC, 0x20, 1_000, 2); // the largest
    fixture.aggregator.end_interval(1, SECOND_NS);
    fixture.now_ns = 2 * SECOND_NS;
    fixture.alloc(LIBC, 0x30, 500, 3); // grew most
    for address in 0x100..0x110 {
        fixture.alloc(LIBC, address, 1, 4); // the most blocks
    }
    for _ in 0..20 {
        fixture.alloc(LIBC, 0x1000, 1, 5); // the most allocations
        fixture.free(1, LIBC, 0x1000);
    }
    let first = |sort| lines(&fixture.report(sort, 1).sites);
    assert_eq!(first(Sort::Live), [2]);
    assert_eq!(first(Sort::Growth), [3]);
    assert_eq!(first(Sort::Count), [4]);
    assert_eq!(first(Sort::Rate), [5], "listed though nothing of it lives");
    assert_eq!(first(Sort::Age), [1]);
}

#[test]
fn equal_sites_come_in_the_order_in_which_they_were_seen() {
    let mut fixture = Fixture::new();
    for stack_id in [3, 1, 4, 2] {
        fixture.alloc(LIBC, 0x10 * stack_id, 10, stack_id);
    }
    assert_eq!(lines(&fixture.report(Sort::Live, 9).sites), [3, 1, 4, 2]);
    assert_eq!(lines(&fixture.report(Sort::Count, 3).sites), [3, 1, 4]);
}

#[test]
fn only_blocks_that_are_old_and_large_enough_count() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.alloc(LIBC, 0x20, 5, 1);
    fixture.now_ns = 8 * SECOND_NS;
    fixture.alloc(LIBC, 0x30, 100, 1);
    fixture.alloc(LIBC, 0x40, 100, 2);
    fixture.now_ns = 10 * SECOND_NS;
    let query = |older_ns, min_size_bytes| {
        let figures = fixture.query(&Query { top: 9, older_ns, min_size_bytes, ..Query::default() });
        assert_eq!(figures.totals.live_bytes, 305, "totals are not filtered");
        figures.sites.iter().map(|site| (site.live_bytes, site.live_blocks)).collect::<Vec<_>>()
    };
    assert_eq!(query(None, None), [(205, 3), (100, 1)]);
    assert_eq!(query(Some(10 * SECOND_NS), None), [(105, 2)]);
    assert_eq!(query(Some(3 * SECOND_NS), Some(6)), [(100, 1)]);
    assert_eq!(query(None, Some(6)), [(200, 2), (100, 1)]);
    assert_eq!(query(Some(11 * SECOND_NS), None), []);
}

#[test]
fn the_age_is_that_of_the_oldest_block_that_counts() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 1, 1);
    fixture.now_ns = 4 * SECOND_NS;
    fixture.alloc(LIBC, 0x20, 100, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.now_ns = 10 * SECOND_NS;
    assert_eq!(fixture.report(Sort::Live, 1).sites[0].oldest_age_ns, Some(10 * SECOND_NS));
    let large = Query { top: 1, min_size_bytes: Some(50), ..Query::default() };
    assert_eq!(fixture.query(&large).sites[0].oldest_age_ns, Some(6 * SECOND_NS));
}

#[test]
fn rates_and_growth_are_over_the_interval_however_often_they_are_read() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.now_ns = 5 * SECOND_NS;
    fixture.aggregator.end_interval(1, fixture.now_ns);
    fixture.alloc(LIBC, 0x20, 30, 1);
    fixture.alloc(LIBC, 0x30, 30, 1);
    fixture.free(1, LIBC, 0x10);
    fixture.free(1, LIBC, 0x999);
    fixture.now_ns = 7 * SECOND_NS;
    assert_eq!(fixture.report(Sort::Live, 1), fixture.report(Sort::Live, 1));
    let figures = fixture.report(Sort::Live, 1);
    assert_eq!(figures.sites[0].growth_bytes, -40);
    assert!((figures.sites[0].allocations_per_second - 1.0).abs() < 1e-9);
    assert!((figures.rates.allocations_per_second - 1.0).abs() < 1e-9);
    assert!((figures.rates.allocated_bytes_per_second - 30.0).abs() < 1e-9);
    assert!((figures.rates.frees_per_second - 1.0).abs() < 1e-9);
}

#[test]
fn rates_over_no_time_are_zero() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    let figures = fixture.report(Sort::Live, 1);
    assert_eq!(figures.rates.allocations_per_second.to_bits(), 0.0_f64.to_bits());
}
