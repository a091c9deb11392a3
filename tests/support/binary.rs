//! Where the `memtrace` under test is: `MEMTRACE_BIN`, or beside this test in cargo's target directory.

use std::env;
use std::path::PathBuf;

/// The path of the binary; panics with the remedy when there is none.
pub(crate) fn path() -> PathBuf {
    let path = env::var_os("MEMTRACE_BIN").map_or_else(beside_this_test, PathBuf::from);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo xtask test`, which builds it first, or set MEMTRACE_BIN",
        path.display()
    );
    path
}

/// This test is `target/PROFILE/deps/integration-HASH`.
fn beside_this_test() -> PathBuf {
    let test = env::current_exe().expect("the test knows its own path");
    let profile = test.ancestors().nth(2).expect("cargo puts tests into target/PROFILE/deps");
    profile.join("memtrace")
}
