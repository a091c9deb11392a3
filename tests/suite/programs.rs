//! The programs of known truth are themselves right: an independent observer inside them agrees with their books.

use serde::Deserialize;

use crate::support::figures::Figures;
use crate::support::shim::Shim;
use crate::support::target::Target;

#[derive(Deserialize)]
struct ChurnBooks {
    #[serde(flatten)]
    figures: Figures,
    live_hash: u64,
    balanced: u64,
    failures: u64,
}

/// Block for block: the hash is over address and size of every live block.
#[test]
fn churn_keeps_true_books() {
    for seed in 1..=5 {
        let (shim, mut churn) = Shim::start("churn", &[&seed.to_string()]);
        shim.arm();
        churn.go(5_000);
        churn.go(5_000);
        let books: ChurnBooks = churn.books();
        assert_eq!(books.balanced, 1, "seed {seed}: the slots and the counters agree");
        assert_eq!(books.figures, shim.figures(), "seed {seed}");
        assert_eq!(books.live_hash, shim.live_hash(), "seed {seed}");
        assert!(books.failures > 1_000, "seed {seed}: calls were refused as well");
        assert!(books.figures.frees_unknown > 0, "seed {seed}: blocks from before were freed as well");
    }
}

#[test]
fn every_semantics_case_keeps_true_books() {
    for case in super::semantics::CASES {
        let (shim, mut program) = Shim::start("semantics", &[case]);
        shim.arm();
        program.go(10);
        assert_eq!(program.books::<Figures>(), shim.figures(), "{case}");
    }
}

#[test]
fn abandoning_programs_keep_true_books() {
    for mode in ["shallow", "deep", "killed"] {
        let (shim, mut program) = Shim::start("abandon", &[mode]);
        shim.arm();
        program.go(300);
        // A preloaded realloc cannot know that the one behind it never returned, and one of the three abandoned
        // calls is a realloc: it reads through the pointer first, and so never begins.
        assert_eq!(program.books::<Figures>(), shim.figures(), "{mode}");
    }
}

/// A child of fork has the library too, and the same file: only those that work in the parent's memory may count.
#[test]
fn vfork_children_keep_their_parents_books() {
    for mode in ["vfork", "spawn"] {
        let (shim, mut program) = Shim::start("forks", &[mode]);
        shim.arm();
        program.go(20);
        let books: Figures = program.books();
        assert_eq!(books.live_blocks, 20, "{mode}");
        if mode == "vfork" {
            assert_eq!(books, shim.figures(), "{mode}");
        }
    }
}

#[test]
fn leak_keeps_true_books() {
    let (shim, mut program) = Shim::start("leak", &[]);
    shim.arm();
    program.go(200);
    let books: Figures = program.books();
    let seen = shim.figures();
    assert_eq!((books.live_blocks, books.live_bytes), (seen.live_blocks, seen.live_bytes));
    assert_eq!(seen.allocations, 200 * 101, "one leaked and a hundred given back a round");
}

#[test]
fn programs_say_how_they_end() {
    let mut program = Target::c("leak", &[]);
    program.go(1);
    assert!(program.is_alive());
    assert_eq!(program.quit().code(), Some(0));
}

#[test]
fn an_exec_begins_the_books_anew() {
    let mut program = Target::c("leak", &[]);
    program.go(7);
    let comm = crate::support::comm::unique("anew");
    program.exec_as(&comm);
    assert_eq!(program.books::<Figures>(), Figures::default());
    assert_eq!(comm_of(program.pid()), comm);
}

#[test]
fn programs_run_under_names_of_their_own() {
    let mut program = Target::c("leak", &[]);
    assert_eq!(comm_of(program.pid()), program.comm());
    program.take_comm("another name");
    assert_eq!(comm_of(program.pid()), "another name");
}

fn comm_of(pid: u32) -> String {
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).expect("the process runs");
    comm.trim_end().to_owned()
}
