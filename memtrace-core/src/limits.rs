//! Every limit of the daemon, each with its arithmetic. The kernel side's are in `memtrace_common::limits`.

/// Live blocks followed over all processes: 7/8 of 2^24. An entry takes 24 bytes and one of control. The tables hold
/// at most 7/8 of their places and double one of 64 shards at a time: ten million blocks take 400 MiB, 800 at worst.
pub const LIVE_BLOCKS: usize = 14_680_064;

/// Sites of one process. A site takes about 120 bytes and 32 for each frame: 65,536 with 30 frames take 70 MiB.
pub const SITES: usize = 65_536;

/// Kernel stack ids remembered of one process, in two generations of half as many. Each takes 40 bytes, and its
/// frames are shared with its site: 131,072 take 10 MiB. A generation is as large as what the kernel side remembers
/// (`memtrace_common::limits::SEEN_STACKS`), so that an id is not forgotten here while the kernel thinks it known.
pub const STACKS: usize = 131_072;

/// Reallocs in progress in one process: a thread has at most one in each domain. The kernel side follows
/// `memtrace_common::limits::THREADS` threads. An entry takes 40 bytes: 65,536 take 3 MiB.
pub const REALLOCS: usize = 65_536;

/// Processes followed at once, exited ones that wait for their last report included.
pub const PROCESSES: usize = 16_384;

/// Code objects remembered of one Python process. One takes about 150 bytes and its strings.
pub const CODE_OBJECTS: usize = 65_536;

/// Bytes read of a Python string (names and file names). CPython has no limit; paths have one of 4,096.
pub const PYTHON_STRING_BYTES: usize = 4_096;

/// Bytes read of a line table. CPython's largest in the standard library is under 64 KiB.
pub const LINE_TABLE_BYTES: usize = 1 << 20;

/// Values of the label `comm`; further ones are counted under `other`. At 12 series each: 2,400 series.
pub const COMM_LABELS: usize = 200;

/// Python functions (name and file) kept over all processes. Each takes about 100 bytes and its strings.
pub const FUNCTION_NAMES: usize = 1 << 20;

/// Samples followed of one process in windows. With what finds it again (by number, by address, by its next check) a
/// sample takes about 250 bytes: 65,536 take 16 MiB.
pub const SAMPLES: usize = 65_536;

/// Samples followed over all processes, which share them evenly: 262,144 take 64 MiB.
pub const SAMPLES_ALL: usize = 262_144;

/// Blocks of the exact ledger that a process takes along into windows: half of what it may follow.
pub const SAMPLES_ADOPTED: usize = SAMPLES / 2;

/// Samples of one window; one with more is void. One takes 48 bytes: 768 KiB, for as long as the window is open.
pub const WINDOW_SAMPLES: usize = 16_384;

/// Samples that have died and are kept for growth, for about a minute. One takes 112 bytes: 65,536 take 7 MiB.
pub const SAMPLES_ENDED: usize = 65_536;

/// Fates kept for survival, of one process in two generations of half as many. One takes about 70 bytes with its place
/// in a tree, 5 MiB in all; where each is of a site of its own, with a tree of its own, 600 bytes: 40 MiB.
pub const FATES: usize = 65_536;
