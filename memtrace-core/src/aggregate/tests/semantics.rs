//! One test for each row of the first table in `ledger.rs`. Books are (live bytes, live blocks, frees, unknown frees).

use super::*;

#[test]
fn an_allocated_block_is_live_until_it_is_freed() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    assert_eq!(fixture.books(), (100, 1, 0, 0));
    fixture.free(2, LIBC, 0x10);
    assert_eq!(fixture.books(), (0, 0, 1, 0));
    assert_eq!(fixture.totals().freed_bytes, 100);
}

#[test]
fn an_allocation_at_a_live_address_takes_the_old_block_out_and_counts_the_lost_free() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.alloc(LIBC, 0x10, 30, 2);
    assert_eq!(fixture.books(), (30, 1, 1, 0));
    assert_eq!(fixture.dropped(DropReason::FreeInferred), 1);
    assert_eq!(lines(&fixture.report(Sort::Live, 9).sites), [2]);
}

#[test]
fn a_python_free_of_a_block_of_libcs_is_left_to_libcs_own_record() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 1_000, 1);
    fixture.free(1, PYTHON, 0x10);
    assert_eq!(fixture.books(), (1_000, 1, 0, 0));
    fixture.free(1, LIBC, 0x10);
    assert_eq!(fixture.books(), (0, 0, 1, 0));
}

#[test]
fn a_libc_free_of_a_block_of_pythons_is_unknown_and_the_block_stays() {
    let mut fixture = Fixture::new();
    fixture.alloc(PYTHON, 0x10, 64, 1);
    fixture.free(1, LIBC, 0x10);
    assert_eq!(fixture.books(), (64, 1, 0, 1));
}

#[test]
fn a_free_of_an_unknown_address_is_counted_and_never_subtracted() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.free(1, LIBC, 0x20);
    assert_eq!(fixture.books(), (100, 1, 0, 1));
}

#[test]
fn a_free_that_begins_again_in_its_thread_is_one_free() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    for (thread, address) in [(1, 0x10), (2, 0x20), (1, 0x10), (2, 0x20)] {
        fixture.free(thread, LIBC, address);
    }
    assert_eq!(fixture.books(), (0, 0, 1, 1));
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.free(1, LIBC, 0x10);
    assert_eq!(fixture.books(), (0, 0, 2, 1), "a block that was handed out in between is another");
}

#[test]
fn a_python_free_passed_on_to_libc_is_one_unknown_free() {
    let mut fixture = Fixture::new();
    fixture.free(1, PYTHON, 0x10);
    fixture.free(2, PYTHON, 0x20);
    fixture.free(1, LIBC, 0x10);
    fixture.free(2, LIBC, 0x20);
    assert_eq!(fixture.books(), (0, 0, 0, 2));
}

#[test]
fn a_libc_free_that_does_not_follow_directly_is_an_unknown_free_of_its_own() {
    let mut fixture = Fixture::new();
    fixture.free(1, PYTHON, 0x10);
    fixture.free(2, LIBC, 0x10);
    fixture.free(1, PYTHON, 0x10);
    fixture.alloc(LIBC, 0x30, 1, 1);
    fixture.free(1, LIBC, 0x10);
    assert_eq!(fixture.totals().frees_unknown, 4);
}

#[test]
fn a_block_in_realloc_is_live_though_its_address_can_be_handed_out() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.begin(1, LIBC, 0x10);
    assert_eq!(fixture.books(), (100, 1, 0, 0));
    fixture.alloc(LIBC, 0x10, 7, 3);
    assert_eq!(fixture.books(), (107, 2, 0, 0));
    fixture.end(1, LIBC, 0x10, (0x20, 200));
    assert_eq!(fixture.books(), (207, 2, 1, 0));
    assert_eq!(fixture.dropped(DropReason::FreeInferred), 0);
    assert_eq!(lines(&fixture.report(Sort::Live, 9).sites), [2, 3]);
}

#[test]
fn a_realloc_in_place_gives_the_block_its_new_size_and_site() {
    let mut fixture = Fixture::new();
    fixture.alloc(PYTHON, 0x10, 100, 1);
    fixture.begin(1, PYTHON, 0x10);
    fixture.end(1, PYTHON, 0x10, (0x10, 120));
    assert_eq!(fixture.books(), (120, 1, 1, 0));
    assert_eq!(lines(&fixture.report(Sort::Live, 9).sites), [2]);
}

#[test]
fn a_realloc_of_an_unknown_block_is_one_unknown_free_and_enters_the_new_one() {
    let mut fixture = Fixture::new();
    fixture.begin(1, LIBC, 0x10);
    fixture.end(1, LIBC, 0x10, (0x20, 50));
    assert_eq!(fixture.books(), (50, 1, 0, 1));
}

#[test]
fn a_realloc_to_size_zero_without_a_pointer_frees_the_block() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.end(1, LIBC, 0x10, (0, 0));
    assert_eq!(fixture.books(), (0, 0, 1, 0));
    fixture.begin(1, LIBC, 0x30);
    fixture.end(1, LIBC, 0x30, (0, 0));
    assert_eq!(fixture.books(), (0, 0, 1, 1));
}

#[test]
fn a_failed_realloc_leaves_the_block_at_its_address() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.end(1, LIBC, 0x10, (0, 1 << 60));
    assert_eq!(fixture.books(), (100, 1, 0, 0));
    fixture.free(1, LIBC, 0x10);
    assert_eq!(fixture.books(), (0, 0, 1, 0));
}

#[test]
fn a_failed_realloc_of_an_unknown_block_changes_nothing() {
    let mut fixture = Fixture::new();
    fixture.begin(1, LIBC, 0x10);
    fixture.end(1, LIBC, 0x10, (0, 5));
    assert_eq!(fixture.books(), (0, 0, 0, 0));
}

#[test]
fn a_python_realloc_that_moves_to_libc_ends_the_old_block_and_enters_nothing() {
    let mut fixture = Fixture::new();
    fixture.alloc(PYTHON, 0x10, 500, 1);
    fixture.begin(1, PYTHON, 0x10);
    fixture.alloc(LIBC, 0x2000, 600, 3);
    fixture.end_in_libc(1, 0x10, (0x2000, 600));
    assert_eq!(fixture.books(), (600, 1, 1, 0));
    assert_eq!(fixture.dropped(DropReason::FreeInferred), 0);
}

#[test]
fn a_python_realloc_of_a_block_of_libcs_is_accounted_by_libcs_records() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 600, 1);
    fixture.begin(1, PYTHON, 0x10);
    fixture.begin(1, LIBC, 0x10);
    fixture.end(1, LIBC, 0x10, (0x20, 700));
    fixture.end_in_libc(1, 0x10, (0x20, 700));
    assert_eq!(fixture.books(), (700, 1, 1, 0));
}

#[test]
fn a_python_realloc_of_an_unknown_block_of_libcs_is_one_unknown_free() {
    let mut fixture = Fixture::new();
    fixture.begin(1, PYTHON, 0x10);
    fixture.begin(1, LIBC, 0x10);
    fixture.end(1, LIBC, 0x10, (0x20, 700));
    fixture.end_in_libc(1, 0x10, (0x20, 700));
    assert_eq!(fixture.books(), (700, 1, 0, 1));
}

#[test]
fn a_python_realloc_of_a_block_of_libcs_does_not_take_it_even_without_libcs_records() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 600, 1);
    fixture.begin(1, PYTHON, 0x10);
    fixture.end(1, PYTHON, 0x10, (0x40, 8));
    assert_eq!(fixture.books(), (608, 2, 0, 0));
}

#[test]
fn a_libc_realloc_of_a_block_of_pythons_takes_nothing_and_is_an_unknown_free() {
    let mut fixture = Fixture::new();
    fixture.alloc(PYTHON, 0x10, 64, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.end(1, LIBC, 0x10, (0x20, 70));
    assert_eq!(fixture.books(), (134, 2, 0, 1));
}
