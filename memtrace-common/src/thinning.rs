//! With which probability an allocation is sampled in a window. Both sides compute it with this function, in
//! integers, so the daemon weighs by exactly the probability with which the BPF program chose.
//!
//! A Poisson process over the bytes handed out, one point every `mean_bytes`, hits an allocation of `s` bytes with
//! probability `1 - exp(-s / mean_bytes)`. BPF has no logarithm, so the exponential is `(1 + x/64)^-64`: one division
//! and six squarings. The weights are exact whatever the function, and this one is within 0.8 % of the other.

/// Chances are out of this many.
pub const CERTAIN: u64 = 1 << 32;

/// The chance, out of [`CERTAIN`], that an allocation of `size_bytes` is sampled; halved `rarity_log2` times for a
/// caller that was seen often. Never 0: what cannot be sampled cannot be estimated.
#[inline(always)]
#[must_use]
pub const fn chance(size_bytes: u64, mean_bytes: u64, rarity_log2: u32) -> u64 {
    let halvings = if rarity_log2 > RARITY_LOG2_MAX { RARITY_LOG2_MAX } else { rarity_log2 };
    let chance = byte_chance(size_bytes, mean_bytes) >> halvings;
    if chance == 0 { 1 } else { chance }
}

/// Halvings at most: one in 1,024 of a caller's allocations is always looked at.
pub const RARITY_LOG2_MAX: u32 = 10;

#[inline(always)]
const fn byte_chance(size_bytes: u64, mean_bytes: u64) -> u64 {
    // Beyond 2^24 bytes of mean, or 32 means of size, the products below would not fit, and nothing is lost.
    let mean_bytes = if mean_bytes > MEAN_BYTES_MAX { MEAN_BYTES_MAX } else { mean_bytes };
    let size_bytes = if size_bytes == 0 { 1 } else { size_bytes };
    if mean_bytes == 0 || size_bytes >= mean_bytes * 32 {
        return CERTAIN;
    }
    let mut power = ((mean_bytes * 64) << 32) / (mean_bytes * 64 + size_bytes);
    let mut squarings = 0;
    while squarings < 6 {
        power = (power * power) >> 32;
        squarings += 1;
    }
    CERTAIN - power
}

/// The largest mean: `mean * 64 << 32` has to fit in 64 bits.
pub const MEAN_BYTES_MAX: u64 = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_follows_the_exponential_and_rises_with_the_size() {
        extern crate std;
        for mean_bytes in [64_u64, 500, 4096, 1 << 20] {
            let mut before = 0;
            for size_bytes in (1..mean_bytes * 31).step_by((mean_bytes / 16) as usize) {
                let chance = chance(size_bytes, mean_bytes, 0);
                let exact = 1.0 - (-(size_bytes as f64) / mean_bytes as f64).exp();
                let relative = chance as f64 / CERTAIN as f64 / exact;
                assert!((0.985..1.01).contains(&relative), "{size_bytes} of {mean_bytes}: {relative}");
                assert!(chance >= before, "{size_bytes} of {mean_bytes}");
                before = chance;
            }
        }
    }

    #[test]
    fn nothing_is_impossible_and_large_blocks_are_certain() {
        assert_eq!(chance(0, 0, 0), CERTAIN);
        assert_eq!(chance(u64::MAX, u64::MAX, 0), CERTAIN);
        assert_eq!(chance(1 << 30, 1 << 20, 0), CERTAIN);
        assert!(chance(0, u64::MAX, u32::MAX) >= 1);
        assert_eq!(chance(1 << 30, 512, 3), CERTAIN >> 3);
    }
}
