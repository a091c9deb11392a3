//! A program of known truth: started under a name of its own, commanded line by line, gone with its test.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

use super::poll::{self, PATIENCE};
use super::{comm, compile, releases, source};

/// A running program. It is killed, by its own handle, when dropped.
pub(crate) struct Target {
    child: Child,
    pid: u32,
    stdin: ChildStdin,
    answers: Receiver<String>,
    executable: PathBuf,
    home: TempDir,
    comm: String,
}

impl Target {
    /// `programs/c/NAME.c` with these arguments.
    pub(crate) fn c(name: &str, arguments: &[&str]) -> Self {
        Self::c_as(comm::unique(name), name, arguments)
    }

    /// The same under a comm that is known beforehand.
    pub(crate) fn c_as(comm: String, name: &str, arguments: &[&str]) -> Self {
        Self::start(&compile::program(name), comm, |command| command.args(arguments))
    }

    /// The same, its environment changed.
    pub(crate) fn c_with(name: &str, arguments: &[&str], variables: &[(&str, &OsStr)]) -> Self {
        Self::start(&compile::program(name), comm::unique(name), |command| {
            command.args(arguments).envs(variables.iter().copied())
        })
    }

    /// A program of `programs/c` that was built or is started in a way of its own.
    pub(crate) fn executable(executable: &Path, arguments: &[&OsStr]) -> Self {
        Self::start(executable, comm::unique("odd"), |command| command.args(arguments))
    }

    /// A program of `programs/c` in the root directory of another release.
    pub(crate) fn c_in_root(root: &Path, name: &str, arguments: &[&str]) -> Self {
        let comm = comm::unique(name);
        let home = tempfile::tempdir_in(root.join("run")).expect("the release's directory is writable");
        let executable = home.path().join(&comm);
        fs::copy(compile::program_of_release(root, name), &executable).expect("there is room for a copy");
        let mut command = releases::command(&executable);
        command.args(arguments);
        Self::spawn(command, executable, home, comm).expect_ready()
    }

    /// A program that `command` runs in a container; `comm` is its file's name there.
    pub(crate) fn contained(comm: String, command: Command) -> Self {
        let home = tempfile::tempdir_in(compile::directory()).expect("cargo's directory is writable");
        let mut program = Self::spawn(command, PathBuf::new(), home, comm);
        let pid = program.answer()["contained"].as_u64().expect("the container says its process");
        program.pid = u32::try_from(pid).expect("a process id");
        program.expect_ready()
    }

    /// `programs/python/NAME.py` under this interpreter.
    pub(crate) fn python(interpreter: &Path, name: &str) -> Self {
        let file = format!("{name}.py");
        let script = match releases::split(interpreter) {
            Some((root, _)) => releases::python_programs(&root).join(file),
            None => source::path("python").join(file),
        };
        Self::start(interpreter, comm::unique(name), |command| {
            command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script)
        })
    }

    /// The kernel takes a process' comm from the name that it was executed by: a link is enough for a new one.
    fn start(
        executable: &Path,
        comm: String,
        prepare: impl for<'a> FnOnce(&'a mut Command) -> &'a mut Command,
    ) -> Self {
        let (directory, target) = match releases::split(executable) {
            Some((root, inside)) => (root.join("run"), inside),
            None => (compile::directory(), executable.to_owned()),
        };
        let home = tempfile::tempdir_in(directory).expect("cargo's directory is writable");
        let link = home.path().join(&comm);
        symlink(target, &link).expect("a new directory takes a link");
        let mut command = releases::command(&link);
        prepare(&mut command);
        Self::spawn(command, executable.to_owned(), home, comm).expect_ready()
    }

    fn spawn(mut command: Command, executable: PathBuf, home: TempDir, comm: String) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdin = child.stdin.take().expect("stdin is a pipe");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { pid: child.id(), child, stdin, answers, executable, home, comm }
    }

    fn expect_ready(self) -> Self {
        let ready = self.answer();
        assert_eq!(ready["ready"], own_pid(self.pid), "the program is the process that was started");
        self
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn comm(&self) -> &str {
        &self.comm
    }

    /// N rounds of work; returns when they are done.
    pub(crate) fn go(&mut self, rounds: u64) {
        let done = self.tell(&format!("go {rounds}"));
        assert_eq!(done["done"], rounds);
    }

    /// What the program says is true.
    pub(crate) fn books<T: DeserializeOwned>(&mut self) -> T {
        let books = self.tell("books");
        serde_json::from_value(books.clone()).unwrap_or_else(|error| panic!("{error} in the books {books}"))
    }

    /// Takes a new comm by prctl or `/proc/self/comm`.
    pub(crate) fn take_comm(&mut self, comm: &str) {
        self.tell(&format!("comm {comm}"));
        comm.clone_into(&mut self.comm);
    }

    /// Executes itself anew under a new comm (C programs only). Its books begin anew as well.
    pub(crate) fn exec_as(&mut self, comm: &str) {
        let link = self.home.path().join(comm);
        if !link.exists() {
            symlink(&self.executable, &link).expect("the directory takes a link");
        }
        let ready = self.tell(&format!("exec {}", link.display()));
        assert_eq!(ready["ready"], self.pid(), "exec keeps the process id");
        comm.clone_into(&mut self.comm);
    }

    /// A command that only some programs know, and its answer.
    pub(crate) fn ask(&mut self, command: &str) -> Value {
        self.tell(command)
    }

    /// Lets it exit, and says how it ended.
    pub(crate) fn quit(&mut self) -> ExitStatus {
        self.stdin.write_all(b"quit\n").expect("the program still reads");
        let ended = || self.child.try_wait().expect("it is our child");
        poll::wait_until("the program has quit", ended, String::new)
    }

    /// True as long as it has not ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    fn tell(&mut self, command: &str) -> Value {
        self.stdin
            .write_all(format!("{command}\n").as_bytes())
            .unwrap_or_else(|error| panic!("`{command}`: the program {} is gone: {error}", self.comm));
        self.answer()
    }

    fn answer(&self) -> Value {
        let line = self
            .answers
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("the program {} does not answer: {error}", self.comm));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in the answer {line:?}"))
    }
}

/// The number by which a process knows itself, in its own pid namespace.
fn own_pid(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).expect("status has NSpid");
    numbers.split_whitespace().last().and_then(|number| number.parse().ok()).expect("numbers")
}

impl Drop for Target {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for already.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
