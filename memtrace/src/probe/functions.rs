//! Which functions are probed, and the shape of each call.
//!
//! In: nothing. Out: two lists, and how many argument registers a shape uses. Invariant: where two names turn out to
//! share an address, the one listed first decides the shape.

use memtrace_common::Call;

/// A function worth a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    /// Its symbol, without a version.
    pub name: &'static str,
    /// What its arguments and result mean.
    pub call: Call,
}

const fn function(name: &'static str, call: Call) -> Function {
    Function { name, call }
}

/// The C library's allocator, or whatever library defines the same names in its place.
pub const LIBC: [Function; 11] = [
    function("malloc", Call::Malloc),
    function("free", Call::Free),
    function("calloc", Call::Calloc),
    function("realloc", Call::Realloc),
    function("reallocarray", Call::Reallocarray),
    function("posix_memalign", Call::PosixMemalign),
    function("aligned_alloc", Call::AlignedAlloc),
    function("memalign", Call::AlignedAlloc),
    function("valloc", Call::Malloc),
    function("pvalloc", Call::Malloc),
    // Gone from glibc 2.26, still exported by older ones and by some replacements.
    function("cfree", Call::Free),
];

/// CPython's object and memory domains; both are served by pymalloc (Objects/obmalloc.c).
pub const PYTHON: [Function; 8] = [
    function("PyObject_Malloc", Call::PythonMalloc),
    function("PyObject_Calloc", Call::PythonCalloc),
    function("PyObject_Realloc", Call::PythonRealloc),
    function("PyObject_Free", Call::PythonFree),
    function("PyMem_Malloc", Call::PythonMalloc),
    function("PyMem_Calloc", Call::PythonCalloc),
    function("PyMem_Realloc", Call::PythonRealloc),
    function("PyMem_Free", Call::PythonFree),
];

/// How many arguments a call takes. In the System V ABI they are in RDI, RSI and RDX, in that order.
#[must_use]
pub const fn argument_count(call: Call) -> usize {
    match call {
        Call::Malloc | Call::Free | Call::PythonMalloc | Call::PythonFree => 1,
        Call::Calloc | Call::Realloc | Call::AlignedAlloc | Call::PythonCalloc | Call::PythonRealloc => 2,
        Call::Reallocarray | Call::PosixMemalign => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_function_is_listed_twice() {
        let names: BTreeSet<_> = LIBC.iter().chain(&PYTHON).map(|function| function.name).collect();
        assert_eq!(names.len(), LIBC.len() + PYTHON.len());
    }

    #[test]
    fn every_shape_of_call_has_a_function() {
        for call in Call::ALL {
            assert!(LIBC.iter().chain(&PYTHON).any(|function| function.call == call), "{call:?}");
        }
    }
}
