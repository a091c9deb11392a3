//! musl's notes about a slot (`mallocng/meta.h`): the four bytes before the block. `free` sets the third from the end
//! to 255 and clears the last two; `enframe` writes them anew, another number in the slot and another offset in turn.

use super::verdict::DeathProof;
use super::words::half_at;

const FREED: u8 = 255;

/// A group has fewer slots.
const SLOTS_END: u32 = 32;

/// The four bytes before the block. They may be all zero in a group's first slot only, after the number of the slots
/// in use. The allocator before 1.2.1 has a size there, of 32 bytes at least: `None`, its notes are others.
pub(super) fn header(bytes: &[u8]) -> Option<u32> {
    let header = half_at(bytes, 12)?;
    (header != 0 || half_at(bytes, 8)? < SLOTS_END).then_some(header)
}

/// The proof of its death, if the slot's notes hold one.
pub(super) fn death(header_before: u32, bytes: &[u8]) -> Option<DeathProof> {
    let now = half_at(bytes, 12)?;
    if now.to_le_bytes()[1] == FREED && header_before.to_le_bytes()[1] != FREED {
        return Some(DeathProof::MarkedFree);
    }
    (now != header_before).then_some(DeathProof::SlotChanged)
}
