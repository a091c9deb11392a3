//! Compiles the C programs, each once a run, into cargo's directory for tests' files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, PoisonError};

use super::source;

/// Optimized as programs are, with the debug information and frame pointers that the tests look for.
const FLAGS: [&str; 7] = ["-O2", "-g", "-fno-omit-frame-pointer", "-pthread", "-Wall", "-Wextra", "-Werror"];

/// Where compiled programs and links to them go.
pub(crate) fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    fs::create_dir_all(&directory).expect("cargo's directory for tests' files is writable");
    directory
}

/// The executable of `programs/c/NAME.c`.
pub(crate) fn program(name: &str) -> PathBuf {
    once(name, name, &[])
}

/// The executable of `programs/c/NAME.c` with the C library linked in, with its symbols or stripped of them.
pub(crate) fn static_program(name: &str, is_stripped: bool) -> PathBuf {
    if is_stripped {
        once(name, &format!("{name}.static-stripped"), &["-static", "-s"])
    } else {
        once(name, &format!("{name}.static"), &["-static"])
    }
}

/// The executable of `programs/c/NAME.c`, linked with the C library of another release's root directory: programs
/// that are linked with a newer one ask for what an older one lacks.
pub(crate) fn program_of_release(root: &Path, name: &str) -> PathBuf {
    let release = root.file_name().expect("a release has a name").to_string_lossy();
    let libraries = ["libc.so.6", "libpthread.so.0"].map(|file| root.join("lib/x86_64-linux-gnu").join(file));
    let [libc, libpthread] = libraries.each_ref().map(|path| path.to_str().expect("cargo's paths are UTF-8"));
    let flags = ["-nodefaultlibs", "-Wl,--allow-shlib-undefined", "-Wl,--no-as-needed", libpthread, libc];
    once(name, &format!("{name}.{release}"), &flags)
}

/// The executable of `programs/c/NAME.c` on musl, the other C library.
pub(crate) fn musl_program(name: &str, is_static: bool) -> PathBuf {
    let (output, flags): (_, &[&str]) =
        if is_static { (format!("{name}.musl-static"), &["-static"]) } else { (format!("{name}.musl"), &[]) };
    once_by("musl-gcc", name, &output, flags)
}

/// The shared library of `programs/c/NAME.c`.
pub(crate) fn library(name: &str) -> PathBuf {
    once(name, &format!("{name}.so"), &["-shared", "-fPIC"])
}

fn once(name: &str, output: &str, flags: &[&str]) -> PathBuf {
    once_by("cc", name, output, flags)
}

fn once_by(compiler: &str, name: &str, output: &str, flags: &[&str]) -> PathBuf {
    static DONE: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let done = done.get_or_insert_with(HashMap::new);
    done.entry(output.to_owned()).or_insert_with(|| compile(compiler, name, output, flags)).clone()
}

/// Under another name first: another run may be executing the old file.
fn compile(compiler: &str, name: &str, output: &str, flags: &[&str]) -> PathBuf {
    let path = directory().join(output);
    let unfinished = directory().join(format!("{output}.{}", process::id()));
    let compiled = Command::new(compiler)
        .args(FLAGS)
        .arg(source::path(&format!("c/{name}.c")))
        .args(flags)
        .arg("-o")
        .arg(&unfinished)
        .output()
        .unwrap_or_else(|error| {
            panic!("{compiler}: {error} (Debian: apt install gcc libc6-dev musl-tools)");
        });
    assert!(compiled.status.success(), "{compiler} {name}.c: {}", String::from_utf8_lossy(&compiled.stderr));
    fs::rename(&unfinished, &path).expect("a file can be renamed in its directory");
    path
}
