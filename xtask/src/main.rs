//! memtrace's own chores, one file each: `cargo xtask --help` lists them.
//!
//! Invariant: a chore says on stderr what it is about to do before it does it, and every failure names the command
//! to run by hand. Results (test counts, verdicts) go to stdout.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool's results and progress")]

mod bench;
mod bpf;
mod command;
mod debian;
mod licences;
mod lint;
mod packages;
mod releases;
mod run;
mod testing;
mod tidy;
mod vm;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::command::CannotRunHere;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "memtrace's own chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build memtrace and run it as root: `cargo xtask run -- --comm python`
    Run {
        /// memtrace's own arguments
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Build the BPF object from source into memtrace-ebpf/prebuilt, installing the toolchain it needs
    BuildEbpf {
        /// Change nothing: fail when the committed object is not what its sources build
        #[arg(long)]
        check: bool,
    },
    /// Install what the tests need, then run all of them; asks sudo for root where needed
    Test {
        /// Passed to the test programs, e.g. a part of a test's name
        #[arg(last = true)]
        test_arguments: Vec<String>,
    },
    /// Formatting, clippy, rustdoc, licences and the layering of the source
    Lint,
    /// The part of `lint` that needs no compiler: layers, file lengths, stubs
    Tidy,
    /// Fetch the C library and the Python of other Debian releases into the target directory, for the tests
    Releases,
    /// Boot Debian's kernels in qemu and run memtrace against programs of known truth in each
    Vm {
        /// Kernel versions out of 5.10, 6.1, 6.12 and 7; none means all of them
        versions: Vec<String>,
    },
    /// Measure what memtrace costs its targets and carries; takes minutes, wants a quiet machine and root
    Bench(bench::Plan),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = Workspace::locate().and_then(|workspace| match arguments.chore {
        Chore::Run { arguments } => run::run(&workspace, &arguments),
        Chore::BuildEbpf { check } => bpf::build(&workspace, check),
        Chore::Test { test_arguments } => testing::test(&workspace, &test_arguments),
        Chore::Lint => lint::lint(&workspace),
        Chore::Tidy => tidy::tidy(&workspace),
        Chore::Releases => releases::fetch(&workspace),
        Chore::Vm { versions } => vm::vm(&workspace, &versions),
        Chore::Bench(plan) => bench::bench(&workspace, &plan),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(if error.is::<CannotRunHere>() { 3 } else { 1 })
        }
    }
}
