//! Who may trace: root only. A test that cannot trace fails; it never passes in silence.

/// Panics with the command to run unless this is root.
pub(crate) fn require() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test traces processes and so needs root: run `cargo xtask test`, or `sudo -E \"$(command -v cargo)\" test -p \
         memtrace-tests`"
    );
}
