//! The arguments of a call, by its shape.

use aya_ebpf::programs::ProbeContext;
use memtrace_common::{Call, limits::PYMALLOC_MAX_BYTES};

/// What a call asks for.
pub struct Arguments {
    /// The block given (free, realloc) or the place for the result (posix_memalign); else 0.
    pub pointer: u64,
    /// Bytes asked for; `u64::MAX` when count times size overflows, which no allocator grants.
    pub size_bytes: u64,
}

impl Arguments {
    /// Reads them. The probe sits where the argument registers are as the caller left them.
    #[inline(always)]
    pub fn of(ctx: &ProbeContext, call: Call) -> Option<Self> {
        let (pointer, size_bytes) = match call {
            Call::Malloc | Call::PythonMalloc => (0, ctx.arg(0)?),
            Call::Calloc | Call::PythonCalloc => (0, product(ctx.arg(0)?, ctx.arg(1)?)),
            Call::Realloc | Call::PythonRealloc => (ctx.arg(0)?, ctx.arg(1)?),
            Call::Reallocarray => (ctx.arg(0)?, product(ctx.arg(1)?, ctx.arg(2)?)),
            Call::Free | Call::PythonFree => (ctx.arg(0)?, 0),
            Call::PosixMemalign => (ctx.arg(0)?, ctx.arg(2)?),
            Call::AlignedAlloc => (0, ctx.arg(1)?),
        };
        Some(Self { pointer, size_bytes })
    }

    /// True when pymalloc passes a new request on to libc, which then counts it.
    #[inline(always)]
    pub fn is_left_to_libc(&self, call: Call) -> bool {
        matches!(call, Call::PythonMalloc | Call::PythonCalloc | Call::PythonRealloc)
            && self.pointer == 0
            && self.size_bytes > PYMALLOC_MAX_BYTES
    }
}

/// `a * b`, saturating, in 64-bit steps: BPF has no 128-bit product, and LLVM makes one of any plainer check.
#[inline(always)]
fn product(a: u64, b: u64) -> u64 {
    if (a | b) >> 32 == 0 {
        return a * b;
    }
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if small >> 32 != 0 {
        return u64::MAX;
    }
    let high = small * (large >> 32);
    if high >> 32 != 0 {
        return u64::MAX;
    }
    let (high, low) = (high << 32, small * (large & 0xffff_ffff));
    let sum = high.wrapping_add(low);
    if sum < high { u64::MAX } else { sum }
}
