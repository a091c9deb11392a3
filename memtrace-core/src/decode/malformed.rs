//! Why bytes are not a record.

use memtrace_common::record::RecordKind;

/// Bytes that are not exactly one record. Counted as `malformed_record`; it means that the BPF object and the daemon
/// were not built together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// No bytes at all.
    #[error("an empty record; rebuild the BPF object together with the daemon")]
    Empty,
    /// No such kind.
    #[error("a record of unknown kind {kind}; rebuild the BPF object together with the daemon")]
    Kind {
        /// The number found.
        kind: u8,
    },
    /// Another length than the kind has.
    #[error(
        "a record {kind:?} of {found_bytes} bytes instead of {expected_bytes}; rebuild the BPF object together with \
         the daemon"
    )]
    Length {
        /// What it claims to be.
        kind: RecordKind,
        /// The length of that.
        expected_bytes: usize,
        /// The length found.
        found_bytes: usize,
    },
    /// No such domain.
    #[error("a record of unknown domain {domain}; rebuild the BPF object together with the daemon")]
    Domain {
        /// The number found.
        domain: u8,
    },
    /// No such stack end.
    #[error("a stack with unknown end {end}; rebuild the BPF object together with the daemon")]
    StackEnd {
        /// The number found.
        end: u8,
    },
    /// More frames than a record holds.
    #[error(
        "a stack of {python_frames} Python and {native_frames} native frames; rebuild the BPF object together with \
         the daemon"
    )]
    FrameCount {
        /// Python frames claimed.
        python_frames: u16,
        /// Native frames claimed.
        native_frames: u16,
    },
    /// The id that stands for "no stack" was given to one.
    #[error("a stack with the id 0, which stands for none; rebuild the BPF object together with the daemon")]
    StackIdZero,
}
