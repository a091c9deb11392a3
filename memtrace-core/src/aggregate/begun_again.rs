//! glibc 2.42 and later begin a thread's first `free` twice: it finds the thread's cache not set up, sets it up and
//! jumps to its own beginning (`tcache_free_init`, malloc/malloc.c). Two records are one call then.
//!
//! In: each free of libc's. Out: whether its thread's last one was of the same address. That alone proves nothing: the
//! block can have been handed out again by another thread. But then it is known, and freed as such.

/// Threads told apart, by the low bits of their ids. Another thread in between makes the second record an unknown
/// free.
const THREADS: usize = 16;

/// The last free of libc's of each thread.
#[derive(Debug, Default)]
pub(super) struct LastFrees {
    last: [(u32, u64); THREADS],
}

impl LastFrees {
    /// Notes a free; true when the thread's last one was of the same address.
    #[inline]
    pub(super) fn is_begun_again(&mut self, thread: u32, address: u64) -> bool {
        let last = &mut self.last[thread as usize % THREADS];
        let is_same = *last == (thread, address);
        *last = (thread, address);
        is_same
    }
}
