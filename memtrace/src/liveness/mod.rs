//! Follows sampled blocks in their processes' memory, on a thread of its own.
//!
//! In: [`Order`]s. Out: [`Judged`]. Nothing here blocks the session: a target that holds its mmap lock delays only
//! the follower's thread, and orders beyond a bounded queue are refused, not awaited.
//!
//! Invariant: a sample that is followed is judged only by readings of its own range of the process in which it was
//! allocated; a process that has ended is reported as gone, which proves no free.

mod book;
mod follower;
mod orders;
mod reader;

pub use follower::{Follower, QueueFull};
pub use orders::{Judged, Met, Order, SampleNumber, Told};
pub use reader::{BatchReader, Gone, Readings};
