//! One call of `PyObject_Free` on a large block gives two records: its own and, directly after, that of the `free`
//! that it passes the block on to. When the block is unknown, this tells that the two are one.

use hashbrown::HashMap;

/// Threads remembered; more than have an allocator call in progress at the same time.
const THREADS: usize = 4_096;

/// For each thread whose last event was a Python free of an unknown block, that block's address.
#[derive(Debug, Default)]
pub(super) struct UnknownFrees {
    address_by_thread: HashMap<u32, u64>,
}

impl UnknownFrees {
    /// What the thread's last event freed, if it was such a free. Every event of a thread asks, and so forgets.
    #[inline]
    pub(super) fn take(&mut self, thread: u32) -> Option<u64> {
        if self.address_by_thread.is_empty() {
            return None;
        }
        self.address_by_thread.remove(&thread)
    }

    pub(super) fn remember(&mut self, thread: u32, address: u64) {
        if self.address_by_thread.len() >= THREADS {
            self.address_by_thread.clear();
        }
        self.address_by_thread.insert(thread, address);
    }
}
