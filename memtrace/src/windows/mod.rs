//! Windows: a few milliseconds in which a target's probes are armed, conducted by a thread of their own.
//!
//! In: [`WindowOrder`]s. Out: [`WindowEvent`]s, for each window either `Candidates`, `Fingerprints` and `Closed` in this
//! order, or `Failed`. It refuses to decide: when a window is due, what is sampled in it and what the answers mean is the
//! session's. Invariants: one window at a time; whatever happens, the probes are gone when the window's last event is
//! sent; what the target bore is measured and told, failed windows excepted.

mod clocks;
mod conductor;
mod identity;
mod message;
mod priority;
mod read;
mod window;

pub use clocks::process_cpu_ns;
pub use conductor::{Conductor, Instruments};
pub use message::{
    Borne, CandidatesRequest, Fingerprints, MemoryRange, ProbedFile, WindowEvent, WindowFailure,
    WindowMeasure, WindowOrder,
};
pub use priority::prefer;
