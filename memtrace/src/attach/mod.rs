//! Attaching to processes, on a thread of its own: it takes milliseconds a process, and detaching up to 90.
//!
//! In: [`Command`]s. Out: [`Outcome`]s, in the same order. It is the only user of the [`Kernel`] once the run has
//! begun. Invariant: a file is attached to at most once in a process, whatever the number of its paths and mappings.
//!
//! [`Kernel`]: crate::kernel::Kernel

mod detach;
mod hazards;
mod inspect;
mod objects;
mod python;
mod worker;

pub use inspect::{Inspection, inspect};
pub use objects::{Object, ObjectKind, Objects, PythonObject, VersionEvidence};
pub use python::Interpreter;
pub use worker::{Answer, Command, Outcome, Worker};
