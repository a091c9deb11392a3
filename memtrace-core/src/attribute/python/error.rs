//! Why an interpreter or a code object was not read. Every error has a short name for metrics and JSON.

use super::version::VersionError;
use crate::world::Unreadable;

/// The field that is wrong when what lies at the runtime's address is no table at all.
pub(super) const DEBUG_COOKIE: &str = "cookie";

/// Why [`super::inspect`] gave up on an interpreter.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PythonError {
    /// The version or the kind of build is not one that memtrace reads.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The target's memory could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The interpreter has not set up a thread that runs Python yet.
    #[error("the interpreter is still starting; try again in a moment")]
    NotReady,
    /// The table of offsets that Python 3.13 and later carry is not usable.
    #[error("the interpreter's table of offsets has an unusable {field}; is this a patched CPython?")]
    BadDebugOffsets {
        /// What is wrong with it.
        field: &'static str,
    },
    /// No thread has the pointer to its thread state where a C library keeps thread-specific data.
    #[error(
        "none of {threads} Python threads keeps its thread state in thread-specific data of a known C library"
    )]
    ThreadStateNotFound {
        /// Threads looked at.
        threads: usize,
    },
    /// Several places hold the pointer, and nothing tells which of them CPython keeps up to date.
    #[error("{places} places could be the thread state's slot; memtrace does not guess")]
    ThreadStateAmbiguous {
        /// How many places.
        places: usize,
    },
}

impl PythonError {
    /// The name that metrics and JSON use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Version(error) => error.reason(),
            Self::Unreadable(_) => "unreadable",
            Self::NotReady => "not_ready",
            Self::BadDebugOffsets { .. } => "bad_debug_offsets",
            Self::ThreadStateNotFound { .. } => "thread_state_not_found",
            Self::ThreadStateAmbiguous { .. } => "thread_state_ambiguous",
        }
    }

    /// True when the same call may succeed a moment later, so that a few more tries are worth it: the interpreter
    /// starts, or the dynamic loader has mapped the first part of its file and not yet the one with `_PyRuntime`.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::NotReady | Self::Unreadable(_) => true,
            Self::BadDebugOffsets { field } => *field == DEBUG_COOKIE,
            Self::Version(_) | Self::ThreadStateNotFound { .. } | Self::ThreadStateAmbiguous { .. } => false,
        }
    }
}

/// Why a code object was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodeError {
    /// The target's memory could not be read: the code object is gone, or never was one.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The object at the address is not a code object.
    #[error("the object at {address:#x} is not a code object (any more)")]
    NotCode {
        /// Where.
        address: u64,
    },
    /// A field of the code object does not point at the type that it must have.
    #[error("the object at {address:#x} is not a well-formed {expected}")]
    WrongType {
        /// Where.
        address: u64,
        /// The type that it should have.
        expected: &'static str,
    },
    /// The code object was replaced by another one while it was read.
    #[error("the code object at {address:#x} changed while it was read")]
    Changed {
        /// Where.
        address: u64,
    },
}

impl CodeError {
    /// The name that metrics and JSON use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "code_unreadable",
            Self::NotCode { .. } => "code_gone",
            Self::WrongType { .. } => "code_malformed",
            Self::Changed { .. } => "code_changed",
        }
    }
}
