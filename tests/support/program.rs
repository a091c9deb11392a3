//! A Python program of known truth, run by one of the interpreters.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};

use memtrace_core::attribute::python::{PythonRuntime, inspect};

use super::interpreters::Interpreter;
use super::memory::{ProcessMemory, RuntimeFinder};

/// A Python program that ends with the test.
pub(crate) struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Program {
    pub(crate) fn start(interpreter: &Interpreter, source: &str) -> Self {
        let mut child = interpreter
            .command()
            .args(["-I", "-c", source])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        let output = child.stdout.take().expect("its output is a pipe");
        Self { child, output: BufReader::new(output) }
    }

    /// The next line that the program prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// Lets the program go on.
    pub(crate) fn proceed(&mut self) {
        self.child.stdin.as_mut().expect("its input is a pipe").write_all(b"\n").unwrap();
    }

    /// Its process id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its memory and its interpreter, once it has printed something.
    pub(crate) fn inspect(&self) -> (ProcessMemory, PythonRuntime) {
        let memory = ProcessMemory::open(self.process());
        let mapped = RuntimeFinder::default().find(self.process()).expect("the runtime is mapped");
        let runtime = inspect(&memory, mapped.address, mapped.version(&memory)).unwrap();
        (memory, runtime)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }
}
