//! A compiler that has `core`'s source, and a bpf-linker that reads that compiler's bitcode.
//!
//! In: what the machine has. Out: a [`Toolchain`], installed if need be, in one of two ways: rustup's 1.95 with its
//! `rust-src`, or Debian's own compiler packages. Refuses nothing silently: each step is announced, and when neither
//! way works both reasons are given, with the commands.
//!
//! Invariant: bpf-linker's LLVM is never older than rustc's. An older one misreads bitcode and can lose BTF without a
//! word, so versions are pinned together.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::packages;
use crate::workspace::Workspace;

/// The compiler of rustup's way, and the linker that uses the LLVM library (22.1) which comes with that compiler.
const RUSTUP_RELEASE: &str = "1.95.0";
const RUSTUP_LINKER: Linker = Linker { version: "0.10.4", llvm_feature: "rust-llvm-22" };

/// Debian's compiler is linked against Debian's LLVM 22, and so is its linker.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "llvm-22-dev"];
const DEBIAN_LINKER: Linker = Linker { version: "0.13.0", llvm_feature: "llvm-22" };
const DEBIAN_LLVM: &str = "/usr/lib/llvm-22";

struct Linker {
    version: &'static str,
    llvm_feature: &'static str,
}

/// Tools that build BPF objects.
pub(super) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    linker: PathBuf,
    /// `RUSTUP_TOOLCHAIN`, where rustup is to choose.
    rustup_toolchain: Option<String>,
    /// Where the compiler's libraries and `core`'s source are.
    pub(super) sysroot: PathBuf,
    /// The versions of compiler and linker, for the stamp.
    pub(super) versions: Vec<String>,
}

impl Toolchain {
    /// A call of this toolchain's cargo.
    pub(super) fn cargo(&self) -> Command {
        let mut cargo = Command::new(&self.cargo);
        if let Some(name) = &self.rustup_toolchain {
            cargo.env("RUSTUP_TOOLCHAIN", name);
        } else {
            cargo.env("RUSTC", &self.rustc);
        }
        cargo.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &self.linker);
        // rustup's bpf-linker loads the compiler's own libLLVM from there.
        cargo.env("LD_LIBRARY_PATH", self.sysroot.join("lib"));
        cargo
    }
}

/// Finds or installs a toolchain.
pub(super) fn prepare(workspace: &Workspace) -> Result<Toolchain> {
    let has_rustup = command::find_program("rustup").is_some();
    let has_apt = command::find_program("apt-get").is_some();
    match (has_rustup, has_apt) {
        (true, false) => with_rustup(workspace),
        (true, true) => with_rustup(workspace).or_else(|first| {
            command::announce(&format!("rustup's way does not work here: {first:#}"));
            command::announce("trying Debian's compiler packages instead");
            with_debian(workspace).with_context(|| format!("rustup's way failed as well ({first:#})"))
        }),
        (false, true) => with_debian(workspace),
        (false, false) => bail!(
            "building BPF objects needs rustup (https://rustup.rs) or, on Debian, `apt-get install {}`",
            DEBIAN_PACKAGES.join(" ")
        ),
    }
}

fn with_rustup(workspace: &Workspace) -> Result<Toolchain> {
    let active = command::capture(Command::new("rustc").arg("--version"))?;
    let name = if active.starts_with(&format!("rustc {RUSTUP_RELEASE} ")) {
        active_toolchain()?
    } else {
        command::announce(&format!("the active compiler is {}, {RUSTUP_RELEASE} is wanted", active.trim()));
        let mut install = Command::new("rustup");
        install.args(["toolchain", "install", RUSTUP_RELEASE, "--profile", "minimal"]);
        command::run(&format!("installing Rust {RUSTUP_RELEASE} beside it"), &mut install)?;
        RUSTUP_RELEASE.to_owned()
    };
    let rustc = || {
        let mut rustc = Command::new("rustc");
        rustc.env("RUSTUP_TOOLCHAIN", &name);
        rustc
    };
    let sysroot = PathBuf::from(command::capture(rustc().args(["--print", "sysroot"]))?.trim());
    if !has_source_of_core(&sysroot) {
        let mut add = Command::new("rustup");
        add.args(["component", "add", "rust-src", "--toolchain", &name]);
        command::run("adding the source of `core`, which has no prebuilt form for BPF", &mut add)?;
    }
    let mut cargo = Command::new("cargo");
    cargo.env("RUSTUP_TOOLCHAIN", &name);
    let linker = linker(workspace, &RUSTUP_LINKER, &mut cargo)?;
    let versions = vec![version_of(&mut rustc())?, linker_name(&RUSTUP_LINKER)];
    Ok(Toolchain {
        cargo: "cargo".into(),
        rustc: "rustc".into(),
        linker,
        rustup_toolchain: Some(name),
        sysroot,
        versions,
    })
}

fn with_debian(workspace: &Workspace) -> Result<Toolchain> {
    let rustc = Path::new("/usr/bin/rustc");
    let present =
        || rustc.exists() && has_source_of_core(Path::new("/usr")) && Path::new(DEBIAN_LLVM).exists();
    if !(present() && Path::new("/usr/bin/cargo").exists()) {
        packages::install(&DEBIAN_PACKAGES)?;
    }
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.env("RUSTC", rustc).env("LLVM_PREFIX", DEBIAN_LLVM);
    let linker = linker(workspace, &DEBIAN_LINKER, &mut cargo)?;
    let versions = vec![version_of(&mut Command::new(rustc))?, linker_name(&DEBIAN_LINKER)];
    Ok(Toolchain {
        cargo: "/usr/bin/cargo".into(),
        rustc: rustc.to_owned(),
        linker,
        rustup_toolchain: None,
        sysroot: "/usr".into(),
        versions,
    })
}

/// The wanted bpf-linker: one on PATH if its version is right, else built into the target directory.
fn linker(workspace: &Workspace, wanted: &Linker, cargo: &mut Command) -> Result<PathBuf> {
    let root = workspace.tools().join(format!("bpf-linker-{}-{}", wanted.version, wanted.llvm_feature));
    let own = root.join("bin").join("bpf-linker");
    if own.exists() {
        return Ok(own);
    }
    if let Some(found) = command::find_program("bpf-linker")
        && version_of(&mut Command::new(&found)).is_ok_and(|version| version == linker_name(wanted))
    {
        return Ok(found);
    }
    fs::create_dir_all(&root)?;
    cargo.args(["install", "bpf-linker", "--version", wanted.version, "--locked", "--no-default-features"]);
    cargo.args(["--features", wanted.llvm_feature, "--root"]).arg(&root);
    cargo.arg("--target-dir").arg(workspace.target().join("bpf-linker-build"));
    cargo.env_remove("CARGO_TARGET_DIR");
    command::run("building bpf-linker (about a minute, once)", cargo)?;
    Ok(own)
}

/// The name that rustup has for the compiler that would run now.
fn active_toolchain() -> Result<String> {
    if let Ok(name) = env::var("RUSTUP_TOOLCHAIN") {
        return Ok(name);
    }
    let line = command::capture(Command::new("rustup").args(["show", "active-toolchain"]))?;
    Ok(line.split_whitespace().next().context("`rustup show active-toolchain` names none")?.to_owned())
}

fn has_source_of_core(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").exists()
}

fn linker_name(linker: &Linker) -> String {
    format!("bpf-linker {}", linker.version)
}

/// The first line that a program prints on `--version`.
fn version_of(program: &mut Command) -> Result<String> {
    let text = command::capture(program.arg("--version"))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
