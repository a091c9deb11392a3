//! The ring under tokio: woken by the kernel at the fill watermark, and by a timer for what stays below it.

use std::{io, time::Duration};

use aya::maps::{MapData, RingBuf};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::timeout,
};

/// Longest time that a record stays in a ring that does not fill.
const PATIENCE: Duration = Duration::from_millis(20);

/// Records taken before others get a turn: at 100 ns a record, under a millisecond.
const BATCH: usize = 8192;

/// The ring.
pub struct Ring {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl Ring {
    /// Reads from `ring`.
    ///
    /// # Errors
    /// When its descriptor cannot be polled.
    pub fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: aya's ring gives the descriptor of its map, which it owns and keeps open for as long as it lives,
        // and it lives in the `AsyncFd`.
        let ring =
            unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }.map_err(io::Error::from)?;
        Ok(Self { ring })
    }

    /// Waits until there is something to read, or long enough that there may be.
    ///
    /// # Errors
    /// When polling fails.
    pub async fn ready(&self) -> io::Result<()> {
        match timeout(PATIENCE, self.ring.readable()).await {
            Ok(Ok(mut guard)) => {
                guard.clear_ready();
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Ok(()),
        }
    }

    /// Hands what is there to `take`, up to a batch. True when there was a whole batch, so that more may wait.
    pub fn drain(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        let ring = self.ring.get_mut();
        for _ in 0..BATCH {
            let Some(record) = ring.next() else { return false };
            take(&record);
        }
        true
    }
}
