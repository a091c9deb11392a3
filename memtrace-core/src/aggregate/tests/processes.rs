//! Processes that come and go, and stacks that change their meaning.

use super::*;

#[test]
fn a_removed_process_gives_its_room_to_the_others() {
    let mut fixture = Fixture::with_limits(Limits { live_blocks: 2, ..Limits::default() });
    fixture.alloc(LIBC, 0x10, 1, 1);
    fixture.alloc(LIBC, 0x20, 1, 1);
    assert!(fixture.aggregator.add_process(2, 0));
    assert!(fixture.aggregator.remove_process(1));
    assert!(!fixture.aggregator.remove_process(1));
    assert_eq!(fixture.aggregator.live_blocks(), 0);
    assert_eq!(fixture.aggregator.figures(1, &Query::default(), 0), None);
}

#[test]
fn an_exec_empties_the_books_and_the_totals_restart() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.begin(1, LIBC, 0x10);
    fixture.aggregator.clear(1, SECOND_NS);
    assert_eq!(fixture.totals(), Totals::default());
    assert_eq!(fixture.aggregator.live_blocks(), 0);
    fixture.free(1, LIBC, 0x10);
    fixture.alloc(LIBC, 0x10, 100, 1);
    assert_eq!(fixture.books(), (100, 1, 0, 1));
    assert_eq!(fixture.dropped(DropReason::StackMissing), 1, "stacks are forgotten too");
}

#[test]
fn closed_books_stay_as_they_are() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 100, 1);
    fixture.aggregator.close(1);
    fixture.alloc(LIBC, 0x10, 7, 1);
    fixture.free(1, LIBC, 0x10);
    assert_eq!(fixture.books(), (100, 1, 0, 0));
    assert_eq!(fixture.dropped(DropReason::FreeInferred), 0);
    assert!(fixture.aggregator.remove_process(1));
    assert_eq!(fixture.aggregator.live_blocks(), 0);
}

#[test]
fn events_of_a_process_that_is_not_followed_are_counted_and_change_nothing() {
    let mut fixture = Fixture::new();
    assert!(fixture.aggregator.remove_process(1));
    fixture.aggregator.apply(&Event::Freed(Free { origin: origin(1, LIBC), address: 1 }));
    fixture.aggregator.clear(1, 0);
    assert!(!fixture.aggregator.contains(1));
    assert_eq!(fixture.dropped(DropReason::UnknownTarget), 1);
    assert_eq!(fixture.aggregator.events(), 1);
}

#[test]
fn processes_beyond_the_limit_are_not_followed_and_known_ones_keep_their_books() {
    let mut fixture = Fixture::with_limits(Limits { processes: 1, ..Limits::default() });
    fixture.alloc(LIBC, 0x10, 100, 1);
    assert!(fixture.aggregator.add_process(1, 5));
    assert!(!fixture.aggregator.add_process(2, 5));
    assert_eq!(fixture.dropped(DropReason::ProcessesFull), 1);
    assert_eq!(fixture.totals().live_bytes, 100);
}

#[test]
fn equal_addresses_in_two_processes_are_two_blocks() {
    let mut fixture = Fixture::new();
    assert!(fixture.aggregator.add_process(2, 0));
    fixture.alloc(LIBC, 0x10, 100, 1);
    let other = Origin { target: 2, thread: 1, domain: LIBC, window: 0 };
    fixture.aggregator.apply(&Event::Freed(Free { origin: other, address: 0x10 }));
    assert_eq!(fixture.books(), (100, 1, 0, 0));
    assert_eq!(fixture.aggregator.totals(2).expect("followed").frees_unknown, 1);
}

#[test]
fn stack_ids_with_equal_frames_share_a_site_in_each_domain() {
    let mut fixture = Fixture::new();
    fixture.define(100, line(1));
    fixture.alloc(LIBC, 0x10, 1, 1);
    fixture.alloc(LIBC, 0x20, 2, 100);
    fixture.alloc(PYTHON, 0x30, 4, 100);
    let sites = fixture.report(Sort::Live, 9).sites;
    let found: Vec<_> = sites.iter().map(|site| (site.domain, site.live_bytes)).collect();
    assert_eq!(found, [(PYTHON, 4), (LIBC, 3)]);
}

#[test]
fn a_stack_sent_again_changes_nothing() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 1, 1);
    fixture.define(1, line(1));
    fixture.alloc(LIBC, 0x20, 1, 1);
    assert_eq!(fixture.report(Sort::Live, 9).sites.len(), 1);
    assert_eq!(fixture.dropped(DropReason::StackIdCollision), 0);
}

#[test]
fn a_stack_id_with_new_frames_serves_later_events_and_leaves_earlier_blocks_alone() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 5, 1);
    fixture.define(1, line(44));
    fixture.alloc(LIBC, 0x20, 3, 1);
    fixture.free(1, LIBC, 0x10);
    assert_eq!(lines(&fixture.report(Sort::Live, 9).sites), [44]);
    assert_eq!(fixture.dropped(DropReason::StackIdCollision), 0);
}

#[test]
fn two_stacks_with_one_id_are_counted_and_do_not_share_a_site() {
    let mut fixture = Fixture::new();
    fixture.alloc(LIBC, 0x10, 5, 1);
    fixture.aggregator.define_stack(1, 1, 99, line(55));
    fixture.alloc(LIBC, 0x20, 3, 1);
    assert_eq!(lines(&fixture.report(Sort::Live, 9).sites), [1, 55]);
    assert_eq!(fixture.dropped(DropReason::StackIdCollision), 1);
}
