//! Two hashes over the words of a stack, as they come. The id names the stack; the check tells apart two stacks
//! that share an id. The seed is random per run, so a target cannot prepare a collision. Why a walk ended is one of the
//! words: a stack that was cut short is not the whole one that has the same frames.

use core::ptr::addr_of_mut;

use memtrace_common::record::PythonFrame;

use super::sink::Sink;
use crate::pending::StackLengths;

/// The golden ratio's and FxHash's multipliers: both odd, unrelated.
const ID_MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const CHECK_MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;

pub struct Hash {
    id: u64,
    check: u64,
    lengths: *mut StackLengths,
}

impl Hash {
    /// Counts frames into `lengths`, which is in a map (see [`StackLengths`]) and outlives the hash.
    #[inline(always)]
    pub fn new(seed: u64, lengths: *mut StackLengths) -> Self {
        // SAFETY: see above.
        unsafe { lengths.write_volatile(StackLengths { python: 0, native: 0 }) }
        Self { id: seed, check: seed.rotate_left(32), lengths }
    }

    #[inline(always)]
    fn word(&mut self, word: u64) {
        let mixed = (self.id ^ word).wrapping_mul(ID_MULTIPLIER);
        self.id = mixed ^ (mixed >> 29);
        self.check = (self.check.rotate_left(5) ^ word).wrapping_mul(CHECK_MULTIPLIER);
    }

    /// Id (never 0) and check.
    #[inline(always)]
    pub fn finish(self) -> (u64, u64) {
        (if self.id == 0 { 1 } else { self.id }, self.check)
    }
}

impl Sink for Hash {
    #[inline(always)]
    fn python(&mut self, index: usize, frame: PythonFrame) {
        // SAFETY: see `new`.
        unsafe { addr_of_mut!((*self.lengths).python).write_volatile(index as u32 + 1) }
        self.word(frame.code);
        self.word(frame.instruction);
    }

    #[inline(always)]
    fn python_end(&mut self, end: u8) {
        self.word(u64::from(end));
    }

    #[inline(always)]
    fn native_end(&mut self, end: u8) {
        self.word(u64::from(end));
    }

    #[inline(always)]
    fn native(&mut self, index: usize, address: u64) {
        // SAFETY: see `new`.
        unsafe { addr_of_mut!((*self.lengths).native).write_volatile(index as u32 + 1) }
        self.word(address);
    }
}
