//! A frame of a stack as people read it.

use std::sync::Arc;

/// What kind of code a frame ran.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FrameKind {
    /// A Python function.
    Python,
    /// Machine code of a file.
    Native,
    /// The kernel.
    Kernel,
    /// Nothing is known but, perhaps, an address.
    Unknown,
}

impl FrameKind {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Native => "native",
            Self::Kernel => "kernel",
            Self::Unknown => "unknown",
        }
    }
}

/// One frame. What is not known is `None`, and `reason` says why.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    /// What ran.
    pub kind: FrameKind,
    /// Function, qualified as far as the source has it, demangled.
    pub function: Option<Arc<str>>,
    /// Source file.
    pub file: Option<Arc<str>>,
    /// Line in that file, from 1.
    pub line: Option<u32>,
    /// Path of the ELF file.
    pub module: Option<Arc<str>>,
    /// Bytes from the start of `module` as a file, or the address where there is no module.
    pub offset: Option<u64>,
    /// Why something above is unknown.
    pub reason: Option<&'static str>,
    /// True for interpreter and allocator frames, which are hidden unless asked for.
    pub internal: bool,
}

impl Frame {
    /// A frame of which only some is unknown, to be filled in; `None` when nothing is.
    #[must_use]
    pub fn unknown_part(reason: Option<&'static str>) -> Self {
        Self { reason, ..Self::unknown("") }
    }

    /// A frame of which nothing is known but the reason.
    #[must_use]
    pub const fn unknown(reason: &'static str) -> Self {
        Self {
            kind: FrameKind::Unknown,
            function: None,
            file: None,
            line: None,
            module: None,
            offset: None,
            reason: Some(reason),
            internal: false,
        }
    }
}
