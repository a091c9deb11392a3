//! The load programs: built once, started, and told what to do.
//!
//! They speak the protocol of `tests/programs`: one command a line on stdin, one JSON object a line on stdout.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command::{self, capture};
use crate::workspace::Workspace;

/// Where the load programs are.
pub(super) struct Loads {
    built: PathBuf,
    sources: PathBuf,
    test_programs: PathBuf,
}

impl Loads {
    /// Compiles them with frame pointers, so that a stack walker finds every frame.
    pub(super) fn build(workspace: &Workspace) -> Result<Self> {
        let built = workspace.target().join("bench-programs");
        fs::create_dir_all(&built)?;
        let loads = Self {
            built,
            sources: workspace.root().join("xtask").join("bench"),
            test_programs: workspace.root().join("tests").join("programs"),
        };
        command::announce("building the load programs");
        for name in ["rate", "pairs", "live", "storm"] {
            let mut compiler = Command::new("gcc");
            compiler.args([
                "-O2",
                "-g",
                "-fno-omit-frame-pointer",
                "-fno-optimize-sibling-calls",
                "-pthread",
            ]);
            compiler.arg("-I").arg(loads.test_programs.join("c"));
            compiler.arg(loads.sources.join(format!("{name}.c"))).arg("-o").arg(loads.program(name));
            capture(&mut compiler)?;
        }
        Ok(loads)
    }

    /// A compiled program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.built.join(name)
    }

    /// Another name for a program, by which it can be followed among others that run it.
    pub(super) fn alias(&self, program: &Path, name: &str) -> Result<PathBuf> {
        let alias = self.built.join(name);
        if alias.symlink_metadata().is_ok() {
            fs::remove_file(&alias)?;
        }
        std::os::unix::fs::symlink(program, &alias)?;
        Ok(alias)
    }

    /// Starts a compiled program.
    pub(super) fn start(&self, name: &str, arguments: &[String]) -> Result<Load> {
        let mut command = Command::new(self.program(name));
        command.args(arguments);
        Load::start(command)
    }

    /// Starts a Python script of this directory or of the tests, under a name that nobody else follows.
    pub(super) fn start_python(&self, script: &str, arguments: &[String]) -> Result<Load> {
        let of_tests = self.test_programs.join("python");
        let own = self.sources.join(script);
        let script = if own.exists() { own } else { of_tests.join(script) };
        let mut command = Command::new(self.alias(&super::python()?, "mtb-python")?);
        command.arg(script).args(arguments).env("PYTHONPATH", AsRef::<OsStr>::as_ref(&of_tests));
        Load::start(command)
    }
}

/// A running load program. Killed, by its own handle, when dropped.
pub(super) struct Load {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Load {
    fn start(mut command: Command) -> Result<Self> {
        let line = command::shell_line(&command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{line}`"))?;
        let input = child.stdin.take().context("invariant: stdin is a pipe")?;
        let output = BufReader::new(child.stdout.take().context("invariant: stdout is a pipe")?);
        let mut load = Self { child, input, output };
        load.answer().with_context(|| format!("`{line}` does not start"))?;
        Ok(load)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command and waits for its answer.
    pub(super) fn ask(&mut self, question: &str) -> Result<Value> {
        writeln!(self.input, "{question}")?;
        self.input.flush()?;
        self.answer()
    }

    /// Has the work done `count` times; what it cost is the process' CPU time, nanoseconds.
    pub(super) fn cpu_ns_of(&mut self, count: u64) -> Result<f64> {
        let before = super::resources::cpu_ns(self.pid())?;
        self.ask(&format!("go {count}"))?;
        Ok((super::resources::cpu_ns(self.pid())? - before) as f64)
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("a load program answered {line:?}"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
