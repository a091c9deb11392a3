//! The dynamic segment, as the loader reads it: libraries, and the dynamic symbols.
//!
//! In: a parsed file. Out: `DT_NEEDED`, `DT_SONAME`, whether it is a position-independent program, and the range of
//! the dynamic symbol table. Invariant: nothing here depends on section headers, which may be stripped.

use object::elf::{self, Sym64};
use object::read::StringTable;
use object::read::elf::{Dyn, GnuHashTable, HashTable, ProgramHeader};
use object::{LittleEndian as LE, pod};

use super::elf::{Elf, Header};

/// A library list longer than this is an attack on memory; the largest real programs have a few hundred.
const NEEDED_MAX: usize = 4096;

/// What the dynamic segment says.
#[derive(Debug, Default)]
pub(super) struct Dynamic<'data> {
    symbols: &'data [Sym64<LE>],
    strings: StringTable<'data>,
    needed: Vec<&'data [u8]>,
    soname: Option<&'data [u8]>,
    is_pie: bool,
}

impl<'data> Dynamic<'data> {
    /// Reads it. A file without one, or with a damaged one, has no libraries and no dynamic symbols.
    pub(super) fn read(elf: &Elf<'data>) -> Self {
        let entries: &[elf::Dyn64<LE>] = elf
            .program_headers()
            .iter()
            .find_map(|header| header.dynamic(LE, elf.bytes()).ok().flatten())
            .unwrap_or_default();
        let entries = entries.iter().take_while(|entry| entry.tag(LE) != elf::DT_NULL);
        let value = |tag| entries.clone().find(|entry| entry.tag(LE) == tag).map(|entry| entry.val(LE));

        let strings = string_table(elf, value(elf::DT_STRTAB), value(elf::DT_STRSZ));
        let string = |offset: u64| strings.get(u32::try_from(offset).ok()?).ok();
        Self {
            symbols: symbol_table(elf, value(elf::DT_SYMTAB), value(elf::DT_GNU_HASH), value(elf::DT_HASH)),
            strings,
            needed: entries
                .clone()
                .filter(|entry| entry.tag(LE) == elf::DT_NEEDED)
                .take(NEEDED_MAX)
                .filter_map(|entry| string(entry.val(LE)))
                .collect(),
            soname: value(elf::DT_SONAME).and_then(string),
            is_pie: value(elf::DT_FLAGS_1).is_some_and(|flags| flags & elf::DF_1_PIE.0 != 0),
        }
    }

    pub(super) fn symbols(&self) -> (&'data [Sym64<LE>], StringTable<'data>) {
        (self.symbols, self.strings)
    }

    pub(super) fn needed(&self) -> &[&'data [u8]] {
        &self.needed
    }

    pub(super) fn soname(&self) -> Option<&'data [u8]> {
        self.soname
    }

    pub(super) fn is_pie(&self) -> bool {
        self.is_pie
    }
}

fn string_table<'data>(elf: &Elf<'data>, vaddr: Option<u64>, size: Option<u64>) -> StringTable<'data> {
    let bytes = vaddr.and_then(|vaddr| elf.bytes_at(vaddr)).unwrap_or_default();
    let end = size.unwrap_or_default().min(bytes.len() as u64);
    StringTable::new(bytes, 0, end)
}

/// The dynamic section gives the table's start; only the hash tables know how long it is.
fn symbol_table<'data>(
    elf: &Elf<'data>,
    vaddr: Option<u64>,
    gnu_hash: Option<u64>,
    hash: Option<u64>,
) -> &'data [Sym64<LE>] {
    let table_at = |vaddr: Option<u64>| vaddr.and_then(|vaddr| elf.bytes_at(vaddr));
    let by_hash = || HashTable::<Header>::parse(LE, table_at(hash)?).ok().map(|it| it.symbol_table_length());
    let by_gnu_hash = || GnuHashTable::<Header>::parse(LE, table_at(gnu_hash)?).ok()?.symbol_table_length(LE);
    let Some(count) = by_hash().or_else(by_gnu_hash) else {
        return &[];
    };
    let bytes = table_at(vaddr).unwrap_or_default();
    let count = (count as usize).min(bytes.len() / size_of::<Sym64<LE>>());
    pod::slice_from_bytes(bytes, count).map_or(&[], |(symbols, _)| symbols)
}
