//! Whole files: made to order, real ones of this machine, and damaged ones.

mod real;
mod synthetic;

use memtrace_common::Call;
use object::elf;
use proptest::prelude::*;

use super::*;
use synthetic::{CODE_OFFSET, CODE_VADDR, Definition, file, function};

/// Two functions of four bytes: a push each.
const CODE: [u8; 8] = [0x55, 0x90, 0x90, 0xc3, 0x41, 0x54, 0x90, 0xc3];

fn sites_of(definitions: &[Definition]) -> Sites {
    libc_sites(&Elf::parse(&file(&CODE, definitions)).expect("made to be parsed"))
}

fn reason_of(sites: &Sites, name: &str) -> Option<MissingReason> {
    sites.missing.iter().find(|missing| missing.name == name).map(|missing| missing.reason.clone())
}

#[test]
fn a_site_tells_where_it_is_in_the_file_and_in_memory() {
    let sites = sites_of(&[function("malloc", 0), function("free", 4)]);
    let free = sites.of("free").expect("free has a site");
    assert_eq!((free.file_offset, free.vaddr), (CODE_OFFSET + 4, CODE_VADDR + 4));
    assert_eq!((free.call, free.offset_in_function), (Call::Free, 0));
    assert_eq!((free.execution, free.instruction.as_str()), (Execution::Emulated, "push r12"));
    assert_eq!(reason_of(&sites, "calloc"), Some(MissingReason::NotDefined));
}

#[test]
fn names_of_one_address_share_a_site() {
    let sites = sites_of(&[
        function("memalign", 0),
        function("aligned_alloc@@GLIBC_2.16", 0),
        function("__libc_memalign", 0),
    ]);
    assert_eq!(sites.sites.len(), 1);
    assert_eq!(sites.sites[0].names, ["aligned_alloc", "memalign", "__libc_memalign"]);
}

#[test]
fn every_version_of_a_name_with_code_of_its_own_gets_a_site() {
    let sites = sites_of(&[
        function("realloc@@GLIBC_2.30", 0),
        function("realloc@GLIBC_2.2.5", 4),
        function("realloc", 4),
    ]);
    let places: Vec<_> =
        sites.sites.iter().map(|site| (site.vaddr - CODE_VADDR, site.names.clone())).collect();
    assert_eq!(places, [(0, vec!["realloc".to_owned()]), (4, vec!["realloc".to_owned()])]);
}

#[test]
fn of_two_shapes_at_one_address_the_one_listed_first_is_kept() {
    let sites = sites_of(&[function("realloc", 0), function("malloc", 0)]);
    assert_eq!(sites.sites.len(), 1);
    assert_eq!(sites.sites[0].call, Call::Malloc);
    assert_eq!(reason_of(&sites, "realloc"), Some(MissingReason::SharedWith { with: "malloc" }));
}

#[test]
fn an_import_is_not_a_definition() {
    let sites = sites_of(&[Definition { section: 0, vaddr: 0, ..function("malloc", 0) }]);
    assert_eq!(reason_of(&sites, "malloc"), Some(MissingReason::NotDefined));
}

#[test]
fn an_indirect_function_is_refused() {
    let sites = sites_of(&[Definition { kind: elf::STT_GNU_IFUNC, ..function("malloc", 0) }]);
    assert_eq!(reason_of(&sites, "malloc"), Some(MissingReason::Indirect { vaddr: CODE_VADDR }));
}

#[test]
fn a_local_free_may_be_anything_but_a_local_pyobject_free_may_not() {
    let local = |name| Definition { bind: elf::STB_LOCAL, ..function(name, 0) };
    let bytes = file(&CODE, &[local("free"), local("PyObject_Free")]);
    let elf = Elf::parse(&bytes).expect("made to be parsed");
    assert_eq!(reason_of(&libc_sites(&elf), "free"), Some(MissingReason::LocalOnly));
    assert!(python_sites(&elf).of("PyObject_Free").is_some());
    assert!(!is_allocator(&elf));
}

#[test]
fn a_local_malloc_is_the_librarys_where_a_global_name_of_the_library_says_so() {
    let local = Definition { bind: elf::STB_LOCAL, ..function("malloc", 0) };
    let bytes = file(&CODE, &[local, function("__malloc", 0), function("free", 4)]);
    let elf = Elf::parse(&bytes).expect("made to be parsed");
    assert_eq!(libc_sites(&elf).of("malloc").map(|site| site.vaddr), Some(CODE_VADDR));
    assert!(is_allocator(&elf));
    let elsewhere = sites_of(&[local, function("__malloc", 4)]);
    assert_eq!(reason_of(&elsewhere, "malloc"), Some(MissingReason::LocalOnly));
}

#[test]
fn a_function_outside_the_code_is_refused() {
    let sites = sites_of(&[function("malloc", CODE.len() as u64)]);
    let vaddr = CODE_VADDR + CODE.len() as u64;
    assert_eq!(reason_of(&sites, "malloc"), Some(MissingReason::NotCode { vaddr }));
}

#[test]
fn the_size_of_a_function_bounds_what_is_decoded() {
    let code = [0x48, 0x85, 0xff, 0x55];
    let sites = |size_bytes| {
        let bytes = file(&code, &[Definition { size_bytes, ..function("malloc", 0) }]);
        libc_sites(&Elf::parse(&bytes).expect("made to be parsed")).sites[0].offset_in_function
    };
    assert_eq!(sites(3), 0);
    assert_eq!(sites(0), 3);
    assert_eq!(sites(u64::MAX), 3);
}

#[test]
fn an_allocator_defines_both_malloc_and_free() {
    let is = |definitions: &[Definition]| {
        is_allocator(&Elf::parse(&file(&CODE, definitions)).expect("made to be parsed"))
    };
    assert!(is(&[function("malloc", 0), function("free", 4)]));
    assert!(!is(&[function("malloc", 0)]));
    assert!(!is(&[function("malloc", 0), Definition { section: 0, ..function("free", 0) }]));
}

#[test]
fn a_variable_is_found_by_name_and_not_taken_for_a_function() {
    let variable = Definition { kind: elf::STT_OBJECT, ..function("_PyRuntime", 4) };
    let bytes = file(&CODE, &[variable, function("Py_Version", 0)]);
    let elf = Elf::parse(&bytes).expect("made to be parsed");
    assert_eq!(elf.data_vaddr("_PyRuntime"), Some(CODE_VADDR + 4));
    assert_eq!(elf.data_vaddr("Py_Version"), None);
}

#[test]
fn foreign_files_are_told_apart() {
    let good = file(&CODE, &[]);
    let with = |offset: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[offset] = byte;
        Elf::parse(&bytes).err()
    };
    assert_eq!(with(0, b'#'), Some(ElfError::NotElf));
    assert_eq!(with(4, 1), Some(ElfError::Not64Bit));
    assert_eq!(with(5, 2), Some(ElfError::NotLittleEndian));
    assert_eq!(with(18, 183), Some(ElfError::Machine(183)));
    assert_eq!(Elf::parse(&good[..20]).err(), Some(ElfError::Malformed("the file header is cut short")));
    assert_eq!(Elf::parse(&[]).err(), Some(ElfError::NotElf));
}

#[test]
fn a_debug_file_of_an_unknown_build_is_not_used() {
    let bytes = file(&CODE, &[]);
    let debug_bytes = file(&CODE, &[function("malloc", 0)]);
    let mut elf = Elf::parse(&bytes).expect("made to be parsed");
    let debug = Elf::parse(&debug_bytes).expect("made to be parsed");
    assert_eq!(elf.add_debug_file(&debug), Err(DebugMismatch::NoBuildId));
    assert!(libc_sites(&elf).sites.is_empty());
}

/// Everything that is asked of a file.
fn ask_everything(bytes: &[u8]) -> usize {
    let Ok(elf) = Elf::parse(bytes) else { return 0 };
    let segments = elf.segments().filter(|segment| elf.vaddr_of(segment.file_offset).is_some()).count();
    let facts = [
        elf.build_id().is_some(),
        elf.interpreter().is_some(),
        elf.soname().is_some(),
        elf.is_static(),
        elf.is_stripped(),
        elf.data_vaddr("_PyRuntime").is_some(),
        is_allocator(&elf),
    ];
    let paths = debug_file_candidates(&elf, std::path::Path::new("/lib/libc.so.6"));
    let sites = libc_sites(&elf).sites.len() + python_sites(&elf).sites.len();
    segments + facts.iter().filter(|fact| **fact).count() + paths.len() + elf.needed().len() + sites
}

proptest! {
    #[test]
    fn no_bytes_behind_an_elf_magic_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..512)) {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend([3, 0, 62, 0]);
        bytes.extend(tail);
        ask_everything(&bytes);
    }

    #[test]
    fn no_damage_to_a_small_file_makes_it_panic(
        damage in proptest::collection::vec((0_usize..600, any::<u8>()), 1..8),
    ) {
        let mut bytes = file(&CODE, &[function("malloc", 0), function("PyMem_Free", 4)]);
        for (offset, byte) in damage {
            if let Some(place) = bytes.get_mut(offset) {
                *place = byte;
            }
        }
        ask_everything(&bytes);
    }
}
