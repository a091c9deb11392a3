//! The functions that probes are put on, in assembly, because it is their first instruction that decides the price.

use memtrace_common::Call;

/// Calls one function.
pub(super) type Function = unsafe extern "C" fn(u64) -> u64;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// An entry on an instruction that the kernel emulates.
    Emulated,
    /// An entry on an instruction that the kernel steps over.
    Stepped,
    /// An emulated entry and its return. It is of an allocation that failed, of which nothing is recorded.
    Returning,
    /// The same of an allocation that succeeded, called through eight frames, which are recorded.
    Stack,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Returning, Self::Emulated, Self::Stepped, Self::Stack];

    /// Calls between two looks at the clock: some tenths of a millisecond, so that the looks do not matter.
    pub(super) const fn calls(self) -> u32 {
        match self {
            Self::Emulated | Self::Returning => 300,
            Self::Stepped => 60,
            Self::Stack => 150,
        }
    }

    /// As what the function is probed.
    pub(super) const fn call(self) -> Call {
        match self {
            Self::Emulated | Self::Stepped => Call::Free,
            Self::Returning | Self::Stack => Call::Malloc,
        }
    }

    /// Where the probe is.
    pub(super) fn probed(self) -> Function {
        match self {
            Self::Emulated => memtrace_calibrate_emulated,
            Self::Stepped => memtrace_calibrate_stepped,
            Self::Returning => memtrace_calibrate_returning,
            Self::Stack => memtrace_calibrate_allocating,
        }
    }

    /// What is called, with and without a probe.
    pub(super) fn loops(self) -> (Function, Function) {
        let bare: Function = memtrace_calibrate_bare;
        match self {
            Self::Emulated | Self::Stepped | Self::Returning => (self.probed(), bare),
            Self::Stack => (memtrace_calibrate_deep, memtrace_calibrate_deep_bare),
        }
    }
}

unsafe extern "C" {
    fn memtrace_calibrate_emulated(argument: u64) -> u64;
    fn memtrace_calibrate_stepped(argument: u64) -> u64;
    fn memtrace_calibrate_returning(argument: u64) -> u64;
    fn memtrace_calibrate_allocating(argument: u64) -> u64;
    fn memtrace_calibrate_bare(argument: u64) -> u64;
    fn memtrace_calibrate_deep(argument: u64) -> u64;
    fn memtrace_calibrate_deep_bare(argument: u64) -> u64;
}

// Each keeps the System V ABI and touches nothing but its own frame, RAX and RBP, which it restores. The frames of the
// two deep ones are linked by RBP, as the walk of native stacks wants them.
std::arch::global_asm!(
    ".pushsection .text.memtrace_calibrate,\"ax\",@progbits",
    ".macro memtrace_function name",
    ".balign 16",
    ".globl \\name",
    ".hidden \\name",
    ".type \\name, @function",
    "\\name:",
    ".endm",
    "memtrace_function memtrace_calibrate_emulated",
    "push rbp",
    "pop rbp",
    "ret",
    "memtrace_function memtrace_calibrate_stepped",
    "mov rax, rdi",
    "ret",
    "memtrace_function memtrace_calibrate_returning",
    "push rbp",
    "xor eax, eax",
    "pop rbp",
    "ret",
    "memtrace_function memtrace_calibrate_allocating",
    "push rbp",
    "mov rax, rdi",
    "pop rbp",
    "ret",
    "memtrace_function memtrace_calibrate_bare",
    "push rbp",
    "xor eax, eax",
    "pop rbp",
    "ret",
    ".macro memtrace_frames name, innermost",
    "memtrace_function \\name",
    ".rept 7",
    "push rbp",
    "mov rbp, rsp",
    "call 1f",
    "pop rbp",
    "ret",
    "1:",
    ".endr",
    "push rbp",
    "mov rbp, rsp",
    "call \\innermost",
    "pop rbp",
    "ret",
    ".endm",
    "memtrace_frames memtrace_calibrate_deep, memtrace_calibrate_allocating",
    "memtrace_frames memtrace_calibrate_deep_bare, memtrace_calibrate_bare",
    ".purgem memtrace_frames",
    ".purgem memtrace_function",
    ".popsection",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::uprobe_rules::{Execution, Verdict, judge};

    #[test]
    fn the_first_instruction_is_run_as_its_name_says() {
        for kind in Kind::ALL {
            // SAFETY: a function of this program has sixteen readable bytes: it is aligned to sixteen.
            let bytes = unsafe { std::slice::from_raw_parts(kind.probed() as *const u8, 16) };
            let mut decoder = iced_x86::Decoder::new(64, bytes, iced_x86::DecoderOptions::NONE);
            let expected = if kind == Kind::Stepped { Execution::Stepped } else { Execution::Emulated };
            let instruction = decoder.decode();
            let verdict = judge(&instruction, &bytes[..instruction.len()]);
            assert!(matches!(verdict, Verdict::Allowed(execution) if execution == expected), "{kind:?}");
        }
    }

    #[test]
    fn a_failed_allocation_returns_nothing_and_a_deep_one_its_block() {
        for kind in Kind::ALL {
            let (probed, bare) = kind.loops();
            // SAFETY: the functions take any number and touch nothing.
            let result = unsafe { probed(0x1000) };
            // SAFETY: as above.
            let _none = unsafe { bare(0x1000) };
            match kind {
                Kind::Returning => assert_eq!(result, 0),
                Kind::Stack => assert_eq!(result, 0x1000),
                Kind::Emulated | Kind::Stepped => {}
            }
        }
    }
}
