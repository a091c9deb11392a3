//! The tools that are compared, memtrace among them: how each is found, started and stopped. Data only.
//!
//! Words may hold `{pid}`, `{budget}`, `{scratch}` (a directory of the run's own), `{libc}` and `{python}` (the files in
//! the target that have malloc, and PyObject_Malloc).

/// Something that looks at a target's memory.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) targets: Targets,
    pub(super) program: Program,
    pub(super) way: Way,
}

/// What it can look at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Targets {
    All,
    Compiled,
    Python,
}

/// Where its program is sought.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// There is none: the control, and what is part of Python.
    None,
    Memtrace,
    OnPath(&'static str),
    /// On PATH, or where `bench tools` has put it.
    Memleak,
    /// A module of the interpreter's environment, run by it.
    Module(&'static str),
}

/// How it gets to its target.
pub(super) enum Way {
    /// To a running process, from outside. Both halves of a pair are then stretches of one process, which takes out
    /// how two processes differ by chance (addresses, hash seeds).
    Attached { words: &'static [&'static str], ready: Ready },
    /// It is there from the target's start: the halves are two processes.
    Around { words: &'static [&'static str], environment: &'static [(&'static str, &'static str)] },
}

/// What shows that it has come to its target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// Nothing was attached.
    Now,
    /// A JSON report with a process that has probes.
    Report,
    /// Code of the target has been written to.
    Breakpoints,
}

const FETCHED: &str = "cargo xtask bench tools";

pub(super) const TOOLS: [Tool; 14] = [
    attached("none", Targets::All, Program::None, &[], Ready::Now),
    around("none-anew", Targets::All, Program::None, &[], &[]),
    memtrace("memtrace", Targets::All, &["-i", "1s", "-p", "{pid}", "--max-overhead={budget}"]),
    memtrace("memtrace-exact", Targets::All, &["-i", "1s", "-p", "{pid}", "--exact"]),
    memtrace(
        "memtrace-exact-single",
        Targets::All,
        &["-i", "1s", "-p", "{pid}", "--exact", "--attach=single"],
    ),
    memtrace(
        "memtrace-exact-objects",
        Targets::Python,
        &["-i", "1s", "-p", "{pid}", "--exact", "--python-objects"],
    ),
    // It reports once an hour, that is never: only its probes are measured.
    attached("memleak-libbpf", Targets::All, Program::Memleak, &["-p", "{pid}", "3600"], Ready::Breakpoints),
    bpftrace(Targets::Compiled, &["-p", "{pid}", "-e", COUNT_LIBC]),
    bpftrace(Targets::Python, &["-p", "{pid}", "-e", COUNT_PYTHON]),
    around("heaptrack", Targets::All, Program::OnPath("heaptrack"), &["-o", "{scratch}/heaptrack"], &[]),
    memray("memray", &["run", "--quiet", "--force", "-o", "{scratch}/memray.bin"]),
    memray(
        "memray-objects",
        &["run", "--quiet", "--force", "--trace-python-allocators", "-o", "{scratch}/memray.bin"],
    ),
    around("tracemalloc-1", Targets::Python, Program::None, &[], &[("PYTHONTRACEMALLOC", "1")]),
    around("tracemalloc-10", Targets::Python, Program::None, &[], &[("PYTHONTRACEMALLOC", "10")]),
];

const COUNT_LIBC: &str = "uprobe:{libc}:malloc,uprobe:{libc}:free { @[probe, ustack] = count(); }";
const COUNT_PYTHON: &str = "uprobe:{libc}:malloc,uprobe:{libc}:free,\
                            uprobe:{python}:PyObject_Malloc,uprobe:{python}:PyObject_Free \
                            { @[probe, ustack] = count(); }";

impl Tool {
    /// What brings it, where it is missing.
    pub(super) fn install(&self) -> &'static str {
        match self.program {
            Program::None => "nothing: it needs no program",
            Program::Memtrace => "cargo build --release --package memtrace",
            Program::OnPath(_) | Program::Memleak | Program::Module(_) => FETCHED,
        }
    }

    /// Whether pairs are added until the mean is known well: what claims to cost next to nothing, and the controls.
    pub(super) fn is_precise(&self) -> bool {
        self.name.starts_with("none") || self.name == "memtrace"
    }

    /// Whether the budget that is asked for makes a difference to it.
    pub(super) fn has_budget(&self) -> bool {
        matches!(self.way, Way::Attached { words, .. } if words.iter().any(|word| word.contains("{budget}")))
    }
}

const fn attached(
    name: &'static str,
    targets: Targets,
    program: Program,
    words: &'static [&'static str],
    ready: Ready,
) -> Tool {
    Tool { name, targets, program, way: Way::Attached { words, ready } }
}

const fn around(
    name: &'static str,
    targets: Targets,
    program: Program,
    words: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
) -> Tool {
    Tool { name, targets, program, way: Way::Around { words, environment } }
}

const fn memtrace(name: &'static str, targets: Targets, words: &'static [&'static str]) -> Tool {
    attached(name, targets, Program::Memtrace, words, Ready::Report)
}

const fn bpftrace(targets: Targets, words: &'static [&'static str]) -> Tool {
    attached("bpftrace", targets, Program::OnPath("bpftrace"), words, Ready::Breakpoints)
}

const fn memray(name: &'static str, words: &'static [&'static str]) -> Tool {
    around(name, Targets::Python, Program::Module("memray"), words, &[])
}
