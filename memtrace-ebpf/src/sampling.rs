//! Which allocations of a window are sampled.
//!
//! In: a call that allocates, the target's allowance and meter. Out: a [`Thinning`]. It refuses to remember anything
//! beyond the window but how often each caller was sampled in it. Invariant: when the coin is tossed its probability is
//! known, from the size and from what went before, and the record says which it was (size and rarity). The expectation
//! of a sample's weight given the past is then 1 whatever the rarities were, so adapting them leaves sums unbiased.

use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_ktime_get_ns};
use memtrace_common::{
    Allowance, Meter,
    thinning::{RARITY_LOG2_MAX, chance},
};

use crate::{maps::CALLERS, meter, user_memory};

/// What was decided about an allocation: 0 to [`RARITY_LOG2_MAX`] is how often the chance at which it was taken had been
/// halved; [`UNSAMPLED`] is that it was not taken.
pub type Thinning = u8;

/// Not taken.
pub const UNSAMPLED: Thinning = u8::MAX;

/// Samples of a caller in a window that are taken at the full chance; each doubling of their number halves it.
const FULL_CHANCE_SAMPLES: u32 = 8;

/// A call's place, as the allocator's caller goes: key of `CALLERS`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Caller {
    /// The address that the allocator returns to.
    pub return_address: u64,
    /// The daemon's number for the process.
    pub target: u32,
    /// Zero.
    pub reserved: u32,
}

/// How often a caller was sampled, in the window that saw it last.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CallerSamples {
    /// The window.
    pub window: u32,
    /// Samples taken in it.
    pub samples: u32,
}

/// Decides about an allocation of `size_bytes`, entered with this stack pointer. In the exact tier all are taken.
#[inline(always)]
pub fn decide(
    target: u32,
    allowance: &Allowance,
    meter: Option<*mut Meter>,
    size_bytes: u64,
    stack_pointer: u64,
) -> Thinning {
    if allowance.window == 0 {
        return 0;
    }
    let Some(meter) = meter else { return UNSAMPLED };
    if !is_open(allowance) || !is_within_quota(allowance, meter) {
        return UNSAMPLED;
    }
    // SAFETY: the helper takes nothing and gives a number.
    let coin = u64::from(unsafe { bpf_get_prandom_u32() });
    // One coin for both: whoever loses at the full chance loses at a halved one, and needs no look at its caller.
    if coin >= chance(size_bytes, allowance.mean_bytes, 0) {
        return UNSAMPLED;
    }
    toss_again(target, allowance, size_bytes, stack_pointer, coin)
}

#[inline(always)]
fn toss_again(
    target: u32,
    allowance: &Allowance,
    size_bytes: u64,
    stack_pointer: u64,
    coin: u64,
) -> Thinning {
    let return_address = user_memory::read::<u64>(stack_pointer).unwrap_or(0);
    let caller = Caller { return_address, target, reserved: 0 };
    let known = CALLERS.get_ptr_mut(&caller);
    let samples = known.map_or(0, |known| samples_in(known, allowance.window));
    let rarity_log2 = rarity(samples);
    if coin >= chance(size_bytes, allowance.mean_bytes, rarity_log2) {
        return UNSAMPLED;
    }
    let counted = CallerSamples { window: allowance.window, samples: samples + 1 };
    match known {
        // SAFETY: the pointer is to a map value, which lives as long as the program runs. Racing threads lose a count,
        // and an entry that was recycled miscounts another caller: both change a later chance, which is recorded.
        Some(known) => unsafe { *known = counted },
        None => {
            let _ = CALLERS.insert(&caller, &counted, 0);
        }
    }
    rarity_log2 as Thinning
}

#[inline(always)]
fn samples_in(known: *mut CallerSamples, window: u32) -> u32 {
    // SAFETY: the pointer is to a map value, which lives as long as the program runs.
    let known = unsafe { *known };
    if known.window == window { known.samples } else { 0 }
}

/// 0 for less than 8, 1 for less than 16, 2 for less than 32, and so on.
#[inline(always)]
fn rarity(samples: u32) -> u32 {
    let mut rarity_log2 = 0;
    while rarity_log2 < RARITY_LOG2_MAX && samples >> rarity_log2 >= FULL_CHANCE_SAMPLES {
        rarity_log2 += 1;
    }
    rarity_log2
}

#[inline(always)]
fn is_open(allowance: &Allowance) -> bool {
    // SAFETY: the helper takes nothing and reads a clock.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    now_ns >= allowance.opens_ns && now_ns < allowance.closes_ns
}

/// Racing threads can exceed the quota by one sample each.
#[inline(always)]
fn is_within_quota(allowance: &Allowance, meter: *mut Meter) -> bool {
    if meter::entries(meter) > allowance.entries_max {
        return false;
    }
    // SAFETY: the pointer is to a map value, which lives as long as the program runs; fields are read and written one
    // word at a time.
    let meter = unsafe { &mut *meter };
    if meter.window != allowance.window {
        meter.sampled_before = meter.sampled;
        meter.window = allowance.window;
    }
    meter.sampled.wrapping_sub(meter.sampled_before) < u64::from(allowance.sampled_max)
}
