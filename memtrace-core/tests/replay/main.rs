//! Recorded event streams through decode and aggregate, and the ledger that must come out.
//!
//! A stream is a text file in `streams/` that a person can write and check; its grammar is in `stream.rs`. Each line
//! becomes the bytes that the kernel side would have sent. The expected ledgers are in `snapshots/`.

mod ledger_text;
mod stream;

use memtrace_core::aggregate::Aggregator;
use memtrace_core::decode::{Event, decode};

use stream::{Line, Stream};

/// What `memtrace`'s session does with each event, without the world around it.
fn replay(text: &str) -> String {
    let stream = Stream::parse(text);
    let mut aggregator = Aggregator::new(0);
    let mut out = String::new();
    for line in &stream.lines {
        match line {
            Line::Follow { target } => assert!(aggregator.add_process(*target, 0)),
            Line::Forget { target } => assert!(aggregator.remove_process(*target)),
            Line::Stack { target, stack_id, frames } => {
                aggregator.define_stack(*target, *stack_id, 0, frames.clone());
            }
            Line::Record(bytes) => match decode(bytes).expect("the stream's own records decode") {
                Event::Executed { target, .. } => aggregator.clear(target, 0),
                Event::Exited { target, thread, .. } => aggregator.forget_thread(target, thread),
                event => aggregator.apply(&event),
            },
            Line::Show { title, targets } => {
                out += &ledger_text::show(&aggregator, title, targets, &stream.names);
            }
        }
    }
    out + &ledger_text::losses(&aggregator)
}

macro_rules! replays {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        $($(#[doc = $doc])+
        #[test]
        fn $name() {
            let text = include_str!(concat!("streams/", stringify!($name), ".events"));
            insta::assert_snapshot!(stringify!($name), replay(text));
        })+
    };
}

replays! {
    /// The child's frees of inherited blocks are unknown and leave the parent's books alone.
    a_forked_child_starts_with_empty_books,
    /// A vfork child's events come under its parent's number until it execs.
    a_vfork_child_works_in_its_parents_books,
    /// Blocks, sites, stacks and totals are gone after exec.
    an_exec_starts_the_books_anew,
    /// Another thread gets the old address while the realloc that gave it up is still on its way.
    an_address_is_reused_during_a_realloc,
    /// Out of memory, a shrink to nothing, and a thread that dies inside.
    a_failed_realloc_keeps_its_block,
    /// posix_memalign, aligned_alloc and calloc come as plain allocations.
    aligned_blocks_are_plain_blocks,
    /// Small objects, large ones passed on to libc, and reallocs across the two.
    pythons_blocks_and_libcs_are_counted_once,
    /// Records are missing from the stream.
    lost_records_leave_balanced_books,
}
