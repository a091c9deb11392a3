//! What the virtual machines run: one archive for all kernels.
//!
//! In: the built `vm-init` and `memtrace`, gcc, and this machine's Python. Out: a cpio archive with them, their shared
//! libraries at the same paths as here, and the programs of known truth. No shell, no distribution.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::cpio::Archive;
use crate::command;
use crate::workspace::Workspace;

/// The interpreter, by the name that Debian gives its default one.
pub(super) const PYTHON: &str = "/usr/bin/python3";

/// The modules that an interpreter imports before its first line of a script when `site` is left out.
const PYTHON_MODULES: [&str; 15] = [
    "_collections_abc.py",
    "abc.py",
    "codecs.py",
    "encodings/__init__.py",
    "encodings/aliases.py",
    "encodings/ascii.py",
    "encodings/latin_1.py",
    "encodings/utf_8.py",
    "genericpath.py",
    "io.py",
    "os.py",
    "posixpath.py",
    "stat.py",
    "warnings.py",
    "linecache.py",
];

/// Writes the archive into `directory` and returns its path.
pub(super) fn build(workspace: &Workspace, memtrace: &Path, directory: &Path) -> Result<PathBuf> {
    let mut archive = Archive::default();
    for mount_point in ["/proc", "/sys", "/tmp", "/dev"] {
        archive.add_directory(mount_point);
    }
    // The kernel opens it as the first process' stdin, stdout and stderr before anything is mounted.
    archive.add_character_device("/dev/console", 5, 1);
    add_program(&mut archive, &workspace.built_program("vm-init"), "/init", directory)?;
    add_program(&mut archive, memtrace, "/usr/bin/memtrace", directory)?;
    let targets = workspace.root().join("xtask").join("targets");
    let books = compile(&targets.join("books.c"), &directory.join("books"))?;
    add_program(&mut archive, &books, "/usr/bin/books", directory)?;
    add_python(&mut archive)?;
    archive.add_file("/usr/share/leak.py", 0o644, fs::read(targets.join("leak.py"))?);
    let path = directory.join("initramfs.cpio");
    fs::write(&path, archive.into_bytes())?;
    Ok(path)
}

fn compile(source: &Path, program: &Path) -> Result<PathBuf> {
    let mut gcc = Command::new("gcc");
    // -fno-builtin: else the compiler drops calls whose result it can predict.
    gcc.args([
        "-O1",
        "-g",
        "-fno-builtin",
        "-fno-omit-frame-pointer",
        "-Wall",
        "-Wno-alloc-size-larger-than",
        "-o",
    ])
    .arg(program)
    .arg(source);
    command::run("compiling the C program of known truth", &mut gcc)?;
    Ok(program.to_owned())
}

/// Adds `program` without its debug information, which would take most of the machine's memory, and its libraries.
fn add_program(archive: &mut Archive, program: &Path, path: &str, scratch: &Path) -> Result<()> {
    let stripped = scratch.join("stripped");
    command::capture(Command::new("strip").arg("-o").arg(&stripped).arg(program))?;
    archive.add_file(path, 0o755, fs::read(&stripped)?);
    fs::remove_file(&stripped)?;
    add_libraries(archive, program)
}

/// Adds the shared libraries of `program`, and its dynamic linker.
fn add_libraries(archive: &mut Archive, program: &Path) -> Result<()> {
    let listing = command::capture(Command::new("ldd").arg(program))?;
    for library in library_paths(&listing) {
        add_copy(archive, Path::new(library))?;
    }
    Ok(())
}

/// The paths in `ldd`'s listing; the vDSO has none.
fn library_paths(listing: &str) -> impl Iterator<Item = &str> {
    listing.split_whitespace().filter(|word| word.starts_with('/'))
}

fn add_python(archive: &mut Archive) -> Result<()> {
    let program = fs::canonicalize(PYTHON)?;
    archive.add_file(PYTHON, 0o755, fs::read(&program)?);
    add_libraries(archive, &program)?;
    let name = program.file_name().context("invariant: a canonical path has a name")?;
    let library = Path::new("/usr/lib").join(name);
    for module in PYTHON_MODULES {
        add_copy(archive, &library.join(module))?;
    }
    // Empty; without it the interpreter complains.
    archive.add_directory(&format!("{}/lib-dynload", library.display()));
    Ok(())
}

fn add_copy(archive: &mut Archive, file: &Path) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let permissions = fs::metadata(file)?.permissions().mode() & 0o777;
    archive.add_file(file.to_str().context("a path that is not UTF-8")?, permissions, bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_both_of_ldds_forms() {
        let listing = "\tlinux-vdso.so.1 (0x00007fff)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0)\n\
                       \t/lib64/ld-linux-x86-64.so.2 (0x00007f1)\n";
        let paths: Vec<&str> = library_paths(listing).collect();
        assert_eq!(paths, ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
