//! A frame before symbolization: small, comparable, and enough to find its name later.

/// What one frame of a site is, as the `attribute` stage knows it without looking up names.
///
/// Two stacks with equal lists of these are one site, whatever addresses they were recorded at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FrameRef {
    /// A line of a Python function.
    Python {
        /// Interned pair of function and file.
        function: u32,
        /// Line in that file, from 1; 0 when unknown.
        line: u32,
    },
    /// A place in an ELF file.
    Native {
        /// Interned file.
        module: u32,
        /// Bytes from the start of the file.
        offset: u64,
    },
    /// An address (0 when there is none) that belongs to nothing known.
    Unknown {
        /// The address as recorded.
        address: u64,
        /// Why nothing more is known.
        reason: &'static str,
    },
}
