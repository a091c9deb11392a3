//! Which frames are not worth a reader's time: the one place that decides.
//!
//! Allocator entry points above libc's (`operator new`, CPython's object allocator) say nothing about who wanted the
//! memory. The interpreter's frames are left out before, where its Python frames stand for them.

/// Functions of C libraries and Rust's runtime that only pass an allocation on.
const FUNCTIONS: [&str; 14] = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "valloc",
    "pvalloc",
    "__libc_malloc",
    "__libc_calloc",
    "__libc_realloc",
    "__rust_alloc",
    "__rust_realloc",
];

/// C++'s, in all their forms.
const CPP_PREFIXES: [&str; 4] =
    ["operator new", "__gnu_cxx::new_allocator", "std::__new_allocator", "std::allocator"];

/// CPython's object allocators, with the words that tell them from what else begins so.
const PYTHON_PREFIXES: [&str; 4] = ["PyObject_", "PyMem_", "_PyObject_", "_PyMem_"];
const PYTHON_WORDS: [&str; 3] = ["Malloc", "Calloc", "Realloc"];

/// True for a native function that is part of an allocator.
#[must_use]
pub fn is_allocator(function: &str) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| function.starts_with(prefix));
    FUNCTIONS.contains(&function)
        || starts(&CPP_PREFIXES)
        || (starts(&PYTHON_PREFIXES) && PYTHON_WORDS.iter().any(|word| function.ends_with(word)))
}

#[cfg(test)]
mod tests {
    use super::is_allocator;

    #[test]
    fn allocators_are_hidden_and_their_users_are_not() {
        for hidden in
            ["operator new(unsigned long)", "__libc_malloc", "_PyObject_Malloc", "PyMem_Realloc", "malloc"]
        {
            assert!(is_allocator(hidden), "{hidden}");
        }
        for shown in
            ["__libc_start_main", "PyObject_Call", "PyMem_SetAllocator", "strdup", "main", "my_malloc_user"]
        {
            assert!(!is_allocator(shown), "{shown}");
        }
    }
}
