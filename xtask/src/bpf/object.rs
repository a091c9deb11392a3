//! The built object as a file: made small, and looked into.
//!
//! In: the ELF file that bpf-linker wrote. Out: the same without DWARF (19 of 20 bytes), or its programs and maps.
//! Invariant: everything that the kernel or the loader reads stays: code, relocations, maps, BTF, BTF.ext, symbols.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};

/// `elf` without its DWARF sections. rustc's own `strip` would take BTF along.
pub(super) fn without_dwarf(elf: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(elf)?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    }
    if !builder.sections.iter().any(|section| matches!(section.data, SectionData::SectionString)) {
        // LLVM keeps section names in .strtab; the writer wants a section of their own for them.
        let names = builder.sections.add();
        names.name = b".shstrtab".as_slice().into();
        names.sh_type = SHT_STRTAB;
        names.data = SectionData::SectionString;
    }
    builder.delete_orphans();
    let mut slim = Vec::new();
    builder.write(&mut slim)?;
    Ok(slim)
}

/// The global symbols of an object with the section of each: its programs, maps and variables.
pub(super) fn outline(elf: &[u8]) -> Result<BTreeSet<String>> {
    let file = object::File::parse(elf).context("not an ELF file")?;
    let mut names = BTreeSet::new();
    for symbol in file.symbols().filter(object::ObjectSymbol::is_global) {
        let Some(index) = symbol.section_index() else { continue };
        let section = file.section_by_index(index)?;
        let helper = section.kind() == SectionKind::Text && section.name()? == ".text";
        if !helper {
            names.insert(format!("{}/{}", section.name()?, symbol.name()?));
        }
    }
    Ok(names)
}

/// Fails when `object` holds the name of one of `places`.
pub(super) fn refuse_paths(object: &[u8], places: &[PathBuf]) -> Result<()> {
    for place in places {
        let name = place.as_os_str().as_encoded_bytes();
        if name.len() > 1 && object.windows(name.len()).any(|window| window == name) {
            bail!(
                "the object names {}, a place of this machine: is --remap-path-prefix missing?",
                place.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test program is an ELF file with DWARF, symbols and relocations of its own.
    fn some_elf() -> Vec<u8> {
        let mut file = object::write::Object::new(
            object::BinaryFormat::Elf,
            object::Architecture::Bpf,
            object::Endianness::Little,
        );
        for (name, kind) in
            [("uprobe", SectionKind::Text), (".BTF", SectionKind::Other), (".debug_info", SectionKind::Debug)]
        {
            let section = file.add_section(Vec::new(), name.into(), kind);
            let offset = file.append_section_data(section, &[0x95, 0, 0, 0, 0, 0, 0, 0], 8);
            if kind == SectionKind::Text {
                file.add_symbol(object::write::Symbol {
                    name: b"on_malloc".to_vec(),
                    value: offset,
                    size: 8,
                    kind: object::SymbolKind::Text,
                    scope: object::SymbolScope::Dynamic,
                    weak: false,
                    section: object::write::SymbolSection::Section(section),
                    flags: object::SymbolFlags::None,
                });
            }
        }
        file.write().expect("an object")
    }

    #[test]
    fn dwarf_goes_and_code_btf_and_symbols_stay() {
        let slim = without_dwarf(&some_elf()).expect("it can be rewritten");
        let file = object::File::parse(slim.as_slice()).expect("an ELF file");
        let names: Vec<&str> = file.sections().filter_map(|section| section.name().ok()).collect();
        assert!(names.contains(&"uprobe") && names.contains(&".BTF"), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("debug")), "{names:?}");
        let code = file.section_by_name("uprobe").expect("the program").data().expect("its bytes");
        assert_eq!(code, [0x95, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_outline_names_each_program_with_its_section() {
        let outline = outline(&some_elf()).expect("an ELF file");
        assert_eq!(outline.into_iter().collect::<Vec<_>>(), ["uprobe/on_malloc"]);
    }

    #[test]
    fn an_object_that_names_a_place_of_this_machine_is_refused() {
        let places = [PathBuf::from("/home/somebody")];
        refuse_paths(b"\0/memtrace/src/main.rs\0", &places).expect("nothing of this machine");
        let error = refuse_paths(b"\0/home/somebody/src/main.rs\0", &places).expect_err("a home directory");
        assert!(error.to_string().contains("/home/somebody"));
    }
}
