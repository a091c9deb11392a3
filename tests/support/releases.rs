//! Other Debian releases, each a root directory that `cargo xtask releases` leaves in cargo's target directory.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use super::source;

/// The root directories that are there.
pub(crate) fn roots() -> Vec<PathBuf> {
    ["bullseye", "trixie", "sid"].iter().filter_map(|name| root(name)).collect()
}

/// The root directory of a release; where there is none it is said what was not tested.
pub(crate) fn root(name: &str) -> Option<PathBuf> {
    let root = directory().join(name);
    if root.is_dir() {
        return Some(root);
    }
    println!("not tested: the programs of Debian {name}; `cargo xtask releases` fetches them");
    None
}

/// The root directory that this file is in, and its path there.
pub(crate) fn split(file: &Path) -> Option<(PathBuf, PathBuf)> {
    let directory = directory();
    let name = file.strip_prefix(&directory).ok()?.components().next()?;
    let root = directory.join(name);
    let inside = Path::new("/").join(file.strip_prefix(&root).ok()?);
    Some((root, inside))
}

/// The program at this path: in its release's root directory when it is of another release.
pub(crate) fn command(program: &Path) -> Command {
    let Some((root, inside)) = split(program) else { return Command::new(program) };
    let mut command = Command::new("chroot");
    command.arg(root).arg(inside);
    command
}

/// The path at which a root directory has `programs/python`, which is copied there.
pub(crate) fn python_programs(root: &Path) -> PathBuf {
    let inside = Path::new("programs");
    let directory = root.join(inside);
    fs::create_dir_all(&directory).expect("the release's directory is writable");
    let sources = fs::read_dir(source::path("python")).expect("the programs are there");
    for file in sources.flatten().filter(|entry| entry.path().is_file()) {
        // Under another name first: another test may read the old file.
        let name = file.file_name();
        let unfinished = directory.join(format!("{}.{}", name.to_string_lossy(), process::id()));
        let unfinished = unfinished.with_extension(format!("{:?}", std::thread::current().id()));
        fs::copy(file.path(), &unfinished).expect("there is room for a copy");
        fs::rename(&unfinished, directory.join(name)).expect("a file can be renamed in its directory");
    }
    Path::new("/").join(inside)
}

/// This test is `TARGET/PROFILE/deps/integration-HASH`.
fn directory() -> PathBuf {
    let test = env::current_exe().expect("the test knows its own path");
    test.ancestors().nth(3).expect("cargo puts tests into TARGET/PROFILE/deps").join("releases")
}
