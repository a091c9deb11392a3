//! The contract between the BPF programs and the daemon: every record, map value and counter that crosses it.
//!
//! In: nothing. Out: `repr(C)` types without padding, the limits both sides keep, and the one list of everything
//! that can be lost. It refuses to depend on anything, `std` included, because it is compiled twice: for the host
//! and for `bpfel-unknown-none`.
//!
//! Invariant: a type here has the same size and layout on both sides. Sizes are asserted at compile time, and every
//! field is a plain integer, so any byte pattern is a valid value.
#![no_std]
#![forbid(unsafe_code)]

pub mod allowance;
pub mod call;
pub mod counter;
pub mod drop_reason;
pub mod limits;
pub mod record;
pub mod settings;
pub mod stack_end;
pub mod thinning;

pub use allowance::{Allowance, GAP_NS_MAX, Meter};
pub use call::{Call, Domain};
pub use counter::Counter;
pub use drop_reason::DropReason;
pub use stack_end::StackEnd;
