//! Programs that say which of their blocks live: what memory alone shows of them is true.
//!
//! `MEMTRACE_LIVENESS_SECONDS` follows each program for so long, and prints every verdict by kind.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use memtrace_common::Domain;
use memtrace_core::liveness::{Allocators, Libc};

use crate::support::lives::{Account, Lives};
use crate::support::{compile, interpreters, releases, source};

const C_KINDS: [&str; 13] = [
    "object",
    "text",
    "zeros",
    "small numbers",
    "list node",
    "filling",
    "large",
    "mapped",
    "burst",
    "grown",
    "short text",
    "twin",
    "counter",
];
const C_CHANGING: [&str; 5] = ["zeros", "small numbers", "list node", "filling", "twin"];
const CPP_KINDS: [&str; 5] = ["map node", "string text", "hash node", "vector array", "shared object"];
const PYTHON_KINDS: [&str; 10] = [
    "str",
    "bytes",
    "int",
    "instance",
    "dict keys",
    "set",
    "list items",
    "bytearray",
    "its bytes",
    "short str",
];

fn time() -> Duration {
    let seconds = env::var("MEMTRACE_LIVENESS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

fn libc_of(root: &Path) -> Libc {
    let path = root.join("lib/x86_64-linux-gnu/libc.so.6");
    Libc::of_file("libc.so.6", &fs::read(path).expect("a release has a C library"))
}

fn follow(command: Command, libc: Libc, pool_bytes: u32, domain_of: fn(u64) -> Domain) -> Account {
    Lives::start(command, Allocators { libc, pool_bytes }, domain_of).follow(time())
}

/// Prints what was found, and asserts what must hold of any program: `changing` are the kinds that are written to
/// while they live, or hold nothing by which they could be recognized.
fn check(account: &Account, names: &[&str], changing: &[&str], what: &str) {
    println!("{what}\n{}", account.table(names));
    let sum = account.sum();
    let living: u32 = sum.living.values().sum();
    assert!(living > 50 && sum.ended > 50, "{what}: too little to judge by\n{}", account.table(names));
    // A death that is none ends the following of a block; one that is missed is found at a later look.
    assert!(sum.share_of_living("dead") < 0.001, "{what}: living blocks are called dead\n{sum}");
    let ended_alive = f64::from(sum.ended_alive) / f64::from(sum.ended);
    assert!(ended_alive < 0.01, "{what}: dead blocks are called alive\n{}", account.table(names));
    for (kind, tally) in &account.0 {
        let name = names[*kind as usize];
        let unknown = tally.share_of_living("unknown");
        assert!(changing.contains(&name) || unknown < 0.05, "{what}: {name} is not recognized\n{tally}");
    }
}

#[test]
fn c_blocks_are_told_alive_or_dead() {
    let command = Command::new(compile::program("lives"));
    let account = follow(command, libc_of(Path::new("/")), 16 << 10, |_| Domain::Libc);
    check(&account, &C_KINDS, &C_CHANGING, "C");
}

#[test]
fn c_blocks_of_other_releases_are_told_alive_or_dead() {
    for root in releases::roots() {
        let program = compile::program_of_release(&root, "lives");
        let inside = Path::new("/lives");
        fs::copy(program, root.join("lives")).unwrap();
        let mut command = Command::new("chroot");
        command.arg(&root).arg(inside);
        let libc = libc_of(&root);
        let account = follow(command, libc, 16 << 10, |_| Domain::Libc);
        check(&account, &C_KINDS, &C_CHANGING, &format!("C with {libc:?}"));
    }
}

#[test]
fn c_blocks_of_musl_are_told_alive_or_dead() {
    let command = Command::new(compile::musl_program("lives", false));
    let account = follow(command, Libc::Musl, 16 << 10, |_| Domain::Libc);
    check(&account, &C_KINDS, &C_CHANGING, "C with musl");
}

#[test]
fn cpp_blocks_are_told_alive_or_dead() {
    let Some(program) = compile_cpp() else {
        println!("not tested: C++ (Debian: apt install g++)");
        return;
    };
    let account = follow(Command::new(program), libc_of(Path::new("/")), 16 << 10, |_| Domain::Libc);
    check(&account, &CPP_KINDS, &["vector array"], "C++");
}

fn compile_cpp() -> Option<PathBuf> {
    let path = compile::directory().join("lives_cpp");
    let arguments = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-o"];
    let mut compiler = Command::new("g++");
    compiler.args(arguments).arg(&path).arg(source::path("c/lives_cpp.cc"));
    let compiled = compiler.output().ok()?;
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Some(path)
}

#[test]
fn python_blocks_are_told_alive_or_dead() {
    let found = interpreters::found();
    for version in interpreters::missing(&found) {
        println!("not tested: no CPython {version} on this machine");
    }
    for interpreter in found {
        let root = releases::split(&interpreter.path).map_or_else(|| PathBuf::from("/"), |(root, _)| root);
        let mut command = interpreter.command();
        let program = fs::read_to_string(source::path("python/lives.py")).unwrap();
        command.args(["-I", "-c", &program]);
        let pool_bytes = Allocators::pool_bytes_of(interpreter.version.minor);
        let domain_of = |size_bytes| if size_bytes <= 512 { Domain::Pymalloc } else { Domain::Libc };
        let account = follow(command, libc_of(&root), pool_bytes, domain_of);
        check(&account, &PYTHON_KINDS, &["its bytes"], &format!("{}", interpreter.path.display()));
    }
}
