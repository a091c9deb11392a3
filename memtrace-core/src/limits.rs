//! Every limit of the daemon, each with its arithmetic. The kernel side's are in `memtrace_common::limits`.

/// Live blocks followed over all processes. A ledger entry takes 24 bytes at a load of at most 7/8, and a table
/// doubles when it grows: ten million take under 650 MiB at worst, while growing.
pub const LIVE_BLOCKS: usize = 16_000_000;

/// Sites of one process. A site takes about 200 bytes and its frames: 65,536 take 13 MiB and up.
pub const SITES: usize = 65_536;

/// Kernel stack ids remembered of one process, each 24 bytes: 131,072 take 6 MiB.
pub const STACKS: usize = 131_072;

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
