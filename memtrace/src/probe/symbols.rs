//! Finds where a name is defined in a file.
//!
//! In: the dynamic symbols and `.symtab`, of the file and of its debug file. Out: every distinct definition of a
//! name. It refuses imports, thread-local variables and absolute symbols, which have no place in the file.
//!
//! Invariant: a definition is listed once, whatever the number of tables and versions that list it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use object::LittleEndian as LE;
use object::elf::{self, Sym64};
use object::read::StringTable;
use object::read::elf::Sym;

use super::elf::Elf;

/// What a symbol stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SymbolKind {
    /// A function: its address is its entry.
    Function,
    /// An `STT_GNU_IFUNC`: its address is that of the resolver, which the loader calls once to learn which
    /// implementation to use. A probe there would never see a call.
    IndirectFunction,
    /// A variable.
    Data,
}

/// Who can see a symbol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Other files; or in a static program, its other parts.
    Global,
    /// Its own translation unit, or a file that hides its symbols. Another file's `free` may be anything.
    Local,
}

/// A definition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    /// Its name, without a version.
    pub name: String,
    /// Its address, before the load bias.
    pub vaddr: u64,
    /// How long it is; 0 if the file does not say.
    pub size_bytes: u64,
    /// What it stands for.
    pub kind: SymbolKind,
    /// Who can see it.
    pub scope: Scope,
}

#[derive(Clone, Copy, Debug)]
struct Table<'data> {
    symbols: &'data [Sym64<LE>],
    strings: StringTable<'data>,
}

/// The symbol tables of a file.
#[derive(Debug, Default)]
pub struct Symbols<'data> {
    dynamic_table: Option<Table<'data>>,
    /// `.symtab`, of the file or of its debug file.
    static_table: Option<Table<'data>>,
}

impl<'data> Symbols<'data> {
    pub(super) fn read(elf: &Elf<'data>) -> Self {
        let (symbols, strings) = elf.dynamic().symbols();
        let static_table = elf
            .sections()
            .symbols(LE, elf.bytes(), elf::SHT_SYMTAB)
            .ok()
            .filter(|table| !table.is_empty())
            .map(|table| Table { symbols: table.symbols(), strings: table.strings() });
        Self { dynamic_table: Some(Table { symbols, strings }), static_table }
    }

    /// A debug file's `.symtab` replaces the file's own: it holds at least the same symbols.
    pub(super) fn add_static_table_of(&mut self, debug: &Self) {
        self.static_table = debug.static_table.or(self.static_table);
    }

    pub(super) fn has_static_table(&self) -> bool {
        self.static_table.is_some()
    }

    /// Every definition of any of the names, in the order of their addresses.
    #[must_use]
    pub fn definitions(&self, names: &[&str]) -> Vec<Symbol> {
        self.definitions_where(|name, _| names.iter().any(|wanted| wanted.as_bytes() == name))
    }

    /// Every global name of the function at an address, in alphabetical order.
    #[must_use]
    pub fn function_names_at(&self, vaddr: u64) -> Vec<String> {
        self.definitions_where(|_, symbol| symbol.st_value(LE) == vaddr && !symbol.is_local())
            .into_iter()
            .filter(|symbol| symbol.kind == SymbolKind::Function)
            .map(|symbol| symbol.name)
            .collect()
    }

    pub(super) fn data_vaddr(&self, name: &str) -> Option<u64> {
        self.definitions(&[name])
            .into_iter()
            .filter(|symbol| symbol.kind == SymbolKind::Data)
            // A global definition is the one that other files mean.
            .min_by_key(|symbol| symbol.scope)
            .map(|symbol| symbol.vaddr)
    }

    fn definitions_where(&self, wanted: impl Fn(&[u8], &Sym64<LE>) -> bool) -> Vec<Symbol> {
        let mut found = BTreeMap::new();
        for table in self.dynamic_table.iter().chain(&self.static_table) {
            for raw in table.symbols {
                let Some(kind) = kind(raw) else { continue };
                let Ok(name) = raw.name(LE, table.strings) else { continue };
                let name = without_version(name);
                if wanted(name, raw) {
                    keep_the_better(&mut found, symbol(name, raw, kind));
                }
            }
        }
        found.into_values().collect()
    }
}

type Found = BTreeMap<(u64, String, SymbolKind), Symbol>;

/// Of two entries for one definition, the global and the longer one says more.
fn keep_the_better(found: &mut Found, symbol: Symbol) {
    match found.entry((symbol.vaddr, symbol.name.clone(), symbol.kind)) {
        Entry::Vacant(place) => {
            place.insert(symbol);
        }
        Entry::Occupied(mut place) => {
            let kept = place.get_mut();
            kept.size_bytes = kept.size_bytes.max(symbol.size_bytes);
            kept.scope = kept.scope.min(symbol.scope);
        }
    }
}

fn symbol(name: &[u8], raw: &Sym64<LE>, kind: SymbolKind) -> Symbol {
    Symbol {
        name: String::from_utf8_lossy(name).into_owned(),
        vaddr: raw.st_value(LE),
        size_bytes: raw.st_size(LE),
        kind,
        scope: if raw.is_local() { Scope::Local } else { Scope::Global },
    }
}

/// What a symbol stands for, if it has a place in this file. Hand-written assembly often leaves the type out; such a
/// symbol is taken for a function, and whether there is code at its address is checked later.
fn kind(raw: &Sym64<LE>) -> Option<SymbolKind> {
    if raw.is_undefined(LE) || raw.is_absolute(LE) || raw.is_common(LE) {
        return None;
    }
    match raw.st_type() {
        elf::STT_FUNC | elf::STT_NOTYPE => Some(SymbolKind::Function),
        elf::STT_GNU_IFUNC => Some(SymbolKind::IndirectFunction),
        elf::STT_OBJECT => Some(SymbolKind::Data),
        _ => None,
    }
}

/// `.symtab` spells versions out: `malloc@@GLIBC_2.2.5`, `memcpy@GLIBC_2.2.5`.
fn without_version(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b'@').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_not_part_of_the_name() {
        assert_eq!(without_version(b"malloc@@GLIBC_2.2.5"), b"malloc");
        assert_eq!(without_version(b"memcpy@GLIBC_2.2.5"), b"memcpy");
        assert_eq!(without_version(b"free"), b"free");
        assert_eq!(without_version(b""), b"");
    }

    #[test]
    fn two_entries_for_one_definition_become_the_global_and_longer_one() {
        let symbol = |size_bytes, scope| Symbol {
            name: "free".to_owned(),
            vaddr: 16,
            size_bytes,
            kind: SymbolKind::Function,
            scope,
        };
        let mut found = BTreeMap::new();
        keep_the_better(&mut found, symbol(40, Scope::Local));
        keep_the_better(&mut found, symbol(0, Scope::Global));
        assert_eq!(found.into_values().collect::<Vec<_>>(), [symbol(40, Scope::Global)]);
    }
}
