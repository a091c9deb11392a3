//! What the session asks of the follower, and what it answers.

use memtrace_common::Domain;
use memtrace_core::liveness::{Allocators, Block, Fingerprint, Verdict};

/// The session's number for a sample, unique in a target.
pub type SampleNumber = u64;

/// One thing to do. Orders are carried out in their order.
#[derive(Clone, Debug)]
pub enum Order {
    /// A target is to be followed from now on; what was known of one with its number is forgotten.
    Begin {
        /// Its number.
        target: u32,
        /// Its process.
        pid: u32,
        /// Which notes to read.
        allocators: Allocators,
    },
    /// These blocks were alive when their fingerprints were taken, and are to be recognized by them.
    Remember {
        /// Whose they are.
        target: u32,
        /// The samples.
        samples: Vec<(SampleNumber, Fingerprint)>,
    },
    /// These blocks are alive, their frees are seen, and their fingerprints are to be taken now.
    Meet {
        /// Whose they are.
        target: u32,
        /// The samples.
        blocks: Vec<(SampleNumber, Block)>,
    },
    /// These blocks have been freed a moment ago: what the allocator has written into them is to be learned.
    Learn {
        /// Whose they were.
        target: u32,
        /// Where they were.
        freed: Vec<(u64, Domain)>,
    },
    /// These samples are to be judged now.
    Check {
        /// Whose they are.
        target: u32,
        /// Which.
        samples: Vec<SampleNumber>,
    },
    /// These samples are settled: their fingerprints are to be forgotten. Those judged dead are forgotten anyway.
    Forget {
        /// Whose they were.
        target: u32,
        /// Which.
        samples: Vec<SampleNumber>,
    },
    /// The target is not followed any more.
    End {
        /// Which.
        target: u32,
    },
}

/// What the follower answers.
#[derive(Clone, Debug)]
pub enum Told {
    /// To an [`Order::Check`].
    Judged(Judged),
    /// To an [`Order::Meet`].
    Met(Met),
}

/// The answer to an [`Order::Meet`].
#[derive(Clone, Debug)]
pub struct Met {
    /// Whose samples.
    pub target: u32,
    /// CLOCK_MONOTONIC after the last byte was read.
    pub ended_ns: u64,
    /// Each sample, and whether it has a fingerprint now.
    pub samples: Vec<(SampleNumber, bool)>,
}

/// The answer to an [`Order::Check`].
#[derive(Clone, Debug)]
pub struct Judged {
    /// Whose samples.
    pub target: u32,
    /// CLOCK_MONOTONIC before the first byte was read.
    pub began_ns: u64,
    /// CLOCK_MONOTONIC after the last byte was read.
    pub ended_ns: u64,
    /// A verdict for each sample that was asked for and is known.
    pub verdicts: Vec<(SampleNumber, Verdict)>,
    /// Samples of which no fingerprint is known.
    pub strangers: Vec<SampleNumber>,
    /// True when the process has ended: there are no verdicts then, and its end is no free.
    pub is_gone: bool,
}
