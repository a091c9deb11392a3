//! Which processes are wanted.

mod selection;

pub use selection::{NameError, NamePattern, Selection};
