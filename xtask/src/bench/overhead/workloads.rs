//! The targets: what each is, and how it is built and started. Data only.

use super::interpreters::Interpreter;

/// A target whose work comes in units, at a steady pace or as fast as it can.
pub(super) struct Workload {
    pub(super) name: &'static str,
    /// What one unit is.
    pub(super) unit: &'static str,
    pub(super) program: Program,
    pub(super) arguments: &'static [&'static str],
    /// Whether it says how long requests took.
    pub(super) has_latency: bool,
}

/// The source, a file of `xtask/bench/overhead`.
#[derive(Clone, Copy)]
pub(super) enum Program {
    Compiled(&'static str),
    Python(&'static str, Interpreter),
}

impl Workload {
    pub(super) fn is_python(&self) -> bool {
        matches!(self.program, Program::Python(..))
    }
}

pub(super) const WORKLOADS: [Workload; 11] = [
    compiled("malloc-loop", "malloc+free pair", "pairs.c", &["1"]),
    compiled("malloc-loop-8", "malloc+free pair", "pairs.c", &["8"]),
    compiled("churn", "step of maps and strings", "churn.cpp", &[]),
    python("json", "document parsed", "json_parsing.py", &[], Interpreter::Distribution),
    python("json-pyenv", "document parsed", "json_parsing.py", &[], Interpreter::Pyenv),
    python("deltablue", "call", "pyperformance_program.py", &["deltablue"], Interpreter::Pyenv),
    python("json_dumps", "call", "pyperformance_program.py", &["json_dumps"], Interpreter::Pyenv),
    python("async_tree", "call", "pyperformance_program.py", &["async_tree"], Interpreter::Pyenv),
    compiled("idle", "wake-up, 100 a second", "idle.c", &[]),
    compiled("switches", "round of two switches", "switches.c", &[]),
    Workload { has_latency: true, ..compiled("server", "request, 4,000 a second", "server.cpp", &["4000"]) },
];

const fn compiled(
    name: &'static str,
    unit: &'static str,
    source: &'static str,
    arguments: &'static [&'static str],
) -> Workload {
    Workload { name, unit, program: Program::Compiled(source), arguments, has_latency: false }
}

const fn python(
    name: &'static str,
    unit: &'static str,
    source: &'static str,
    arguments: &'static [&'static str],
    interpreter: Interpreter,
) -> Workload {
    Workload { name, unit, program: Program::Python(source, interpreter), arguments, has_latency: false }
}
