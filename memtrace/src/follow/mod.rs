//! The processes that are followed: who they are, what they map, what Python they run.
//!
//! In: outcomes of attaching, stacks. Out: attributed stacks, and what a report says of a process besides its
//! memory. Invariant: a process is known by its target number, which is never reused; a pid is looked up in one place.

mod modules;
mod process;
mod table;

pub use modules::{Module, Modules};
pub use process::{Followed, State};
pub use table::Processes;
