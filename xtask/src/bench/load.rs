//! The load programs: built once, started, and told what to do.
//!
//! They speak the protocol of `tests/programs`: one command a line on stdin, one JSON object a line on stdout.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command::{self, capture};
use crate::workspace::Workspace;

/// Flags with which a stack walker finds every frame.
pub(super) const WALKABLE: &[&str] = &["-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"];

/// Where the load programs are.
pub(super) struct Loads {
    built: PathBuf,
    sources: PathBuf,
    test_programs: PathBuf,
}

impl Loads {
    /// Compiles those that several benchmarks use.
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
            loads.compile(&format!("{name}.c"), WALKABLE)?;
        }
        Ok(loads)
    }

    /// Compiles a source of this directory, or of one below it, and says where the program is.
    pub(super) fn compile(&self, source: &str, flags: &[&str]) -> Result<PathBuf> {
        let path = self.sources.join(source);
        let program = self.program(source.trim_end_matches(".cpp").trim_end_matches(".c"));
        let directory = program.parent().context("invariant: a program is in a directory")?;
        fs::create_dir_all(directory)?;
        let mut compiler = if source.ends_with(".cpp") {
            let mut compiler = Command::new("g++");
            compiler.arg("-std=c++17");
            compiler
        } else {
            Command::new("gcc")
        };
        compiler.args(["-O2", "-g", "-pthread"]).args(flags);
        compiler.arg("-I").arg(self.test_programs.join("c"));
        compiler.arg(path).arg("-o").arg(&program);
        capture(&mut compiler)?;
        Ok(program)
    }

    /// A script of this directory, or of one below it.
    pub(super) fn script(&self, name: &str) -> PathBuf {
        self.sources.join(name)
    }

    /// Where scripts find the protocol.
    pub(super) fn python_path(&self) -> PathBuf {
        self.test_programs.join("python")
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
    /// Starts any program that speaks the protocol.
    pub(super) fn start(mut command: Command) -> Result<Self> {
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
        self.tell(question)?;
        self.answer()
    }

    /// Sends a command.
    pub(super) fn tell(&mut self, command: &str) -> Result<()> {
        writeln!(self.input, "{command}")?;
        Ok(self.input.flush()?)
    }

    /// Has the work done `count` times; what it cost is the process' CPU time, nanoseconds.
    pub(super) fn cpu_ns_of(&mut self, count: u64) -> Result<f64> {
        let before = super::resources::cpu_ns(self.pid())?;
        self.ask(&format!("go {count}"))?;
        Ok((super::resources::cpu_ns(self.pid())? - before) as f64)
    }

    /// Ends it in its own time: what runs around it may have something to write.
    pub(super) fn quit(mut self) -> Result<()> {
        self.tell("quit")?;
        self.child.wait()?;
        Ok(())
    }

    /// The next line of JSON; what runs around a program may print lines of its own.
    pub(super) fn answer(&mut self) -> Result<Value> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                bail!("a load program has ended instead of answering");
            }
            if line.starts_with('{') {
                return serde_json::from_str(&line)
                    .with_context(|| format!("a load program answered {line:?}"));
            }
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
