//! Every limit that both sides keep, each with its arithmetic. The daemon's own are in `memtrace_core::limits`.

/// Interpreter frames walked of one stack, innermost first. A deeper stack is cut and counted as `truncated`. From
/// 3.12 on every call from C into Python adds a frame of the interpreter's own, which is dropped later: 192 leave
/// 128 Python frames with a C call at every second.
pub const PYTHON_FRAMES: usize = 192;

/// Native frames kept of one stack. 128 return addresses are what `perf_event_max_stack` (127) made customary.
pub const NATIVE_FRAMES: usize = 128;

/// Python frames and native frames that a short stack record holds: most stacks fit, in a quarter of the room.
pub const SHORT_PYTHON_FRAMES: usize = 48;
/// As above.
pub const SHORT_NATIVE_FRAMES: usize = 32;

/// Processes traced at the same time. A map entry is 16 bytes and about 60 of overhead: 16,384 take 1.2 MiB.
pub const TARGETS: u32 = 16_384;

/// Threads with an allocator call in progress, or that ever made one and still live. An entry is about 180 bytes
/// with the kernel's overhead: 32,768 take 6 MiB, locked at start.
pub const THREADS: u32 = 32_768;

/// Stacks that the kernel side remembers having sent. The least recently used goes first and is sent again when it
/// comes back. 65,536 take about 6 MiB.
pub const SEEN_STACKS: u32 = 65_536;

/// Callers of allocators that the kernel side counts the samples of, in windows. One that is forgotten early is sampled
/// at its full chance again, which costs time and no correctness. 16,384 take 1.5 MiB.
pub const CALLERS: u32 = 16_384;

/// The largest request that pymalloc serves from its pools (`SMALL_REQUEST_THRESHOLD`, Objects/obmalloc.c).
pub const PYMALLOC_MAX_BYTES: u64 = 512;

/// How far below an allocator call's stack pointer a nested allocator call can be. glibc's deepest path
/// (`ptmalloc_init` through the malloc hook, 2.31) takes under 1 KiB; a call further down is a new one, made after
/// the outer one was abandoned by `longjmp`.
pub const NESTED_STACK_BYTES: u64 = 16 * 1024;

/// How far from an allocator function the caller of a nested call can be. The functions of an allocator are linked
/// side by side: glibc's malloc.o is 20 KiB of code, musl's malloc directory less.
pub const NESTED_CALLER_BYTES: u64 = 256 * 1024;

/// Distance between two frame pointers above which the chain is taken to be broken. The main thread's stack is
/// 8 MiB by default, and no frame is larger than a stack.
pub const FRAME_BYTES_MAX: u64 = 8 * 1024 * 1024;
