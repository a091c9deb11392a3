//! memtrace's own chores.
fn main() {}
