//! Stage decode: one record of the ring becomes one [`Event`].
//!
//! In: the bytes of a record, as `memtrace_common::record` lays them out. Out: an event that borrows from them; a
//! stack is not copied. It refuses what is not exactly one known record: another length, kind, domain or stack end,
//! or more frames than a record holds. It does not ask whether the values make sense together: `aggregate` does.
//!
//! Invariant: any bytes give an event or a [`Malformed`], never a panic.

mod bytes;
pub mod encode;
mod event;
mod malformed;
mod stack_view;
#[cfg(test)]
mod tests;

use memtrace_common::record::{self, RecordKind, flags};
use memtrace_common::{Domain, StackEnd, limits};

use bytes::Record;
pub use event::{Allocation, Event, Free, Origin, ReallocBegin, ReallocEnd};
pub use malformed::Malformed;
pub use stack_view::StackView;

/// Reads one record.
///
/// # Errors
/// When the bytes are not exactly one record of this version.
#[inline]
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, Malformed> {
    let &kind = bytes.first().ok_or(Malformed::Empty)?;
    let kind = RecordKind::from_u8(kind).ok_or(Malformed::Kind { kind })?;
    Ok(match kind {
        RecordKind::Allocated => Event::Allocated(allocation(&sized(kind, bytes)?)?),
        RecordKind::Freed => Event::Freed(free(&sized(kind, bytes)?)?),
        RecordKind::ReallocBegun => Event::ReallocBegun(realloc_begin(&sized(kind, bytes)?)?),
        RecordKind::ReallocEnded => Event::ReallocEnded(realloc_end(&sized(kind, bytes)?)?),
        RecordKind::HandedOut => Event::HandedOut(free(&sized(kind, bytes)?)?),
        RecordKind::OverAllowance => over_allowance(&sized(kind, bytes)?),
        RecordKind::Stack => Event::Stack(stack(bytes)?),
        RecordKind::Forked | RecordKind::Executed | RecordKind::Exited | RecordKind::Renamed => {
            lifecycle(kind, &sized(kind, bytes)?)
        }
    })
}

/// The bytes as a record of `N` bytes.
#[inline]
fn sized<const N: usize>(kind: RecordKind, bytes: &[u8]) -> Result<Record<'_, N>, Malformed> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Record(bytes)),
        Err(_) => Err(Malformed::Length { kind, expected_bytes: N, found_bytes: bytes.len() }),
    }
}

#[inline]
fn origin<const N: usize>(record: &Record<'_, N>) -> Result<Origin, Malformed> {
    let domain = record.u8(core::mem::offset_of!(record::Header, domain));
    Ok(Origin {
        target: target(record),
        thread: thread(record),
        domain: Domain::from_u8(domain).ok_or(Malformed::Domain { domain })?,
        window: window(record),
    })
}

#[inline]
fn target<const N: usize>(record: &Record<'_, N>) -> u32 {
    record.u32(core::mem::offset_of!(record::Header, target))
}

#[inline]
fn window<const N: usize>(record: &Record<'_, N>) -> u32 {
    record.u32(core::mem::offset_of!(record::Header, window))
}

#[inline]
fn rarity_log2<const N: usize>(record: &Record<'_, N>) -> u8 {
    (record.u16(core::mem::offset_of!(record::Header, flags)) >> flags::RARITY_SHIFT) as u8
}

#[inline]
fn thread<const N: usize>(record: &Record<'_, N>) -> u32 {
    record.u32(core::mem::offset_of!(record::Header, thread))
}

#[inline]
fn has_flag<const N: usize>(record: &Record<'_, N>, flag: u16) -> bool {
    record.u16(core::mem::offset_of!(record::Header, flags)) & flag != 0
}

#[inline]
fn allocation(record: &Record<'_, { size_of::<record::Allocated>() }>) -> Result<Allocation, Malformed> {
    use record::Allocated as Layout;
    Ok(Allocation {
        origin: origin(record)?,
        address: record.u64(core::mem::offset_of!(Layout, address)),
        size_bytes: record.u64(core::mem::offset_of!(Layout, size_bytes)),
        stack_id: record.u64(core::mem::offset_of!(Layout, stack_id)),
        time_ns: record.u64(core::mem::offset_of!(Layout, time_ns)),
        rarity_log2: rarity_log2(record),
    })
}

#[inline]
fn free(record: &Record<'_, { size_of::<record::Freed>() }>) -> Result<Free, Malformed> {
    Ok(Free { origin: origin(record)?, address: record.u64(core::mem::offset_of!(record::Freed, address)) })
}

#[inline]
fn realloc_begin(
    record: &Record<'_, { size_of::<record::ReallocBegun>() }>,
) -> Result<ReallocBegin, Malformed> {
    Ok(ReallocBegin {
        origin: origin(record)?,
        address: record.u64(core::mem::offset_of!(record::ReallocBegun, address)),
    })
}

#[inline]
fn realloc_end(record: &Record<'_, { size_of::<record::ReallocEnded>() }>) -> Result<ReallocEnd, Malformed> {
    use record::ReallocEnded as Layout;
    Ok(ReallocEnd {
        origin: origin(record)?,
        old_address: record.u64(core::mem::offset_of!(Layout, old_address)),
        new_address: record.u64(core::mem::offset_of!(Layout, new_address)),
        size_bytes: record.u64(core::mem::offset_of!(Layout, size_bytes)),
        stack_id: record.u64(core::mem::offset_of!(Layout, stack_id)),
        time_ns: record.u64(core::mem::offset_of!(Layout, time_ns)),
        new_block_is_libc: has_flag(record, flags::NEW_BLOCK_IS_LIBC),
        rarity_log2: rarity_log2(record),
        is_unsampled: has_flag(record, flags::UNSAMPLED),
    })
}

fn over_allowance<'a>(record: &Record<'a, { size_of::<record::OverAllowance>() }>) -> Event<'a> {
    Event::OverAllowance {
        target: target(record),
        window: window(record),
        entries: record.u64(core::mem::offset_of!(record::OverAllowance, entries)),
    }
}

/// A stack record of either size: the frames come after the same head.
fn stack(bytes: &[u8]) -> Result<StackView<'_>, Malformed> {
    use record::Stack as Layout;
    let room = StackRoom::of(bytes.len())?;
    let (head, frames) = bytes.split_at(STACK_HEAD_BYTES);
    let head: Record<'_, STACK_HEAD_BYTES> = sized(RecordKind::Stack, head)?;
    let python_frames = head.u16(core::mem::offset_of!(Layout, python_len));
    let native_frames = head.u16(core::mem::offset_of!(Layout, native_len));
    if usize::from(python_frames) > room.python || usize::from(native_frames) > room.native {
        return Err(Malformed::FrameCount { python_frames, native_frames });
    }
    let stack_id = head.u64(core::mem::offset_of!(Layout, stack_id));
    if stack_id == 0 {
        return Err(Malformed::StackIdZero);
    }
    let (python, native) = frames.split_at(size_of::<record::PythonFrame>() * room.python);
    Ok(StackView {
        target: target(&head),
        thread: thread(&head),
        stack_id,
        check: head.u64(core::mem::offset_of!(Layout, check)),
        python_end: stack_end(head.u8(core::mem::offset_of!(Layout, python_end)))?,
        native_end: stack_end(head.u8(core::mem::offset_of!(Layout, native_end)))?,
        python: &python[..size_of::<record::PythonFrame>() * usize::from(python_frames)],
        native: &native[..8 * usize::from(native_frames)],
    })
}

const STACK_HEAD_BYTES: usize = core::mem::offset_of!(record::Stack, python);

/// How many frames a stack record has room for.
struct StackRoom {
    python: usize,
    native: usize,
}

impl StackRoom {
    fn of(length_bytes: usize) -> Result<Self, Malformed> {
        const FULL: usize = size_of::<record::Stack>();
        const SHORT: usize = size_of::<record::ShortStack>();
        match length_bytes {
            FULL => Ok(Self { python: limits::PYTHON_FRAMES, native: limits::NATIVE_FRAMES }),
            SHORT => Ok(Self { python: limits::SHORT_PYTHON_FRAMES, native: limits::SHORT_NATIVE_FRAMES }),
            found_bytes => {
                Err(Malformed::Length { kind: RecordKind::Stack, expected_bytes: FULL, found_bytes })
            }
        }
    }
}

fn stack_end(end: u8) -> Result<StackEnd, Malformed> {
    StackEnd::from_u8(end).ok_or(Malformed::StackEnd { end })
}

fn lifecycle<'a>(kind: RecordKind, record: &Record<'a, { size_of::<record::Lifecycle>() }>) -> Event<'a> {
    use record::Lifecycle as Layout;
    let target = target(record);
    let process = record.u32(core::mem::offset_of!(Layout, process));
    let comm = until_nul(record.part(core::mem::offset_of!(Layout, comm), 16));
    match kind {
        RecordKind::Forked => Event::Forked {
            target,
            parent: record.u32(core::mem::offset_of!(Layout, parent)),
            process,
            shares_memory: has_flag(record, flags::SHARES_MEMORY),
            comm,
        },
        RecordKind::Executed => {
            let by_other_thread = has_flag(record, flags::BY_OTHER_THREAD);
            Event::Executed { target, process, by_other_thread, comm }
        }
        RecordKind::Exited => Event::Exited { target, process, thread: thread(record) },
        _ => Event::Renamed { target, task: process, comm },
    }
}

/// A comm is any bytes but NUL, not always UTF-8.
fn until_nul(comm: &[u8]) -> &[u8] {
    comm.split(|&byte| byte == 0).next().unwrap_or_default()
}
