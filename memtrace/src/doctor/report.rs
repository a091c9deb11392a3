//! What `memtrace doctor` found: plain values, made in `machine` and `process`, printed in `text` and `json`.

/// Everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Report {
    /// memtrace's own version.
    pub(super) version: String,
    /// The machine, and this process' rights.
    pub(super) items: Vec<Item>,
    /// What a probe hit costs a process here; `None` where it cannot be measured, and an item says why.
    pub(super) costs: Option<CostReport>,
    /// The process that was asked for.
    pub(super) process: Option<ProcessReport>,
}

impl Report {
    /// True when memtrace can trace here: nothing that it needs is missing.
    pub(super) fn can_trace(&self) -> bool {
        let is_readable = self.process.as_ref().is_none_or(|process| process.is_readable);
        is_readable && self.items.iter().all(|item| item.status != Status::Missing)
    }
}

/// One thing that memtrace needs or uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Item {
    /// What it is.
    pub(super) name: &'static str,
    /// Whether it is there.
    pub(super) status: Status,
    /// What was found, what it means, and what to try.
    pub(super) detail: String,
}

impl Item {
    pub(super) fn new(name: &'static str, status: Status, detail: impl Into<String>) -> Self {
        Self { name, status, detail: detail.into() }
    }
}

/// Whether something is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// memtrace runs, with less.
    Weaker,
    /// memtrace cannot trace without it.
    Missing,
}

impl Status {
    /// In text and JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Weaker => "weaker",
            Self::Missing => "missing",
        }
    }
}

/// What hits cost on this machine, measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CostReport {
    /// An entry on an emulated instruction.
    pub(super) entry_ns: u64,
    /// An entry on a stepped instruction.
    pub(super) stepped_entry_ns: u64,
    /// On top, for a call whose return is probed too.
    pub(super) return_ns: u64,
    /// On top, for an allocation whose stack is recorded.
    pub(super) stack_ns: u64,
    /// Frames of that stack.
    pub(super) stack_frames: u32,
    /// Entries on emulated instructions that 1 % of a core pays for, a second.
    pub(super) hits_per_second_of_1_percent: u64,
    /// The same on stepped ones.
    pub(super) stepped_hits_per_second_of_1_percent: u64,
}

/// A process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ProcessReport {
    pub(super) pid: u32,
    pub(super) comm: String,
    pub(super) exe: Option<String>,
    /// False when its mappings may not be read.
    pub(super) is_readable: bool,
    /// Each file with an allocator.
    pub(super) allocators: Vec<AllocatorReport>,
    pub(super) python: Option<PythonReport>,
    /// What a user should know.
    pub(super) notes: Vec<String>,
}

/// An allocator in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AllocatorReport {
    /// `libc`, or `pymalloc`, which is probed only with `--python-objects`.
    pub(super) domain: &'static str,
    pub(super) path: String,
    /// In hexadecimal.
    pub(super) build_id: Option<String>,
    pub(super) sites: Vec<SiteReport>,
    pub(super) missing: Vec<MissingReport>,
}

/// Where a probe goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SiteReport {
    pub(super) functions: Vec<String>,
    pub(super) offset_in_function: u64,
    pub(super) file_offset: u64,
    pub(super) instruction: String,
    /// `emulated` or `stepped`.
    pub(super) execution: String,
}

/// Functions without a probe, for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct MissingReport {
    pub(super) functions: Vec<String>,
    pub(super) reason: String,
}

/// A Python interpreter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PythonReport {
    pub(super) path: String,
    pub(super) build_id: Option<String>,
    /// Unless it is not one that can be read.
    pub(super) version: Option<String>,
    /// What told it.
    pub(super) identified_by: &'static str,
    /// Where a thread keeps its thread state, or why its Python stacks cannot be walked.
    pub(super) thread_state: Result<String, String>,
}
