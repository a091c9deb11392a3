//! The shapes of allocator calls. Functions that take the same arguments share a shape, and so a BPF program.

/// Whose bytes a block is: accounted once, at one of two disjoint levels.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Domain {
    /// The C library's heap.
    Libc = 1,
    /// CPython's small-object allocator, for requests that it serves from its own pools.
    Pymalloc = 2,
}

impl Domain {
    /// The domain with this number, if there is one.
    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Libc),
            2 => Some(Self::Pymalloc),
            _ => None,
        }
    }

    /// The name that JSON, metrics and the table use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Libc => "libc",
            Self::Pymalloc => "pymalloc",
        }
    }
}

/// The shape of a call: which argument is a size, which a pointer, where the result is.
///
/// The number travels as the attach cookie of the entry probe where the kernel has cookies, and is fixed by the
/// program elsewhere.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Call {
    /// `malloc(size)`, `valloc(size)`, `pvalloc(size)`.
    Malloc = 1,
    /// `calloc(count, size)`.
    Calloc = 2,
    /// `realloc(pointer, size)`.
    Realloc = 3,
    /// `reallocarray(pointer, count, size)`.
    Reallocarray = 4,
    /// `free(pointer)`.
    Free = 5,
    /// `posix_memalign(out, alignment, size)`: the result is an error number, the pointer is stored at `out`.
    PosixMemalign = 6,
    /// `aligned_alloc(alignment, size)`, `memalign(alignment, size)`.
    AlignedAlloc = 7,
    /// `PyObject_Malloc(size)`, `PyMem_Malloc(size)`.
    PythonMalloc = 8,
    /// `PyObject_Calloc(count, size)`, `PyMem_Calloc(count, size)`.
    PythonCalloc = 9,
    /// `PyObject_Realloc(pointer, size)`, `PyMem_Realloc(pointer, size)`.
    PythonRealloc = 10,
    /// `PyObject_Free(pointer)`, `PyMem_Free(pointer)`.
    PythonFree = 11,
}

impl Call {
    /// Every shape, in the order of its number.
    pub const ALL: [Self; 11] = [
        Self::Malloc,
        Self::Calloc,
        Self::Realloc,
        Self::Reallocarray,
        Self::Free,
        Self::PosixMemalign,
        Self::AlignedAlloc,
        Self::PythonMalloc,
        Self::PythonCalloc,
        Self::PythonRealloc,
        Self::PythonFree,
    ];

    /// Which heap the call works on.
    #[must_use]
    pub const fn domain(self) -> Domain {
        match self {
            Self::PythonMalloc | Self::PythonCalloc | Self::PythonRealloc | Self::PythonFree => {
                Domain::Pymalloc
            }
            _ => Domain::Libc,
        }
    }

    /// True when the outcome is only known at return, so that a return probe is needed.
    #[must_use]
    pub const fn has_result(self) -> bool {
        !matches!(self, Self::Free | Self::PythonFree)
    }
}
