//! Decides where in an ELF file a probe goes.
//!
//! In: the bytes of a file, and of its separate debug file if there is one. Out: [`Sites`], one per function body,
//! each with the file offset that a uprobe wants, the shape of the call, and how the kernel will run the instruction
//! under the probe; and for every function without a site, the reason. It refuses files that are not x86-64 ELF.
//!
//! Invariant: at every site the arguments are still in their registers; at a site of a call with a result the return
//! address is still at `[rsp]`, so that a return probe can be armed there; and each call of the function passes it.
//! Nothing here reads a file or a process. The bytes are hostile: nothing here panics on any of them.

pub mod debug_file;
mod dynamic;
pub mod elf;
pub mod functions;
pub mod prologue;
pub mod sites;
pub mod symbols;
pub mod uprobe_rules;

#[cfg(test)]
mod tests;

pub use debug_file::{DebugMismatch, candidates as debug_file_candidates};
pub use elf::{Elf, ElfError, Segment};
pub use functions::Function;
pub use prologue::{NoSite, Rejected, Rejection};
pub use sites::{Missing, MissingReason, Site, Sites, is_allocator, libc_sites, python_sites};
pub use symbols::{Scope, Symbol, SymbolKind};
pub use uprobe_rules::{Execution, Hazard};
