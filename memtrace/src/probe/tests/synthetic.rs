//! Files made to order, with no more than a segment of code and a symbol table.

use object::elf;

/// Where the code is loaded, and where it is in the file.
pub(super) const CODE_VADDR: u64 = 0x40_0000;
pub(super) const CODE_OFFSET: u64 = 0x100;

const SECTION_HEADER_BYTES: usize = 64;

/// A symbol of a file to be made.
#[derive(Clone, Copy)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) vaddr: u64,
    pub(super) size_bytes: u64,
    pub(super) kind: elf::SymbolType,
    pub(super) bind: elf::SymbolBind,
    pub(super) section: u16,
}

/// A global function at an offset into the code.
pub(super) fn function(name: &'static str, offset: u64) -> Definition {
    Definition {
        name,
        vaddr: CODE_VADDR + offset,
        size_bytes: 0,
        kind: elf::STT_FUNC,
        bind: elf::STB_GLOBAL,
        section: 1,
    }
}

/// A program with this code and these symbols.
pub(super) fn file(code: &[u8], definitions: &[Definition]) -> Vec<u8> {
    let mut strings = vec![0];
    let mut symbols = vec![0; 24];
    for definition in definitions {
        symbols.extend((strings.len() as u32).to_le_bytes());
        symbols.extend([definition.bind.0 << 4 | definition.kind.0, 0]);
        symbols.extend(definition.section.to_le_bytes());
        symbols.extend(definition.vaddr.to_le_bytes());
        symbols.extend(definition.size_bytes.to_le_bytes());
        strings.extend(definition.name.as_bytes());
        strings.push(0);
    }
    let symbols_offset = CODE_OFFSET + code.len() as u64;
    let strings_offset = symbols_offset + symbols.len() as u64;
    let sections_offset = strings_offset + strings.len() as u64;

    let mut bytes = file_header(sections_offset);
    bytes.extend(code_segment(code.len() as u64));
    bytes.resize(CODE_OFFSET as usize, 0);
    bytes.extend(code);
    bytes.extend(&symbols);
    bytes.extend(&strings);
    bytes.extend([0; SECTION_HEADER_BYTES]);
    bytes.extend(section(elf::SHT_SYMTAB.0, symbols_offset, symbols.len() as u64, 2, 24));
    bytes.extend(section(elf::SHT_STRTAB.0, strings_offset, strings.len() as u64, 0, 0));
    bytes
}

fn file_header(sections_offset: u64) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(elf::ET_EXEC.0.to_le_bytes());
    bytes.extend(elf::EM_X86_64.0.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(CODE_VADDR.to_le_bytes());
    bytes.extend(64_u64.to_le_bytes());
    bytes.extend(sections_offset.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    // Sizes and counts: this header, program headers, section headers; the section of section names.
    for value in [64_u16, 56, 1, SECTION_HEADER_BYTES as u16, 3, 2] {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

fn code_segment(code_bytes: u64) -> Vec<u8> {
    let mut bytes = elf::PT_LOAD.0.to_le_bytes().to_vec();
    bytes.extend((elf::PF_R | elf::PF_X).0.to_le_bytes());
    for value in [CODE_OFFSET, CODE_VADDR, CODE_VADDR, code_bytes, code_bytes, 0x1000] {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

fn section(kind: u32, offset: u64, size_bytes: u64, link: u32, entry_bytes: u64) -> Vec<u8> {
    let mut bytes = 0_u32.to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    for value in [0, 0, offset, size_bytes] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(link.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(8_u64.to_le_bytes());
    bytes.extend(entry_bytes.to_le_bytes());
    bytes
}
