//! memtrace's pipeline without the world: no aya, no tokio, no filesystem, no clock, no `unsafe`.
//!
//! In: bytes from the ring buffer, and what the shell answers through the traits in [`world`]. Out: a
//! [`model::Snapshot`], and its text, JSON and metrics.
//!
//! The folders are the stages, in order:
//!
//! ```text
//! decode -> attribute -> aggregate -> render | export        (all may import model, which imports none)
//! ```
//!
//! [`liveness`] stands beside them: it tells from a target's memory whether a sampled block still lives.
//!
//! Invariant: a stage imports nothing to its right.
#![forbid(unsafe_code)]

pub mod aggregate;
pub mod attribute;
pub mod decode;
pub mod export;
pub mod limits;
pub mod liveness;
pub mod model;
pub mod render;
pub mod world;
