//! What the tests share.

pub(crate) mod frames;
pub(crate) mod interpreters;
pub(crate) mod memory;
pub(crate) mod program;
