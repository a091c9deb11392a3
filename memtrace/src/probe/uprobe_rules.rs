//! What the kernel does with an instruction under a uprobe: emulate it, single-step a copy of it, or refuse it.
//!
//! In: one decoded x86-64 instruction with its bytes. Out: a [`Verdict`]. It follows arch/x86/kernel/uprobes.c
//! (`uprobe_init_insn`, `branch_setup_xol_ops`, `push_setup_xol_ops`, `can_optimize`).
//!
//! Invariant: a verdict holds for every kernel from 5.4 to 7.x. Where kernels differ, it is the worse of the two: a
//! long nop counts as stepped, though 6.16 emulates it.

use std::fmt;

use iced_x86::{FlowControl, Instruction, Mnemonic};

/// How the kernel runs the instruction under the probe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Execution {
    /// In the kernel, on the saved registers: 0.3 us a hit on bare metal, 0.5 us in a virtual machine.
    Emulated,
    /// Out of line, with a second trap: three times as much on bare metal, twenty times in a virtual machine.
    Stepped,
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emulated => "emulated",
            Self::Stepped => "stepped",
        })
    }
}

/// The verdict on one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A probe may sit here.
    Allowed(Execution),
    /// It may not.
    Refused(Hazard),
}

/// Why no probe may sit on an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Hazard {
    /// Linux 6.18 turns a 5-byte nop into a call that overwrites the red zone, and leaves the trampoline out of forked
    /// children, which then die. Later kernels do the same with 10-byte nops, safely; older ones refuse most of those.
    #[error(
        "a nop of 5 or 10 bytes, which the kernel rewrites into a call: on Linux 6.18 that corrupts the target"
    )]
    RewrittenNop,
    /// `eb 08`. Kernels that optimise 10-byte nops leave this jump behind when they undo it, and so take any such
    /// jump for the start of a 10-byte slot that they may overwrite (`can_optimize`).
    #[error("a jump over 8 bytes, which newer kernels take for a slot of 10 bytes that they may overwrite")]
    RewrittenJump,
    /// `41 90`, which is `xchg r8d, eax`: kernels before 6.19 match the opcode alone and skip it as a nop.
    #[error("an exchange with r8, which kernels before 6.19 skip as if it were a nop")]
    MisreadNop,
    /// An emulated call does not write the shadow stack before the fix of 2026, so the target dies at its return.
    #[error("a call, which breaks a target with a shadow stack")]
    Call,
    /// `is_prefix_bad`, and the operand size prefix on branches.
    #[error("the prefix {0:#04x}, with which the kernel takes no probe")]
    Prefix(u8),
    /// The opcode tables of the kernel, or an encoding (VEX and its kin) that is not worth trusting them with.
    #[error("an instruction that the kernel does not single-step")]
    Unsupported,
}

/// The parts of an instruction that the kernel looks at.
struct Encoding<'a> {
    bytes: &'a [u8],
    prefixes: &'a [u8],
    rex: Option<u8>,
    opcode: u8,
    /// What follows the first opcode byte: a second one, a ModRM byte, or an immediate.
    next: Option<u8>,
}

impl<'a> Encoding<'a> {
    /// Splits an instruction. `None` if it has no opcode, or something else than an opcode after REX.
    fn split(bytes: &'a [u8]) -> Option<Self> {
        let prefix_count = bytes.iter().take_while(|byte| is_legacy_prefix(**byte)).count();
        let (prefixes, mut rest) = bytes.split_at(prefix_count);
        let mut rex = None;
        if let Some((first @ 0x40..=0x4f, after)) = rest.split_first() {
            rex = Some(*first);
            rest = after;
        }
        let (&opcode, operands) = rest.split_first()?;
        let stray = is_legacy_prefix(opcode) || (0x40..=0x4f).contains(&opcode);
        (!stray).then_some(Self { bytes, prefixes, rex, opcode, next: operands.first().copied() })
    }

    fn extends_base(&self) -> bool {
        self.rex.is_some_and(|rex| rex & 1 != 0)
    }

    /// The `/digit` of the ModRM byte.
    fn modrm_reg(&self) -> Option<u8> {
        self.next.map(|modrm| (modrm >> 3) & 7)
    }
}

/// Judges an instruction. `bytes` are exactly its own.
#[must_use]
pub fn judge(instruction: &Instruction, bytes: &[u8]) -> Verdict {
    let Some(encoding) = Encoding::split(bytes) else {
        return Verdict::Refused(Hazard::Unsupported);
    };
    if let Some(hazard) = hazard(instruction, &encoding) {
        return Verdict::Refused(hazard);
    }
    Verdict::Allowed(if is_emulated(&encoding) { Execution::Emulated } else { Execution::Stepped })
}

fn hazard(instruction: &Instruction, encoding: &Encoding<'_>) -> Option<Hazard> {
    if matches!(encoding.bytes.len(), 5 | 10) && is_nop(instruction, encoding) {
        return Some(Hazard::RewrittenNop);
    }
    // LOCK, and the segment overrides except FS and GS.
    let refused = |prefix: &&u8| matches!(**prefix, 0xf0 | 0x26 | 0x2e | 0x36 | 0x3e);
    if let Some(prefix) = encoding.prefixes.iter().find(refused) {
        return Some(Hazard::Prefix(*prefix));
    }
    if encoding.opcode == 0x90 && encoding.extends_base() {
        return Some(Hazard::MisreadNop);
    }
    // `66 90` too: kernels before 6.2 refuse it.
    if encoding.prefixes.contains(&0x66) && (is_branch(encoding) || encoding.opcode == 0x90) {
        return Some(Hazard::Prefix(0x66));
    }
    if (encoding.opcode, encoding.next) == (0xeb, Some(8)) {
        return Some(Hazard::RewrittenJump);
    }
    match instruction.flow_control() {
        FlowControl::Call | FlowControl::IndirectCall => Some(Hazard::Call),
        FlowControl::Interrupt | FlowControl::Exception | FlowControl::XbeginXabortXend => {
            Some(Hazard::Unsupported)
        }
        _ => is_unsupported(encoding).then_some(Hazard::Unsupported),
    }
}

/// `insn_is_nop` of 6.19, and everything that calls itself a nop.
fn is_nop(instruction: &Instruction, encoding: &Encoding<'_>) -> bool {
    let same_register = || instruction.op0_register() == instruction.op1_register();
    match (encoding.opcode, encoding.next) {
        (0x90, _) | (0x0f, Some(0x1f)) => true,
        (0x89, Some(0xc0..)) => same_register(),
        (0x8d, _) => {
            instruction.memory_displacement64() == 0
                && instruction.memory_base() == instruction.op0_register()
        }
        (0xe9 | 0xeb, _) => instruction.near_branch_target() == instruction.next_ip(),
        _ => instruction.mnemonic() == Mnemonic::Nop,
    }
}

fn is_branch(encoding: &Encoding<'_>) -> bool {
    match encoding.opcode {
        0xe8 | 0xe9 | 0xeb | 0x70..=0x7f => true,
        0x0f => matches!(encoding.next, Some(0x80..=0x8f)),
        _ => false,
    }
}

fn is_emulated(encoding: &Encoding<'_>) -> bool {
    match encoding.opcode {
        0x90 => encoding.bytes.len() == 1,
        // With any other prefix than 41, `push_setup_xol_ops` leaves it to be stepped. It exists from 4.18.
        0x50..=0x57 => encoding.bytes.len() == 1 || (encoding.bytes.len() == 2 && encoding.rex == Some(0x41)),
        _ => is_branch(encoding),
    }
}

/// The zeros of `good_insns_64` and `good_2byte_insns`, and the encodings that neither table was made for.
fn is_unsupported(encoding: &Encoding<'_>) -> bool {
    match encoding.opcode {
        // MOV SS holds off the debug exception that ends a step (`insn_masking_exception`).
        0x8e => encoding.modrm_reg() == Some(2),
        // A two-byte opcode. SYSCALL, UD2 and system instructions.
        0x0f => match encoding.next {
            Some(second) => matches!(
                second,
                0x00 | 0x01 | 0x05..=0x09 | 0x0b | 0x30 | 0x34 | 0x35 | 0x37 | 0x78 | 0x79 | 0xae
            ),
            None => true,
        },
        // POP r/m64 is the only use of 8f that is not XOP.
        0x8f => encoding.modrm_reg() != Some(0),
        0x06 | 0x07 | 0x0e | 0x16 | 0x17 | 0x1e | 0x1f | 0x27 | 0x2f | 0x37 | 0x3f => true,
        // 62 is EVEX, c4 and c5 are VEX, d5 is REX2.
        0x60..=0x62 | 0x6c..=0x6f | 0x82 | 0x9a | 0xc4 | 0xc5 | 0xcc..=0xcf | 0xd4..=0xd6 => true,
        0xe4..=0xe7 | 0xea | 0xec..=0xef | 0xf1 | 0xf4 | 0xfa | 0xfb => true,
        _ => false,
    }
}

const fn is_legacy_prefix(byte: u8) -> bool {
    matches!(byte, 0x66 | 0x67 | 0xf0 | 0xf2 | 0xf3 | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    const EMULATED: Verdict = Verdict::Allowed(Execution::Emulated);
    const STEPPED: Verdict = Verdict::Allowed(Execution::Stepped);

    fn verdict(bytes: &[u8]) -> Verdict {
        let instruction = Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode();
        assert!(!instruction.is_invalid(), "{bytes:02x?} is an instruction");
        assert_eq!(instruction.len(), bytes.len(), "{bytes:02x?} is one instruction");
        judge(&instruction, bytes)
    }

    #[test]
    fn the_kernel_emulates_nop_push_jumps_and_conditional_jumps() {
        for bytes in [
            &[0x90][..],
            &[0x50],
            &[0x54],
            &[0x57],
            &[0x41, 0x50],
            &[0x41, 0x57],
            &[0xe9, 1, 0, 0, 0],
            &[0xeb, 0x10],
            &[0x74, 0x10],
            &[0x0f, 0x84, 1, 0, 0, 0],
            &[0xf2, 0x74, 0x10],
        ] {
            assert_eq!(verdict(bytes), EMULATED, "{bytes:02x?}");
        }
    }

    #[test]
    fn everything_else_that_a_prologue_starts_with_is_stepped() {
        for bytes in [
            &[0xf3, 0x0f, 0x1e, 0xfa][..],               // endbr64
            &[0x48, 0x85, 0xff],                         // test rdi, rdi
            &[0x48, 0x83, 0xec, 0x18],                   // sub rsp, 24
            &[0x80, 0x3d, 1, 2, 3, 0, 0],                // cmp byte [rip+...], 0
            &[0x0f, 0x1f, 0x00],                         // nop of 3 bytes: emulated only from 6.16
            &[0x6a, 0x00],                               // push 0
            &[0x48, 0x50],                               // push rax with REX.W
            &[0x40, 0x50],                               // push rax with an empty REX
            &[0x66, 0x50],                               // push ax
            &[0xff, 0xe0],                               // jmp rax
            &[0xe3, 0x10],                               // jrcxz
            &[0xc3],                                     // ret
            &[0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0], // mov rax, fs:0
        ] {
            assert_eq!(verdict(bytes), STEPPED, "{bytes:02x?}");
        }
    }

    #[test]
    fn nops_that_the_kernel_rewrites_are_refused() {
        for bytes in [
            &[0x0f, 0x1f, 0x44, 0x00, 0x00][..],
            &[0x66, 0x0f, 0x1f, 0x40, 0x00],
            &[0x66, 0x66, 0x66, 0x66, 0x90],
            &[0xe9, 0, 0, 0, 0],
            &[0x48, 0x8d, 0x64, 0x24, 0x00],
            &[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(verdict(bytes), Verdict::Refused(Hazard::RewrittenNop), "{bytes:02x?}");
        }
        assert_eq!(verdict(&[0xeb, 0x08]), Verdict::Refused(Hazard::RewrittenJump));
    }

    #[test]
    fn what_the_kernel_refuses_or_misreads_is_refused() {
        for (bytes, hazard) in [
            (&[0xe8, 1, 0, 0, 0][..], Hazard::Call),
            (&[0xff, 0x15, 1, 0, 0, 0], Hazard::Call),
            (&[0x66, 0x90], Hazard::Prefix(0x66)),
            (&[0x3e, 0x74, 0x10], Hazard::Prefix(0x3e)),
            (&[0xf0, 0x48, 0x01, 0x07], Hazard::Prefix(0xf0)),
            (&[0x3e, 0xff, 0xe0], Hazard::Prefix(0x3e)),
            (&[0x41, 0x90], Hazard::MisreadNop),
            (&[0x49, 0x90], Hazard::MisreadNop),
            (&[0xcc], Hazard::Unsupported),
            (&[0x0f, 0x0b], Hazard::Unsupported),
            (&[0x8e, 0xd0], Hazard::Unsupported),
            (&[0xc5, 0xf8, 0x77], Hazard::Unsupported),
        ] {
            assert_eq!(verdict(bytes), Verdict::Refused(hazard), "{bytes:02x?}");
        }
        // iced decodes the operand size prefix on a jump as AMD does, with a 16-bit displacement.
        let bytes = [0x66, 0x74, 0x10];
        let instruction = Decoder::with_ip(64, &bytes, 0x1000, DecoderOptions::NONE).decode();
        assert_eq!(judge(&instruction, &bytes), Verdict::Refused(Hazard::Prefix(0x66)));
    }
}
