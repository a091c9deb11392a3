//! The programs of known truth, in `xtask/bench/truth`. Data only; what each does stands at its own top.

use super::super::overhead::Interpreter;

pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) program: Program,
}

#[derive(Clone, Copy)]
pub(super) enum Program {
    Compiled(&'static str),
    Python(&'static str, Interpreter),
}

pub(super) const WORKLOADS: [Workload; 10] = [
    compiled("leak-in-churn", "leak_in_churn.c"),
    compiled("cache-fills", "cache_fills.c"),
    compiled("two-leaks", "two_leaks.c"),
    compiled("sawtooth", "sawtooth.c"),
    compiled("large-blocks", "large_blocks.c"),
    compiled("tree-nodes", "tree_nodes.cpp"),
    compiled("growing-buffers", "growing_buffers.c"),
    compiled("thread-pool", "thread_pool.c"),
    Workload { name: "json-leak", program: Program::Python("json_leak.py", Interpreter::Distribution) },
    Workload { name: "objects-leak", program: Program::Python("objects_leak.py", Interpreter::Pyenv) },
];

const fn compiled(name: &'static str, source: &'static str) -> Workload {
    Workload { name, program: Program::Compiled(source) }
}
