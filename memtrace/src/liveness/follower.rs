//! The follower's thread: it carries out orders one after the other and hands out what it finds.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use rustix::time::{ClockId, clock_gettime};

use super::book::{Book, Found};
use super::orders::{Judged, Met, Order, Told};

/// Orders that wait at most. A session gives a few a second to each target.
const QUEUE: usize = 1024;

/// The follower is behind, or has ended: the order was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{QUEUE} orders wait to be carried out")]
pub struct QueueFull;

/// The thread that follows samples. It ends when this is dropped, after the order that it is at.
#[derive(Debug)]
pub struct Follower {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts it; `answer` is called on its thread, and must not wait.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(answer: impl Fn(Told) + Send + 'static) -> io::Result<Self> {
        let (orders, queue) = mpsc::sync_channel(QUEUE);
        let thread =
            thread::Builder::new().name("follower".to_owned()).spawn(move || follow(&queue, answer))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Gives an order, without waiting.
    ///
    /// # Errors
    /// When too many wait. A check that is refused may be asked for again; blocks that are not remembered are
    /// strangers from then on; a target that was not begun has only strangers.
    pub fn order(&self, order: Order) -> Result<(), QueueFull> {
        let orders = self.orders.as_ref().ok_or(QueueFull)?;
        orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => QueueFull,
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.orders = None;
        // Not joined: it may be waiting for a target's mmap lock, and has nothing to finish.
        drop(self.thread.take());
    }
}

fn follow(queue: &Receiver<Order>, answer: impl Fn(Told)) {
    let mut book = Book::default();
    while let Ok(order) = queue.recv() {
        let began_ns = monotonic_ns();
        let found = book.carry_out(order);
        let ended_ns = monotonic_ns();
        match found {
            None => {}
            Some(Found::Meeting { target, samples }) => answer(Told::Met(Met { target, ended_ns, samples })),
            Some(Found::Check(check)) => answer(Told::Judged(Judged {
                target: check.target,
                began_ns,
                ended_ns,
                verdicts: check.verdicts,
                strangers: check.strangers,
                is_gone: check.is_gone,
            })),
        }
    }
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests;
