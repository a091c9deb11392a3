//! Which processes are wanted.

pub mod pid;
mod selection;

pub use selection::{NameError, NamePattern, Selection};
