//! `cargo xtask build-ebpf`: from memtrace-ebpf's sources to the object that the repository carries.
//!
//! In: the sources, and a toolchain (installed if need be). Out: `prebuilt/memtrace.bpf.o` and `prebuilt/STAMP`; with
//! `--check` nothing but a verdict. Refuses an object that names a place of the machine that built it.
//! Invariant: the same sources and the same tools give the same bytes, wherever the checkout lies.

mod compile;
mod object;
mod stamp;
mod toolchain;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::workspace::Workspace;

const REMEDY: &str = "run `cargo xtask build-ebpf` and commit memtrace-ebpf/prebuilt";

/// The committed object, relative to the workspace's root.
const OBJECT: &str = "memtrace-ebpf/prebuilt/memtrace.bpf.o";

/// The committed list of hashes beside it.
const STAMP: &str = "memtrace-ebpf/prebuilt/STAMP";

/// Builds the object; writes it, or with `check` compares it with the committed one.
pub(crate) fn build(workspace: &Workspace, check: bool) -> Result<()> {
    let toolchain = toolchain::prepare(workspace)?;
    let compiled = compile::compile(workspace, &toolchain)?;
    let slim = object::without_dwarf(&fs::read(&compiled)?).context("cannot strip the object's DWARF")?;
    object::refuse_paths(&slim, &places_of_this_machine(workspace))?;
    if check {
        return compare(workspace, &toolchain, &slim);
    }
    let object = workspace.root().join(OBJECT);
    let directory = object.parent().context("invariant: the object lies in a directory")?;
    fs::create_dir_all(directory)?;
    fs::write(&object, &slim)?;
    fs::write(workspace.root().join(STAMP), stamp::render(workspace.root(), &toolchain.versions)?)?;
    println!("wrote {OBJECT} ({} bytes) and {STAMP}", slim.len());
    Ok(())
}

/// The verdict of `--check`. Other versions of the tools may order instructions differently, so then only the
/// programs and maps must agree.
fn compare(workspace: &Workspace, toolchain: &toolchain::Toolchain, built: &[u8]) -> Result<()> {
    stamp::verify(workspace.root())?;
    let committed = fs::read(workspace.root().join(OBJECT))?;
    if committed == built {
        println!("{OBJECT} is what its sources build, byte for byte ({} bytes)", built.len());
        return Ok(());
    }
    let stamp = fs::read_to_string(workspace.root().join(STAMP))?;
    if stamp::tools(&stamp) == toolchain.versions {
        bail!("{OBJECT} is not what its sources build with {}; {REMEDY}", toolchain.versions.join(", "));
    }
    let (old, new) = (object::outline(&committed)?, object::outline(built)?);
    if old != new {
        bail!("{OBJECT} holds {old:?}, its sources build {new:?}; {REMEDY}");
    }
    let (theirs, ours) = (stamp::tools(&stamp).join(", "), toolchain.versions.join(", "));
    command::announce(&format!("the object was built with {theirs}; here with {ours}, so bytes may differ"));
    println!("{OBJECT} holds the {} programs and maps that its sources build", new.len());
    Ok(())
}

/// Directories whose names must not appear in a committed file.
fn places_of_this_machine(workspace: &Workspace) -> Vec<PathBuf> {
    let mut places = vec![workspace.root().to_owned(), workspace.target().to_owned(), compile::cargo_home()];
    places.extend(std::env::home_dir());
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_object_is_the_one_that_its_sources_build() {
        let workspace = Workspace::locate().expect("the checkout is found");
        stamp::verify(workspace.root()).expect("stamp and sources agree");
    }
}
