//! The reading end of the ring.
//!
//! In: the ring's map. Out: batches of raw records, in order. Invariant: reading never waits for anything but the
//! ring and its timer, and a batch is bounded, so other work gets its turn under any load.

mod ring;

pub use ring::Ring;
