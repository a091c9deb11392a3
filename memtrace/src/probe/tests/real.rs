//! The C library that this test runs on, and the Pythons of this machine. A missing file fails the test by name.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ask_everything, *};

/// The C library that is mapped into this process, and where its code is.
struct MappedLibc {
    path: PathBuf,
    start: u64,
    end: u64,
    file_offset: u64,
}

fn mapped_libc() -> MappedLibc {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    let hex = |text: &str| u64::from_str_radix(text, 16).expect("hexadecimal");
    maps.lines()
        .find_map(|line| {
            let mut fields = line.split_whitespace();
            let (start, end) = fields.next()?.split_once('-')?;
            let is_code = fields.next()?.contains('x');
            let file_offset = fields.next()?;
            let path = PathBuf::from(fields.nth(2)?);
            let name = path.file_name()?.to_str()?;
            let is_libc = is_code && (name.starts_with("libc.so") || name.starts_with("libc-2."));
            is_libc.then(|| MappedLibc {
                start: hex(start),
                end: hex(end),
                file_offset: hex(file_offset),
                path: path.clone(),
            })
        })
        .expect("not found: a libc.so in /proc/self/maps; this test needs a dynamically linked C library")
}

/// Every Python binary or library in the usual places.
fn pythons() -> Vec<PathBuf> {
    let list = |directory: &Path| -> Vec<PathBuf> {
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let pyenv_root = std::env::var_os("PYENV_ROOT").map_or(home.join(".pyenv"), PathBuf::from);
    let mut candidates = list(Path::new("/usr/bin"));
    candidates.extend(list(Path::new("/usr/lib/x86_64-linux-gnu")));
    for version in list(&pyenv_root.join("versions")) {
        candidates.extend(list(&version.join("lib")));
    }
    let is_python = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_binary = name.strip_prefix("python3.").is_some_and(|minor| minor.parse::<u8>().is_ok());
        is_binary || (name.starts_with("libpython3.") && name.ends_with(".so.1.0"))
    };
    candidates.retain(|path| is_python(path) && path.is_file());
    assert!(
        !candidates.is_empty(),
        "not found: python3.N in /usr/bin, libpython3.N.so.1.0 in /usr/lib or pyenv"
    );
    candidates
}

#[test]
fn the_sites_of_the_running_libc_are_where_the_loader_put_its_functions() {
    let libc = mapped_libc();
    let bytes = fs::read(&libc.path).expect("libc is readable");
    let elf = Elf::parse(&bytes).expect("libc is ELF");
    let sites = libc_sites(&elf);
    let addresses: [(&str, u64, Call); 6] = [
        ("malloc", libc::malloc as *const () as u64, Call::Malloc),
        ("calloc", libc::calloc as *const () as u64, Call::Calloc),
        ("realloc", libc::realloc as *const () as u64, Call::Realloc),
        ("free", libc::free as *const () as u64, Call::Free),
        ("posix_memalign", libc::posix_memalign as *const () as u64, Call::PosixMemalign),
        ("aligned_alloc", libc::aligned_alloc as *const () as u64, Call::AlignedAlloc),
    ];
    for (name, address, call) in addresses {
        assert!((libc.start..libc.end).contains(&address), "{name} is libc's");
        let site = sites.of(name).unwrap_or_else(|| panic!("{name} has no site: {:?}", sites.missing));
        let entry_offset = address - libc.start + libc.file_offset;
        assert_eq!(site.file_offset - site.offset_in_function, entry_offset, "{name}");
        assert_eq!(elf.file_offset_of(site.vaddr), Some(site.file_offset), "{name}");
        assert_eq!(elf.vaddr_of(site.file_offset), Some(site.vaddr), "{name}");
        assert_eq!(site.call, call, "{name}");
    }
}

#[test]
fn the_running_libc_is_known_for_what_it_is() {
    let libc = mapped_libc();
    let bytes = fs::read(&libc.path).expect("libc is readable");
    let elf = Elf::parse(&bytes).expect("libc is ELF");
    assert!(is_allocator(&elf));
    assert!(!elf.is_static());
    assert!(elf.soname().is_some_and(|name| name.starts_with(b"libc.")));
    assert!(elf.executable_segments().count() >= 1);
    let id = elf.build_id().expect("distributions stamp libc");
    let candidates = debug_file_candidates(&elf, &libc.path);
    let by_id = format!("/usr/lib/debug/.build-id/{:02x}/", id[0]);
    assert!(candidates[0].to_str().is_some_and(|path| path.starts_with(&by_id)), "{candidates:?}");
}

#[test]
fn this_program_is_no_allocator_and_needs_a_loader() {
    let bytes = fs::read("/proc/self/exe").expect("this program is readable");
    let elf = Elf::parse(&bytes).expect("this program is ELF");
    assert!(elf.interpreter().is_some_and(|path| path.starts_with(b"/")));
    assert!(elf.needed().iter().any(|name| name.starts_with(b"libc.")));
    assert!(!elf.is_static() && !elf.is_stripped() && !is_allocator(&elf));
}

#[test]
fn every_python_of_this_machine_has_all_its_sites() {
    let mut with_an_allocator = Vec::new();
    for path in pythons() {
        let bytes = fs::read(&path).expect("a Python is readable");
        let elf = Elf::parse(&bytes).expect("a Python is ELF");
        let sites = python_sites(&elf);
        if sites.sites.is_empty() {
            // A program that is linked to libpython defines nothing itself.
            assert!(elf.needed().iter().any(|name| name.starts_with(b"libpython3")), "{}", path.display());
            continue;
        }
        assert_eq!(sites.missing, [], "{}", path.display());
        for site in &sites.sites {
            let instruction = &bytes[site.file_offset as usize..];
            let is_fatal =
                instruction.starts_with(b"\x0f\x1f\x44\x00\x00") || instruction.starts_with(b"\xe8");
            assert!(!is_fatal, "{site:?} in {}", path.display());
        }
        let is_before_runtime = path.to_str().is_some_and(|path| path.contains("python3.6"));
        assert_eq!(elf.data_vaddr("_PyRuntime").is_none(), is_before_runtime, "{}", path.display());
        with_an_allocator.push(path);
    }
    assert!(!with_an_allocator.is_empty(), "not found: a Python that defines PyObject_Malloc");
}

#[test]
fn a_real_file_cut_short_anywhere_is_refused_or_read_but_never_panics() {
    let bytes = fs::read(mapped_libc().path).expect("libc is readable");
    let whole = ask_everything(&bytes);
    let lengths = (0..2048).step_by(8).chain((2048..bytes.len()).step_by(bytes.len() / 64));
    for length in lengths {
        assert!(ask_everything(&bytes[..length]) <= whole + 2, "{length} bytes tell more than the file");
    }
}

#[test]
fn a_real_file_without_section_headers_keeps_its_sites() {
    let mut bytes = fs::read(mapped_libc().path).expect("libc is readable");
    let names = |bytes: &[u8]| -> Vec<Vec<String>> {
        let elf = Elf::parse(bytes).expect("libc is ELF");
        libc_sites(&elf).sites.into_iter().map(|site| site.names).collect()
    };
    let before = names(&bytes);
    // e_shoff, and the sizes and counts that go with it.
    bytes[40..48].fill(0);
    bytes[58..64].fill(0);
    assert_eq!(names(&bytes), before);
    assert!(before.len() >= 6);
}
