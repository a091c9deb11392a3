//! One ELF file: what it is, and where its code lies.
//!
//! In: a file's bytes. Out: identity (build id, interpreter, libraries, static or not), segments, and the file offset
//! and the bytes behind a virtual address. It refuses what is not 64-bit little-endian x86-64 ELF.
//!
//! Invariant: addresses become offsets by the program headers alone, as in the kernel; sections may be stripped or
//! lie, and are only asked for `.symtab` and `.gnu_debuglink`. What a damaged part would have said is absent.

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable};

use super::debug_file::DebugMismatch;
use super::dynamic::Dynamic;
use super::symbols::Symbols;

/// The only flavour of ELF that is read here.
pub(super) type Header = FileHeader64<LE>;

/// Why a file cannot be probed at all.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ElfError {
    /// No ELF magic.
    #[error("not an ELF file")]
    NotElf,
    /// A 32-bit file.
    #[error("a 32-bit file; only 64-bit programs can be traced")]
    Not64Bit,
    /// A big-endian file.
    #[error("a big-endian file; only x86-64 programs can be traced")]
    NotLittleEndian,
    /// Another processor.
    #[error("made for ELF machine {0}; only x86-64 (62) can be traced")]
    Machine(u16),
    /// The headers do not hold together: cut short, or damaged.
    #[error("damaged: {0}; reinstall the file, or trace another process")]
    Malformed(&'static str),
}

/// A part of the file that is mapped into a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its first address, before the load bias.
    pub vaddr: u64,
    /// Where it starts in the file.
    pub file_offset: u64,
    /// How many bytes of the file it takes.
    pub file_bytes: u64,
    /// Whether it is mapped executable.
    pub is_executable: bool,
}

impl Segment {
    fn from_header(header: &ProgramHeader64<LE>) -> Self {
        Self {
            vaddr: header.p_vaddr(LE),
            file_offset: header.p_offset(LE),
            file_bytes: header.p_filesz(LE),
            is_executable: header.p_flags(LE).contains(elf::PF_X),
        }
    }

    fn file_offset_of(&self, vaddr: u64) -> Option<u64> {
        let distance = vaddr.checked_sub(self.vaddr).filter(|distance| *distance < self.file_bytes)?;
        self.file_offset.checked_add(distance)
    }

    fn vaddr_of(&self, file_offset: u64) -> Option<u64> {
        let distance =
            file_offset.checked_sub(self.file_offset).filter(|distance| *distance < self.file_bytes)?;
        self.vaddr.checked_add(distance)
    }
}

/// Code in the file.
#[derive(Clone, Copy, Debug)]
pub struct CodeBytes<'data> {
    /// Where it is in the file: what a uprobe is attached to.
    pub file_offset: u64,
    /// From there to the end of its segment.
    pub bytes: &'data [u8],
}

/// An ELF file.
#[derive(Debug)]
pub struct Elf<'data> {
    bytes: &'data [u8],
    header: &'data Header,
    program_headers: &'data [ProgramHeader64<LE>],
    sections: SectionTable<'data, Header>,
    dynamic: Dynamic<'data>,
    symbols: Symbols<'data>,
}

impl<'data> Elf<'data> {
    /// Reads the headers.
    ///
    /// # Errors
    /// When the file is not what this tracer handles.
    pub fn parse(bytes: &'data [u8]) -> Result<Self, ElfError> {
        check_ident(bytes)?;
        let header = Header::parse(bytes).map_err(|_| ElfError::Malformed("the file header is cut short"))?;
        if header.e_machine(LE) != elf::EM_X86_64 {
            return Err(ElfError::Machine(header.e_machine(LE).0));
        }
        let program_headers = header
            .program_headers(LE, bytes)
            .map_err(|_| ElfError::Malformed("the program headers are outside the file"))?;
        let sections = header.sections(LE, bytes).unwrap_or_default();
        let mut elf = Self {
            bytes,
            header,
            program_headers,
            sections,
            dynamic: Dynamic::default(),
            symbols: Symbols::default(),
        };
        elf.dynamic = Dynamic::read(&elf);
        elf.symbols = Symbols::read(&elf);
        Ok(elf)
    }

    /// Adds the symbols of this file's separate debug file.
    ///
    /// # Errors
    /// When the build ids do not say that the two belong together.
    pub fn add_debug_file(&mut self, debug: &Elf<'data>) -> Result<(), DebugMismatch> {
        DebugMismatch::check(self.build_id(), debug.build_id())?;
        self.symbols.add_static_table_of(&debug.symbols);
        Ok(())
    }

    /// The symbols, from all tables.
    #[must_use]
    pub fn symbols(&self) -> &Symbols<'data> {
        &self.symbols
    }

    /// The address of a variable, before the load bias: `_PyRuntime`, `Py_Version`.
    #[must_use]
    pub fn data_vaddr(&self, name: &str) -> Option<u64> {
        self.symbols.data_vaddr(name)
    }

    /// The loaded segments.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.program_headers
            .iter()
            .filter(|header| header.p_type(LE) == elf::PT_LOAD)
            .map(Segment::from_header)
    }

    /// The loaded segments that hold code.
    pub fn executable_segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.segments().filter(|segment| segment.is_executable)
    }

    /// Where an address is in the file. Nowhere, if it is in `.bss` or not loaded.
    #[must_use]
    pub fn file_offset_of(&self, vaddr: u64) -> Option<u64> {
        self.segments().find_map(|segment| segment.file_offset_of(vaddr))
    }

    /// Which address a byte of the file is loaded at.
    #[must_use]
    pub fn vaddr_of(&self, file_offset: u64) -> Option<u64> {
        self.segments().find_map(|segment| segment.vaddr_of(file_offset))
    }

    /// The code at an address, to the end of its segment. Nothing, if the address is not executable.
    #[must_use]
    pub fn code_at(&self, vaddr: u64) -> Option<CodeBytes<'data>> {
        self.executable_segments().find_map(|segment| {
            let file_offset = segment.file_offset_of(vaddr)?;
            let bytes = self.bytes_in(&segment, file_offset)?;
            Some(CodeBytes { file_offset, bytes })
        })
    }

    /// The bytes from an address to the end of its segment.
    pub(super) fn bytes_at(&self, vaddr: u64) -> Option<&'data [u8]> {
        self.segments().find_map(|segment| self.bytes_in(&segment, segment.file_offset_of(vaddr)?))
    }

    fn bytes_in(&self, segment: &Segment, file_offset: u64) -> Option<&'data [u8]> {
        let segment_end = segment.file_offset.saturating_add(segment.file_bytes);
        let end = segment_end.min(self.bytes.len() as u64);
        self.bytes.get(file_offset as usize..end as usize)
    }

    /// What the linker stamped the file with; the same in its debug file.
    #[must_use]
    pub fn build_id(&self) -> Option<&'data [u8]> {
        self.program_headers
            .iter()
            .filter_map(|header| header.notes(LE, self.bytes).ok().flatten())
            .flat_map(|notes| notes.map_while(Result::ok))
            .find(|note| note.name() == elf::ELF_NOTE_GNU && note.n_type(LE) == elf::NT_GNU_BUILD_ID)
            .map(|note| note.desc())
            .filter(|id| !id.is_empty())
    }

    /// The program that loads this one.
    #[must_use]
    pub fn interpreter(&self) -> Option<&'data [u8]> {
        self.program_headers
            .iter()
            .find_map(|header| header.interpreter(LE, self.bytes).ok().flatten())
            .filter(|path| !path.is_empty())
    }

    /// The names of the libraries that it is linked against.
    #[must_use]
    pub fn needed(&self) -> &[&'data [u8]] {
        self.dynamic.needed()
    }

    /// The name that a library gives itself.
    #[must_use]
    pub fn soname(&self) -> Option<&'data [u8]> {
        self.dynamic.soname()
    }

    /// True for a program that no loader links: `-static` and `-static-pie`. False for every library.
    #[must_use]
    pub fn is_static(&self) -> bool {
        let is_program = self.header.e_type(LE) == elf::ET_EXEC || self.dynamic.is_pie();
        is_program && self.interpreter().is_none() && self.needed().is_empty()
    }

    /// True when `.symtab` is gone, from the file and from the debug file if one was added.
    #[must_use]
    pub fn is_stripped(&self) -> bool {
        !self.symbols.has_static_table()
    }

    pub(super) fn bytes(&self) -> &'data [u8] {
        self.bytes
    }

    pub(super) fn program_headers(&self) -> &'data [ProgramHeader64<LE>] {
        self.program_headers
    }

    pub(super) fn sections(&self) -> &SectionTable<'data, Header> {
        &self.sections
    }

    pub(super) fn dynamic(&self) -> &Dynamic<'data> {
        &self.dynamic
    }

    /// True when the Go toolchain linked it: `.go.buildinfo` is loaded data, which stripping leaves
    /// (cmd/link/internal/ld/data.go).
    #[must_use]
    pub fn is_go(&self) -> bool {
        self.sections.section_by_name(LE, b".go.buildinfo").is_some()
    }

    pub(super) fn section_bytes(&self, name: &[u8]) -> Option<&'data [u8]> {
        let (_, section) = self.sections.section_by_name(LE, name)?;
        section.data(LE, self.bytes).ok()
    }
}

/// The identification bytes, checked one by one so that each kind of foreign file has its own message.
fn check_ident(bytes: &[u8]) -> Result<(), ElfError> {
    let Some(ident) = bytes.get(..16).filter(|ident| ident.starts_with(b"\x7fELF")) else {
        return Err(ElfError::NotElf);
    };
    if ident[4] != elf::ELFCLASS64.0 {
        return Err(ElfError::Not64Bit);
    }
    if ident[5] != elf::ELFDATA2LSB.0 {
        return Err(ElfError::NotLittleEndian);
    }
    Ok(())
}
