//! What the suite stands on.

pub(crate) mod binary;
pub(crate) mod comm;
pub(crate) mod command;
pub(crate) mod compile;
pub(crate) mod container;
pub(crate) mod figures;
pub(crate) mod frames;
pub(crate) mod hot;
pub(crate) mod http;
pub(crate) mod interpreters;
pub(crate) mod lives;
pub(crate) mod memory;
pub(crate) mod memtrace;
pub(crate) mod poll;
pub(crate) mod program;
pub(crate) mod pythons;
pub(crate) mod releases;
pub(crate) mod report;
pub(crate) mod root;
pub(crate) mod shim;
pub(crate) mod snapshot;
pub(crate) mod source;
pub(crate) mod target;
pub(crate) mod text_segment;
pub(crate) mod traces;
