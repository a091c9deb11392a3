//! One rule of libc's allocators a test. What each case does is in `programs/c/semantics.c`.

use crate::support::figures::Figures;
use crate::support::memtrace::Memtrace;
use crate::support::target::Target;

macro_rules! cases {
    ($($(#[doc = $doc:literal])* $test:ident = $case:literal, $allocations:literal, $frees:literal, $unknown:literal;)+) => {
        /// The name of every case.
        pub(crate) const CASES: [&str; [$($case),+].len()] = [$($case),+];

        $($(#[doc = $doc])*
        #[test]
        fn $test() {
            check($case, $allocations, $frees, $unknown);
        })+
    };
}

// Of ten rounds: allocations, frees, frees of unknown blocks.
cases! {
    /// The block is neither freed nor allocated again.
    a_failed_realloc_keeps_the_old_block = "failed_realloc", 10, 0, 0;
    /// glibc's way of freeing.
    realloc_to_size_0_is_a_free = "realloc_to_nothing", 10, 10, 0;
    realloc_of_null_is_an_allocation = "realloc_of_nothing", 10, 0, 0;
    /// Also where it moves the block.
    realloc_is_a_free_and_an_allocation = "realloc_moves", 30, 10, 0;
    a_calloc_that_overflows_is_nothing = "calloc_overflow", 10, 0, 0;
    /// Though it calls realloc.
    reallocarray_is_counted_once = "reallocarray_once", 10, 0, 0;
    /// And a refused one leaves it alone.
    posix_memalign_is_read_from_its_out_parameter = "posix_memalign_out", 10, 0, 0;
    free_of_null_is_nothing = "free_nothing", 10, 0, 0;
    blocks_of_0_bytes_are_blocks = "zero_bytes", 20, 0, 0;
    /// `valloc`, `pvalloc`, `memalign` and `aligned_alloc`, with the bytes asked for and not those rounded up to.
    aligned_blocks_have_the_size_asked_for = "page_aligned", 40, 0, 0;
    an_allocation_inside_libc_is_counted_once = "inside_libc", 10, 0, 0;
    /// It is never subtracted from what is live.
    a_free_of_a_block_from_before_attach_is_counted_apart = "freed_from_before", 0, 0, 1;
    /// The new block is known, the old one is not.
    a_realloc_of_a_block_from_before_attach_is_an_allocation = "grown_from_before", 1, 0, 1;
}

fn check(case: &str, allocations: u64, frees: u64, frees_unknown: u64) {
    let mut program = Target::c("semantics", &[case]);
    let memtrace = Memtrace::follow(&program);
    program.go(10);
    let books: Figures = program.books();
    let report = memtrace.stop();
    report.assert_nothing_lost();
    let figures = report.process(program.pid()).figures;
    assert_eq!(figures, books, "{case}");
    let counts = (figures.allocations, figures.frees, figures.frees_unknown);
    assert_eq!(counts, (allocations, frees, frees_unknown), "{case}");
}
