//! The BPF side as the daemon sees it: loading, settings, attaching, counters.
//!
//! In: the built object. Out: a loaded [`Kernel`] with its maps, and [`attach::Attachment`]s that detach when
//! dropped. It refuses to know what a probe is for. Invariant: everything it attaches hangs on file descriptors of
//! this process and nothing is pinned, so the kernel removes all of it when the process ends, however it ends.

mod allowances;
pub mod anchor;
pub mod attach;
mod counters;
mod fs_base;
mod load;
mod multi;
mod perf;
pub mod requirements;
pub mod seccomp;
pub mod shadow_stack;
mod sys;
mod targets;
mod thread_clock;
pub mod tracefs;

pub use allowances::{Allowances, Meters};
pub use counters::KernelCounters;
pub use load::{Area, Backend, FlushLog, Kernel, LoadError, Options, Weakness};
pub use targets::Targets;
pub use thread_clock::ThreadClock;
