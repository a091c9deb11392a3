//! The stamp beside the committed object: which sources and tools it comes from.
//!
//! In: the workspace's root. Out: the text of `STAMP`, or the files in which it and the tree differ. The format is
//! that of `sha256sum`, so `sha256sum --check memtrace-ebpf/prebuilt/STAMP` verifies it by hand, and coreutils does
//! the hashing. Invariant: a file that can change the object is listed; two equal trees have equal stamps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{OBJECT, REMEDY, STAMP};
use crate::command;

/// What goes into the object: files, and directories with all that they hold. Those that are absent are left out.
const SOURCES: [&str; 7] = [
    "memtrace-common/Cargo.toml",
    "memtrace-common/src",
    "memtrace-ebpf/.cargo",
    "memtrace-ebpf/Cargo.lock",
    "memtrace-ebpf/Cargo.toml",
    "memtrace-ebpf/build.rs",
    "memtrace-ebpf/src",
];

/// The text of `STAMP` for the tree as it is, the object included.
pub(super) fn render(root: &Path, tool_versions: &[String]) -> Result<String> {
    let mut text = String::from("# What memtrace.bpf.o was built from, and with what.\n");
    for version in tool_versions {
        text.push_str(&format!("# with {version}\n"));
    }
    text.push_str(&listing(root)?);
    Ok(text)
}

/// Fails, naming the files, when the tree is not the one that the stamp describes.
pub(super) fn verify(root: &Path) -> Result<()> {
    let stamp = fs::read_to_string(root.join(STAMP)).with_context(|| format!("no {STAMP}; {REMEDY}"))?;
    let current = listing(root)?;
    let (then, now) = (hashes_by_path(&stamp), hashes_by_path(&current));
    let differs = |path: &&&str| then.get(**path) != now.get(**path);
    let mut changed: Vec<&str> = then.keys().chain(now.keys()).filter(differs).copied().collect();
    changed.sort_unstable();
    changed.dedup();
    if !changed.is_empty() {
        bail!("the BPF object was not built from these sources; {REMEDY}. Changed: {}", changed.join(", "));
    }
    Ok(())
}

/// The versions of the tools that a stamp names.
pub(super) fn tools(stamp: &str) -> Vec<String> {
    stamp.lines().filter_map(|line| line.strip_prefix("# with ")).map(str::to_owned).collect()
}

/// `sha256sum`'s lines for all sources and the object, sorted by path.
fn listing(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES.iter().chain([&OBJECT]) {
        collect_files(root, Path::new(source), &mut files)?;
    }
    files.sort_unstable();
    let mut sha256sum = Command::new("sha256sum");
    command::capture(sha256sum.arg("--").args(&files).current_dir(root))
        .context("cannot hash the BPF sources")
}

fn collect_files(root: &Path, relative: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let path = root.join(relative);
    if path.is_dir() {
        for entry in fs::read_dir(&path)? {
            collect_files(root, &relative.join(entry?.file_name()), files)?;
        }
    } else if path.is_file() {
        files.push(relative.to_owned());
    }
    Ok(())
}

fn hashes_by_path(stamp: &str) -> BTreeMap<&str, &str> {
    let lines = stamp.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once("  ")).map(|(hash, path)| (path, hash)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary directory");
        for (path, text) in [
            ("memtrace-common/Cargo.toml", "[package]"),
            ("memtrace-common/src/lib.rs", "pub struct Record;"),
            ("memtrace-ebpf/Cargo.toml", "[package]"),
            ("memtrace-ebpf/src/main.rs", "fn main() {}"),
            (OBJECT, "ELF"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        let text = render(root.path(), &["rustc 1.95.0".to_owned()]).expect("a stamp");
        fs::write(root.path().join(STAMP), text).expect("a file");
        root
    }

    fn complaint(root: &Path) -> String {
        format!("{:#}", verify(root).expect_err("the trees differ"))
    }

    #[test]
    fn an_untouched_tree_agrees_with_its_stamp() {
        let root = tree();
        verify(root.path()).expect("nothing changed");
    }

    #[test]
    fn coreutils_alone_can_check_a_stamp() {
        let root = tree();
        let mut check = Command::new("sha256sum");
        let verdict =
            command::capture(check.args(["--check", STAMP]).current_dir(root.path())).expect("it agrees");
        assert!(verdict.contains("memtrace-common/src/lib.rs: OK"), "{verdict}");
    }

    #[test]
    fn a_changed_an_added_and_a_removed_source_are_named_with_the_remedy() {
        let root = tree();
        fs::write(root.path().join("memtrace-common/src/lib.rs"), "pub struct Other;").expect("a file");
        fs::write(root.path().join("memtrace-ebpf/src/new.rs"), "").expect("a file");
        fs::remove_file(root.path().join("memtrace-ebpf/src/main.rs")).expect("a file");
        let complaint = complaint(root.path());
        for part in ["memtrace-common/src/lib.rs", "src/new.rs", "src/main.rs", "cargo xtask build-ebpf"] {
            assert!(complaint.contains(part), "{complaint}");
        }
        assert!(!complaint.contains("Cargo.toml"), "{complaint}");
    }

    #[test]
    fn another_object_is_noticed() {
        let root = tree();
        fs::write(root.path().join(OBJECT), "other ELF").expect("a file");
        assert!(complaint(root.path()).contains(OBJECT));
    }

    #[test]
    fn a_missing_stamp_names_the_remedy() {
        let root = tree();
        fs::remove_file(root.path().join(STAMP)).expect("a file");
        assert!(complaint(root.path()).contains("cargo xtask build-ebpf"));
    }

    #[test]
    fn a_stamp_names_the_tools_of_its_object() {
        let root = tree();
        let text = fs::read_to_string(root.path().join(STAMP)).expect("a stamp");
        assert_eq!(tools(&text), ["rustc 1.95.0"]);
    }
}
