//! Chooses the instruction of a function that a probe sits on.
//!
//! In: the function's bytes, its address and the shape of the call. Out: the first instruction that the kernel
//! emulates, else the first that it can single-step, which is the entry unless the entry is refused; or every reason
//! why there is none.
//!
//! Invariant: each call passes the chosen instruction once, with the arguments still in their registers; and if the
//! call has a result, with the stack pointer of the entry and the return address where it points. So only the
//! straight line from the entry is considered, up to and including the first instruction that can leave it.

use iced_x86::{
    Code, Decoder, DecoderOptions, FastFormatter, FlowControl, Instruction, InstructionInfo,
    InstructionInfoFactory, OpAccess, Register,
};
use memtrace_common::Call;

use super::functions::argument_count;
use super::uprobe_rules::{Execution, Hazard, Verdict, judge};

/// How much of a function is considered. Most allocators have their site within 20 bytes; jemalloc's `free` at +48.
const WINDOW_BYTES: u64 = 64;

/// How many instructions are considered.
const WINDOW_INSTRUCTIONS: usize = 16;

/// How much of a function is searched for jumps back into its beginning. glibc's largest, `realloc`, takes 1.2 KiB.
const SEARCHED_BYTES: usize = 16 * 1024;

/// The System V ABI's first three integer arguments.
const ARGUMENTS: [Register; 3] = [Register::RDI, Register::RSI, Register::RDX];

/// The chosen instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// How far behind the function's entry it is.
    pub offset: u64,
    /// How the kernel runs it.
    pub execution: Execution,
    /// It, in Intel syntax.
    pub instruction: String,
    /// Every instruction that was passed over, and what ended the search. If the choice is stepped, it is among them.
    pub rejected: Vec<Rejected>,
}

/// No instruction of a function can carry a probe.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no instruction can carry a probe: {}", list(rejected))]
pub struct NoSite {
    /// Every instruction considered.
    pub rejected: Vec<Rejected>,
}

/// An instruction that was considered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at +{offset}: {reason}")]
pub struct Rejected {
    /// How far behind the function's entry it is.
    pub offset: u64,
    /// Why it was not chosen.
    pub reason: Rejection,
}

/// Why an instruction was not chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// The kernel would do harm there, or refuse.
    #[error(transparent)]
    Hazard(#[from] Hazard),
    /// The kernel single-steps it, and an emulated one was looked for.
    #[error("the kernel single-steps it")]
    Stepped,
    /// An argument is gone by then. The search ends there.
    #[error("an argument was overwritten before it")]
    ArgumentOverwritten,
    /// The return address is no longer where the stack pointer points. The search ends there.
    #[error("the stack pointer or the return address was changed before it")]
    StackChanged,
    /// Not every call gets there. The search ends there.
    #[error("control can leave the function before it")]
    NotAlwaysReached,
    /// A jump in the function's body leads to it or before it, but behind the entry: one call may pass it twice.
    #[error("a loop in the function may pass it more than once")]
    InLoop,
    /// The bytes are no instruction, or the function ends in the middle of it. The search ends there.
    #[error("not an instruction")]
    Undecodable,
}

fn list(rejected: &[Rejected]) -> String {
    if rejected.is_empty() {
        return "the function has no bytes in the file".to_owned();
    }
    rejected.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Chooses the instruction for a probe.
///
/// `body` is the whole function if its size is known, else whatever follows its entry.
///
/// # Errors
/// When no instruction will do.
pub fn choose(body: &Body<'_>, call: Call) -> Result<Choice, NoSite> {
    let jump_targets = body.jump_targets();
    let mut search = Search { jump_targets, stepped: None, rejected: Vec::new() };
    let mut line = StraightLine::new(body, call);
    let emulated = loop {
        match line.next_instruction() {
            Ok(Some(instruction)) => {
                if search.accepts(&instruction, body) {
                    break Some(instruction);
                }
            }
            Ok(None) => break None,
            Err(rejected) => {
                search.rejected.push(rejected);
                break None;
            }
        }
    };
    let Search { stepped, rejected, .. } = search;
    let (instruction, execution) = match (emulated, stepped) {
        (Some(instruction), _) => (instruction, Execution::Emulated),
        (None, Some(instruction)) => (instruction, Execution::Stepped),
        (None, None) => return Err(NoSite { rejected }),
    };
    Ok(Choice { offset: body.offset_of(&instruction), execution, instruction: text(&instruction), rejected })
}

/// A function's code.
#[derive(Clone, Copy, Debug)]
pub struct Body<'data> {
    /// From the entry on.
    pub bytes: &'data [u8],
    /// Where the entry is in the file's address space.
    pub vaddr: u64,
    /// Whether `bytes` ends where the function does.
    pub is_whole: bool,
}

impl<'data> Body<'data> {
    fn decoder(&self, bytes: &'data [u8]) -> Decoder<'data> {
        Decoder::with_ip(64, bytes, self.vaddr, DecoderOptions::NONE)
    }

    fn offset_of(&self, instruction: &Instruction) -> u64 {
        instruction.ip().wrapping_sub(self.vaddr)
    }

    fn bytes_of(&self, instruction: &Instruction) -> &'data [u8] {
        let start = self.offset_of(instruction) as usize;
        self.bytes.get(start..start.saturating_add(instruction.len())).unwrap_or_default()
    }

    /// Where the function's own jumps lead, as offsets into the window. What follows a function of unknown size is
    /// not its own, so only the window is searched then. Data between instructions may add targets that do not
    /// exist, which costs a cheaper site, never a wrong one. Jumps from a part of the function that the compiler
    /// moved elsewhere (`.cold`) are not seen; those continue in the middle of a function, not in its prologue.
    fn jump_targets(&self) -> Vec<u64> {
        let searched = if self.is_whole { SEARCHED_BYTES } else { WINDOW_BYTES as usize };
        let bytes = self.bytes.get(..searched).unwrap_or(self.bytes);
        self.decoder(bytes)
            .iter()
            .filter(|instruction| {
                matches!(
                    instruction.flow_control(),
                    FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
                )
            })
            .map(|instruction| instruction.near_branch_target().wrapping_sub(self.vaddr))
            // A jump to the entry itself is a tail call: a new call, which passes any site once again.
            .filter(|target| (1..WINDOW_BYTES).contains(target))
            .collect()
    }
}

/// What was found so far.
struct Search {
    jump_targets: Vec<u64>,
    stepped: Option<Instruction>,
    rejected: Vec<Rejected>,
}

impl Search {
    /// True when this is the one to take. Remembers the first that could be stepped.
    fn accepts(&mut self, instruction: &Instruction, body: &Body<'_>) -> bool {
        let offset = body.offset_of(instruction);
        let reason = if self.jump_targets.iter().any(|target| *target <= offset) {
            Rejection::InLoop
        } else {
            match judge(instruction, body.bytes_of(instruction)) {
                Verdict::Allowed(Execution::Emulated) => return true,
                Verdict::Allowed(Execution::Stepped) => {
                    self.stepped.get_or_insert(*instruction);
                    Rejection::Stepped
                }
                Verdict::Refused(hazard) => Rejection::Hazard(hazard),
            }
        };
        self.rejected.push(Rejected { offset, reason });
        false
    }
}

/// The instructions from the entry on at which a call still looks as it did there.
struct StraightLine<'body, 'data> {
    body: &'body Body<'data>,
    call: Call,
    decoder: Decoder<'data>,
    factory: InstructionInfoFactory,
    decoded: usize,
    end: Option<Rejection>,
}

impl<'body, 'data> StraightLine<'body, 'data> {
    fn new(body: &'body Body<'data>, call: Call) -> Self {
        let decoder = body.decoder(body.bytes);
        Self { body, call, decoder, factory: InstructionInfoFactory::new(), decoded: 0, end: None }
    }

    /// The next instruction; nothing at the end of the window; or what ended the line before.
    fn next_instruction(&mut self) -> Result<Option<Instruction>, Rejected> {
        let offset = self.decoder.ip().wrapping_sub(self.body.vaddr);
        if let Some(reason) = self.end {
            return Err(Rejected { offset, reason });
        }
        if self.decoded == WINDOW_INSTRUCTIONS || offset >= WINDOW_BYTES || !self.decoder.can_decode() {
            return Ok(None);
        }
        let instruction = self.decoder.decode();
        if instruction.code() == Code::INVALID {
            return Err(Rejected { offset, reason: Rejection::Undecodable });
        }
        self.decoded += 1;
        self.end = self.what_it_ends(&instruction);
        Ok(Some(instruction))
    }

    fn what_it_ends(&mut self, instruction: &Instruction) -> Option<Rejection> {
        if instruction.flow_control() != FlowControl::Next {
            return Some(Rejection::NotAlwaysReached);
        }
        let info = self.factory.info(instruction);
        if writes_any(info, &ARGUMENTS[..argument_count(self.call)]) {
            return Some(Rejection::ArgumentOverwritten);
        }
        // Where only the argument matters, the stack may have moved.
        let stack_changed = writes_any(info, &[Register::RSP]) || writes_return_address(info);
        (self.call.has_result() && stack_changed).then_some(Rejection::StackChanged)
    }
}

const fn is_write(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

fn writes_any(info: &InstructionInfo, registers: &[Register]) -> bool {
    info.used_registers()
        .iter()
        .any(|used| is_write(used.access()) && registers.contains(&used.register().full_register()))
}

/// True for a store relative to RSP that reaches the eight bytes at it; a store below is into the red zone. 64 bytes
/// are the largest operand that a single instruction stores.
fn writes_return_address(info: &InstructionInfo) -> bool {
    info.used_memory().iter().any(|memory| {
        let displacement = memory.displacement() as i64;
        is_write(memory.access())
            && memory.base() == Register::RSP
            && (memory.index() != Register::None
                || (displacement < 8 && displacement + (memory.memory_size().size() as i64).max(1) > 0))
    })
}

fn text(instruction: &Instruction) -> String {
    let mut formatter = FastFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_use_hex_prefix(true);
    options.set_uppercase_hex(false);
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

#[cfg(test)]
mod tests;
