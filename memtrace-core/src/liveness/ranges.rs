//! Which memory to read for a block: the same for its fingerprint and for every later look.

use memtrace_common::Domain;

use super::block::{Allocators, Block, Libc};
use super::glibc;

/// How much of a block's content is looked at.
pub(super) const CONTENT_BYTES: u64 = 128;

/// What a slot has at least, in every allocator that is known here.
const SLOT_BYTES_MIN: u64 = 16;

/// How much of a pool says what it serves: `struct pool_header`.
pub(super) const POOL_HEADER_BYTES: u32 = 48;

/// Memory of a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Range {
    /// Where it begins.
    pub address: u64,
    /// How much.
    pub length: u32,
}

/// What was read of each range of a [`Ranges`], in their order; `None` where it could not all be read.
pub type Parts<'a> = [Option<&'a [u8]>; Ranges::MAX];

/// One or two ranges; the second is empty when one will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ranges([Range; Ranges::MAX]);

impl Ranges {
    /// Ranges of a block at most.
    pub const MAX: usize = 2;

    /// Those that are not empty, the first always among them.
    #[must_use]
    pub fn as_slice(&self) -> &[Range] {
        if self.0[1].length == 0 { &self.0[..1] } else { &self.0 }
    }
}

/// What to read of a block.
#[must_use]
pub fn ranges(block: &Block, allocators: &Allocators) -> Ranges {
    let content_bytes = block.size_bytes.clamp(SLOT_BYTES_MIN, CONTENT_BYTES) as u32;
    let content = Range { address: block.address, length: content_bytes };
    let none = Range::default();
    match (block.domain, allocators.libc) {
        (Domain::Pymalloc, _) => Ranges([content, pool_header(block.address, allocators)]),
        (Domain::Libc, Libc::Glibc { .. }) => Ranges(glibc::ranges(block, content_bytes)),
        (Domain::Libc, Libc::Musl) => Ranges([with_header(content), none]),
        (Domain::Libc, Libc::Other) => Ranges([content, none]),
    }
}

/// What to read of a block that has just been freed, of which nothing but the address is known.
#[must_use]
pub fn freed_ranges(address: u64, domain: Domain, allocators: &Allocators) -> Ranges {
    let content = Range { address, length: SLOT_BYTES_MIN as u32 };
    match domain {
        Domain::Pymalloc => Ranges([content, pool_header(address, allocators)]),
        Domain::Libc => Ranges([with_header(content), Range::default()]),
    }
}

/// What lies before a block's content, in glibc and musl.
pub(super) const HEADER_BYTES: u32 = 16;

fn with_header(content: Range) -> Range {
    Range {
        address: content.address.wrapping_sub(u64::from(HEADER_BYTES)),
        length: content.length + HEADER_BYTES,
    }
}

fn pool_header(address: u64, allocators: &Allocators) -> Range {
    Range { address: pool_of(address, allocators), length: POOL_HEADER_BYTES }
}

/// Pools are aligned to their size.
pub(super) fn pool_of(address: u64, allocators: &Allocators) -> u64 {
    address & !u64::from(allocators.pool_bytes.max(1) - 1)
}
