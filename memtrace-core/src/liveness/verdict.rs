//! What can be said of a block.

/// What one reading says of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The slot is in use, and by the block that was sampled.
    Alive,
    /// The block is gone, and this shows it.
    Dead(DeathProof),
    /// Neither is shown. Not alive: an upper bound may count it, an estimate must not.
    Unknown(Doubt),
}

/// What shows that a block is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DeathProof {
    /// Its memory is not mapped any more.
    Unmapped,
    /// glibc: it carries the mark of a thread's cache of freed blocks.
    InThreadCache,
    /// glibc: its first word links it to other freed blocks.
    Linked,
    /// glibc: the chunk after it says that this one is free.
    Coalesced,
    /// glibc, musl: its slot has been cut or numbered anew.
    SlotChanged,
    /// musl: its slot is marked as free.
    MarkedFree,
    /// pymalloc: its pool serves another size, or nothing, or has not reached it yet.
    PoolChanged,
    /// pymalloc: it is in its pool's list of free blocks.
    InFreeList,
    /// CPython: an object of another type is there.
    OtherType,
}

/// Why nothing can be said.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Doubt {
    /// In use, but what was distinctive in it has changed: written to, or somebody else's by now.
    Changed,
    /// In use and unchanged, but another owner of the slot would look just the same.
    NothingTells,
    /// A free slot could look like this one.
    MayBeFree,
    /// The allocator keeps no notes that could be read.
    NoNotes,
    /// The notes changed while they were read.
    Torn,
}
