//! The native stack by frame pointers: the seam for the unwinder that needs none.
//!
//! The first address is where the allocator returns to, and always right. Beyond it a frame is kept only if the
//! chain climbs the stack and the code before the return address is a call: in code compiled without frame pointers
//! the register holds anything, and a guess is not to pass for a frame.

use aya_ebpf::programs::RetProbeContext;
use memtrace_common::{
    StackEnd,
    limits::{FRAME_BYTES_MAX, NATIVE_FRAMES},
};

use super::sink::Sink;
use crate::user_memory::{is_pointer, read};

/// What the walk starts from.
#[derive(Clone, Copy)]
pub struct Registers {
    instruction: u64,
    frame: u64,
    stack: u64,
}

impl Registers {
    /// At a return probe the kernel has put the caller's address back, and the callee has restored `rbp`.
    #[inline(always)]
    pub fn of(ctx: &RetProbeContext) -> Self {
        // SAFETY: `regs` points to the registers for as long as the program runs.
        let registers = unsafe { &*ctx.regs };
        Self { instruction: registers.rip, frame: registers.rbp, stack: registers.rsp }
    }
}

/// Walks outwards until the chain ends or breaks.
#[inline(always)]
pub fn walk<S: Sink>(start: &Registers, sink: &mut S) {
    let end = climb(start, sink);
    sink.native_end(end as u8);
}

#[inline(always)]
fn climb<S: Sink>(start: &Registers, sink: &mut S) -> StackEnd {
    sink.native(0, start.instruction);
    let mut frame = start.frame;
    let mut below = start.stack;
    for index in 1..NATIVE_FRAMES {
        if frame == 0 {
            return StackEnd::Complete;
        }
        if !is_pointer(frame) || frame < below || frame - below > FRAME_BYTES_MAX {
            return StackEnd::NoFramePointer;
        }
        let Some([outer, return_address]) = read::<[u64; 2]>(frame) else {
            return StackEnd::ReadFault;
        };
        if return_address == 0 {
            return StackEnd::Complete;
        }
        if !follows_call(return_address) {
            return StackEnd::NoFramePointer;
        }
        sink.native(index, return_address);
        below = frame + 16;
        frame = outer;
    }
    StackEnd::Truncated
}

/// True when the bytes before `address` are a call: `e8` with four bytes of displacement, or `ff /2` in any of its
/// lengths (Intel SDM, CALL).
#[inline(always)]
fn follows_call(address: u64) -> bool {
    let Some(bytes) = read::<[u8; 8]>(address.wrapping_sub(8)) else { return false };
    let is_indirect = |opcode: u8, modrm: u8| opcode == 0xff && modrm & 0x38 == 0x10;
    bytes[3] == 0xe8
        || is_indirect(bytes[6], bytes[7])
        || is_indirect(bytes[5], bytes[6])
        || is_indirect(bytes[4], bytes[5])
        || is_indirect(bytes[2], bytes[3])
        || is_indirect(bytes[1], bytes[2])
}
