//! The probe sites of a file.
//!
//! In: a parsed file. Out: one site per function body, with every name that leads there, and for each function
//! without a site the reason. Where names of different shapes share an address, the name listed first in
//! `functions` decides, and the other is reported as missing.
//!
//! A function that ends in a jump to another probed one (`reallocarray` to `realloc`) has a site of its own: that the
//! inner call belongs to the outer one is told at run time.
//!
//! Invariant: no two sites of a file have the same address.

use std::collections::BTreeMap;

use memtrace_common::Call;

use super::elf::Elf;
use super::functions::{Function, LIBC, PYTHON};
use super::prologue::{Body, NoSite, Rejected, choose};
use super::symbols::{Scope, Symbol, SymbolKind};
use super::uprobe_rules::Execution;

/// Where to put a probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// The functions whose calls it sees: those that were looked for, then further aliases.
    pub names: Vec<String>,
    /// What their arguments and result mean.
    pub call: Call,
    /// Where it is in the file: what a uprobe is attached to.
    pub file_offset: u64,
    /// Its address, before the load bias.
    pub vaddr: u64,
    /// How far behind the function's entry it is. The stack pointer of a call with a result is still the entry's.
    pub offset_in_function: u64,
    /// What a hit costs.
    pub execution: Execution,
    /// The instruction, for people.
    pub instruction: String,
    /// Why no earlier instruction was taken, and if this one is stepped, why no later one.
    pub rejected: Vec<Rejected>,
}

/// A function without a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Its name.
    pub name: &'static str,
    /// Why.
    pub reason: MissingReason,
}

/// Why a function has no site.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MissingReason {
    /// No symbol table defines it.
    #[error("not defined in this file")]
    NotDefined,
    /// Only a symbol that is private to some part of the file has the name, and it may be anything.
    #[error("only a local symbol of this name, which may be another function")]
    LocalOnly,
    /// The implementation is chosen by the loader, and this file does not tell which.
    #[error("an indirect function: the symbol is its resolver at {vaddr:#x}, not what is called")]
    Indirect {
        /// The resolver.
        vaddr: u64,
    },
    /// The symbol leads to nothing that can be executed.
    #[error("its address {vaddr:#x} is not in an executable segment")]
    NotCode {
        /// The symbol's value.
        vaddr: u64,
    },
    /// It shares its code with a function of another shape, which is probed.
    #[error("shares its code with {with}, which takes other arguments")]
    SharedWith {
        /// The function that is probed.
        with: &'static str,
    },
    /// Its code cannot carry a probe.
    #[error(transparent)]
    NoSite(#[from] NoSite),
}

/// What was found in a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sites {
    /// In the order of their addresses.
    pub sites: Vec<Site>,
    /// In the order of `functions`.
    pub missing: Vec<Missing>,
}

impl Sites {
    /// The site that sees calls of a function.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.names.iter().any(|it| it == name))
    }
}

/// True for a library or program that brings an allocator of its own.
///
/// The loader of glibc before 2.31 exports a `malloc` that only serves itself, until libc's takes over; it does not
/// count.
#[must_use]
pub fn is_allocator(elf: &Elf<'_>) -> bool {
    let definitions = elf.symbols().definitions(&["malloc", "free"]);
    let defines = |name: &str| {
        let mut of_name = definitions.iter().filter(|symbol| symbol.name == name);
        of_name.any(|symbol| symbol.kind != SymbolKind::Data && is_the_librarys(elf, symbol))
    };
    let is_glibc_loader = elf.soname().is_some_and(|name| name.starts_with(b"ld-linux"));
    !is_glibc_loader && defines("malloc") && defines("free")
}

/// The sites of the C library's allocator.
#[must_use]
pub fn libc_sites(elf: &Elf<'_>) -> Sites {
    find(elf, &LIBC, is_the_librarys)
}

/// The sites of CPython's allocator. Its names are its own, so a program that hides them is no obstacle.
#[must_use]
pub fn python_sites(elf: &Elf<'_>) -> Sites {
    find(elf, &PYTHON, |_, _| true)
}

/// False for a local symbol, which may be anything, unless a global name of the C library is at the same address:
/// linked with `-static-pie`, glibc's `malloc` is local and `__malloc` is not.
fn is_the_librarys(elf: &Elf<'_>, symbol: &Symbol) -> bool {
    let is_own_name = |alias: &String| {
        alias.strip_prefix("__").map(|rest| rest.strip_prefix("libc_").unwrap_or(rest)) == Some(&symbol.name)
    };
    symbol.scope == Scope::Global || elf.symbols().function_names_at(symbol.vaddr).iter().any(is_own_name)
}

fn find(elf: &Elf<'_>, functions: &'static [Function], is_trusted: fn(&Elf<'_>, &Symbol) -> bool) -> Sites {
    let names: Vec<&str> = functions.iter().map(|function| function.name).collect();
    let mut definitions = elf.symbols().definitions(&names);
    definitions.retain(|symbol| symbol.kind != SymbolKind::Data);
    let (trusted, others): (Vec<_>, Vec<_>) =
        definitions.into_iter().partition(|symbol| is_trusted(elf, symbol));

    let mut plan = Plan::default();
    for function in functions {
        plan.add(*function, &trusted, &others);
    }
    let Plan { entries, mut missing } = plan;
    let mut sites = Vec::new();
    for (vaddr, entry) in entries {
        match entry.site(elf, vaddr) {
            Ok(site) => sites.push(site),
            Err(reason) => {
                missing.extend(entry.names.iter().map(|name| Missing { name, reason: reason.clone() }));
            }
        }
    }
    missing.sort_by_key(|missing| names.iter().position(|name| *name == missing.name));
    Sites { sites, missing }
}

/// The functions by the address of their code.
#[derive(Default)]
struct Plan {
    entries: BTreeMap<u64, Entry>,
    missing: Vec<Missing>,
}

struct Entry {
    call: Call,
    names: Vec<&'static str>,
    size_bytes: u64,
}

impl Plan {
    fn add(&mut self, function: Function, trusted: &[Symbol], others: &[Symbol]) {
        let name = function.name;
        let is_of_name = |symbol: &&Symbol| symbol.name == name;
        if !trusted.iter().any(|symbol| is_of_name(&symbol)) {
            let is_local = others.iter().any(|symbol| is_of_name(&symbol));
            let reason = if is_local { MissingReason::LocalOnly } else { MissingReason::NotDefined };
            self.missing.push(Missing { name, reason });
        }
        for symbol in trusted.iter().filter(is_of_name) {
            if let Err(reason) = self.place(function, symbol) {
                self.missing.push(Missing { name, reason });
            }
        }
    }

    fn place(&mut self, function: Function, symbol: &Symbol) -> Result<(), MissingReason> {
        let vaddr = symbol.vaddr;
        if symbol.kind == SymbolKind::IndirectFunction {
            return Err(MissingReason::Indirect { vaddr });
        }
        let entry = self.entries.entry(vaddr).or_insert_with(|| Entry {
            call: function.call,
            names: Vec::new(),
            size_bytes: symbol.size_bytes,
        });
        if entry.call != function.call {
            return Err(MissingReason::SharedWith { with: entry.names[0] });
        }
        entry.names.push(function.name);
        entry.size_bytes = entry.size_bytes.max(symbol.size_bytes);
        Ok(())
    }
}

impl Entry {
    fn site(&self, elf: &Elf<'_>, vaddr: u64) -> Result<Site, MissingReason> {
        let code = elf.code_at(vaddr).ok_or(MissingReason::NotCode { vaddr })?;
        let whole = usize::try_from(self.size_bytes).ok().filter(|size| *size != 0);
        let whole = whole.and_then(|size| code.bytes.get(..size));
        let body = Body { bytes: whole.unwrap_or(code.bytes), vaddr, is_whole: whole.is_some() };
        let choice = choose(&body, self.call)?;
        Ok(Site {
            names: self.all_names(elf, vaddr),
            call: self.call,
            file_offset: code.file_offset.wrapping_add(choice.offset),
            vaddr: vaddr.wrapping_add(choice.offset),
            offset_in_function: choice.offset,
            execution: choice.execution,
            instruction: choice.instruction,
            rejected: choice.rejected,
        })
    }

    fn all_names(&self, elf: &Elf<'_>, vaddr: u64) -> Vec<String> {
        let mut names: Vec<String> = self.names.iter().map(|&name| name.to_owned()).collect();
        for alias in elf.symbols().function_names_at(vaddr) {
            if !names.contains(&alias) {
                names.push(alias);
            }
        }
        names
    }
}
