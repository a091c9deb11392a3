//! Containers without a container runtime: root directories of copies, entered by `programs/c/contain.c`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::compile;

/// A root directory that holds copies of programs and of the libraries that they need, and nothing of this machine's.
pub(crate) struct Image {
    root: TempDir,
}

impl Image {
    /// With nothing in it.
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable") }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Copies a program under a name at the root, and its loader and libraries to where it looks for them.
    pub(crate) fn add_program(&self, program: &Path, name: &str) {
        fs::copy(program, self.root().join(name)).expect("there is room for a copy");
        for library in libraries(program) {
            self.add_tree(&library);
        }
    }

    /// Copies a file or directory of this machine to the same place, links resolved.
    pub(crate) fn add_tree(&self, path: &Path) {
        let place = self.root().join(path.strip_prefix("/").expect("an absolute path"));
        let directory = place.parent().expect("below the root");
        fs::create_dir_all(directory).expect("the root is ours");
        let copied = Command::new("cp").arg("-rL").arg(path).arg(directory).status();
        assert!(copied.is_ok_and(|status| status.success()), "cp {}", path.display());
    }

    /// A command that runs one of its programs with the image itself as the root; `user` in a user namespace too.
    pub(crate) fn command(&self, user: bool, program: &str) -> Command {
        contain(self.root(), Path::new(""), user, program)
    }

    /// The same with an overlay on the image as the root. What is written goes below `home`.
    pub(crate) fn overlaid(&self, home: &Path, program: &str) -> Command {
        contain(home, self.root(), false, program)
    }
}

fn contain(home: &Path, lower: &Path, user: bool, program: &str) -> Command {
    let mut command = Command::new(compile::program("contain"));
    let user = OsStr::new(if user { "user" } else { "" });
    command.args([home.as_os_str(), lower.as_os_str(), user, OsStr::new(&format!("/{program}"))]);
    command
}

/// What `ldd` says that it loads.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("`ldd` comes with the C library");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}
