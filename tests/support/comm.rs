//! Names that no other test has, so that tests that run side by side do not see each other's processes.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// A comm of at most 15 bytes that starts no other: the numbers in it have a fixed width.
pub(crate) fn unique(tag: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number <= 0xfff, "a run makes at most 4,096 names");
    let tag: String = tag.chars().filter(char::is_ascii_alphanumeric).take(4).collect();
    format!("mt{:06x}{number:03x}{tag}", process::id() & 0xff_ffff)
}
