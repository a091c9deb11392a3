//! The table of families. `docs/metrics.md` has the same rows; a test compares them.

use crate::model::{ProcessState, Snapshot};

use super::super::metrics_state::MetricsState;
use super::{Family, Kind, Source};

/// Every family, in the order of the output.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "memtrace_heap_live_bytes",
        kind: Kind::Gauge,
        help: "Bytes allocated since attach and not freed, of running processes.",
        source: Source::Comm(|comm| comm.gauges.live_bytes as f64),
    },
    Family {
        name: "memtrace_heap_live_blocks",
        kind: Kind::Gauge,
        help: "Blocks allocated since attach and not freed, of running processes.",
        source: Source::Comm(|comm| comm.gauges.live_blocks as f64),
    },
    Family {
        name: "memtrace_heap_allocated_bytes_total",
        kind: Kind::Counter,
        help: "Bytes allocated since attach, processes that have exited included.",
        source: Source::Comm(|comm| comm.counters.allocated_bytes as f64),
    },
    Family {
        name: "memtrace_heap_allocations_total",
        kind: Kind::Counter,
        help: "Blocks allocated since attach, processes that have exited included.",
        source: Source::Comm(|comm| comm.counters.allocations as f64),
    },
    Family {
        name: "memtrace_heap_freed_bytes_total",
        kind: Kind::Counter,
        help: "Bytes freed of blocks whose allocation was seen.",
        source: Source::Comm(|comm| comm.counters.freed_bytes as f64),
    },
    Family {
        name: "memtrace_heap_frees_total",
        kind: Kind::Counter,
        help: "Blocks freed whose allocation was seen.",
        source: Source::Comm(|comm| comm.counters.frees as f64),
    },
    Family {
        name: "memtrace_heap_unknown_frees_total",
        kind: Kind::Counter,
        help: "Frees of blocks from before attach or inherited over fork.",
        source: Source::Comm(|comm| comm.counters.frees_unknown as f64),
    },
    Family {
        name: "memtrace_group_resident_bytes",
        kind: Kind::Gauge,
        help: "Resident set size as the kernel has it, summed over the running processes.",
        source: Source::Comm(|comm| comm.gauges.resident_bytes as f64),
    },
    Family {
        name: "memtrace_group_processes",
        kind: Kind::Gauge,
        help: "Running processes that are traced.",
        source: Source::Comm(|comm| comm.gauges.processes as f64),
    },
    Family {
        name: "memtrace_heap_live_low_bytes",
        kind: Kind::Gauge,
        help: "Lower end of the 95 % interval of the live bytes; the live bytes themselves where every call is seen.",
        source: Source::Comm(|comm| comm.gauges.live_low_bytes),
    },
    Family {
        name: "memtrace_heap_live_high_bytes",
        kind: Kind::Gauge,
        help: "Upper end of that interval; +Inf where nothing bounds it.",
        source: Source::Comm(|comm| comm.gauges.live_high_bytes),
    },
    Family {
        name: "memtrace_group_overhead_cores",
        kind: Kind::Gauge,
        help: "What tracing costs the running processes now, in cores.",
        source: Source::Comm(|comm| comm.gauges.overhead_cores),
    },
    Family {
        name: "memtrace_group_sampled_processes",
        kind: Kind::Gauge,
        help: "Running processes that are seen in windows, because every call would cost too much.",
        source: Source::Comm(|comm| comm.gauges.sampled_processes as f64),
    },
    Family {
        name: "memtrace_group_untraced_processes",
        kind: Kind::Gauge,
        help: "Running processes that are not traced, because even windows would cost too much.",
        source: Source::Comm(|comm| comm.gauges.untraced_processes as f64),
    },
    Family {
        name: "memtrace_tracked_processes",
        kind: Kind::Gauge,
        help: "Processes that are traced, all comms together.",
        source: Source::Snapshot(tracked_processes),
    },
    Family {
        name: "memtrace_comms_folded_total",
        kind: Kind::Counter,
        help: "Comms whose series were folded into other to make room for new ones.",
        source: Source::State(MetricsState::comms_folded),
    },
    Family {
        name: "memtrace_events_total",
        kind: Kind::Counter,
        help: "Allocation and free events received.",
        source: Source::Snapshot(|snapshot| snapshot.quality.events as f64),
    },
    Family {
        name: "memtrace_events_dropped_total",
        kind: Kind::Counter,
        help: "Events and details lost, by reason; docs/drop-reasons.md says what each means.",
        source: Source::DropReason,
    },
    Family {
        name: "memtrace_stacks_truncated_total",
        kind: Kind::Counter,
        help: "Distinct stacks that lack frames they should have.",
        source: Source::Snapshot(|snapshot| snapshot.quality.stacks_truncated as f64),
    },
    Family {
        name: "memtrace_stack_ends_total",
        kind: Kind::Counter,
        help: "Walks along distinct stacks, Python's and native ones, by the reason for which they ended.",
        source: Source::StackEnd,
    },
    Family {
        name: "memtrace_frames_unresolved_total",
        kind: Kind::Counter,
        help: "Distinct frames without a name.",
        source: Source::Snapshot(|snapshot| snapshot.quality.frames_unresolved as f64),
    },
    Family {
        name: "memtrace_attached_probes",
        kind: Kind::Gauge,
        help: "Probes attached: probe sites times processes.",
        source: Source::Snapshot(|snapshot| snapshot.own_cost.probes_attached as f64),
    },
    Family {
        name: "memtrace_ledger_blocks",
        kind: Kind::Gauge,
        help: "Live blocks in the ledger.",
        source: Source::Snapshot(|snapshot| snapshot.own_cost.ledger_blocks as f64),
    },
    Family {
        name: "memtrace_ledger_capacity_blocks",
        kind: Kind::Gauge,
        help: "Live blocks that the ledger can follow.",
        source: Source::Snapshot(|snapshot| snapshot.own_cost.ledger_capacity as f64),
    },
    Family {
        name: "memtrace_snapshot_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Unix time of the snapshot that these figures are of.",
        source: Source::Snapshot(|snapshot| snapshot.unix_ns as f64 / 1e9),
    },
    Family {
        name: "memtrace_build_info",
        kind: Kind::Gauge,
        help: "Always 1; the label says which version this is.",
        source: Source::Version,
    },
    Family {
        name: "process_cpu_seconds_total",
        kind: Kind::Counter,
        help: "User and system time that memtrace itself has taken, in seconds.",
        source: Source::Snapshot(|snapshot| snapshot.own_cost.cpu_seconds),
    },
    Family {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        help: "Resident set size of memtrace itself.",
        source: Source::Snapshot(|snapshot| snapshot.own_cost.rss_bytes as f64),
    },
];

fn tracked_processes(snapshot: &Snapshot) -> f64 {
    let running = snapshot.processes.iter().filter(|process| process.state == ProcessState::Running);
    running.count() as f64
}
