//! The keys of a `snapshot` line. The order of fields is the order of keys. A rate that is not a number is `null`:
//! JSON has no other way to say it, and serde_json does so.

use serde::Serialize;

use crate::model::{Frame, OwnCost, ProcessSnapshot, ProcessState, Quality, SiteSnapshot, Snapshot};

use super::JsonOptions;
use super::line::{DroppedCounts, StackEndCounts};

#[derive(Serialize)]
pub(super) struct SnapshotData<'a> {
    unix_ns: u64,
    elapsed_ns: u64,
    interval_ns: u64,
    quality: QualityData<'a>,
    own_cost: OwnCostData,
    processes: Vec<ProcessData<'a>>,
}

#[derive(Serialize)]
struct QualityData<'a> {
    events: u64,
    dropped: DroppedCounts<'a>,
    stacks_truncated: u64,
    stacks_ended: StackEndCounts<'a>,
    frames_unresolved: u64,
}

#[derive(Serialize)]
struct OwnCostData {
    cpu_seconds: f64,
    cpu_share: f64,
    rss_bytes: u64,
    probes_attached: u64,
    ledger_blocks: u64,
    ledger_capacity: u64,
}

#[derive(Serialize)]
struct ProcessData<'a> {
    pid: u32,
    start_time_ticks: u64,
    comm: &'a str,
    cmdline: &'a [String],
    exe: Option<&'a str>,
    state: &'static str,
    rss_bytes: Option<u64>,
    live_bytes: u64,
    live_blocks: u64,
    allocated_bytes: u64,
    allocations: u64,
    freed_bytes: u64,
    frees: u64,
    frees_unknown: u64,
    allocations_per_second: f64,
    allocated_bytes_per_second: f64,
    frees_per_second: f64,
    probes: u64,
    notes: &'a [String],
    other_sites: OtherSitesData,
    sites: Vec<SiteData<'a>>,
}

#[derive(Serialize)]
struct OtherSitesData {
    sites: u64,
    live_bytes: u64,
    live_blocks: u64,
}

#[derive(Serialize)]
struct SiteData<'a> {
    id: String,
    domain: &'static str,
    live_bytes: u64,
    live_blocks: u64,
    allocated_bytes: u64,
    allocations: u64,
    growth_bytes: i64,
    allocations_per_second: f64,
    oldest_age_ns: Option<u64>,
    frames_hidden: usize,
    frames: Vec<FrameData<'a>>,
}

#[derive(Serialize)]
struct FrameData<'a> {
    kind: &'static str,
    function: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    module: Option<&'a str>,
    offset: Option<u64>,
    reason: Option<&'static str>,
}

impl<'a> SnapshotData<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, options: JsonOptions) -> Self {
        Self {
            unix_ns: snapshot.unix_ns,
            elapsed_ns: snapshot.elapsed_ns,
            interval_ns: snapshot.interval_ns,
            quality: QualityData::new(&snapshot.quality),
            own_cost: OwnCostData::new(&snapshot.own_cost),
            processes: snapshot.processes.iter().map(|process| ProcessData::new(process, options)).collect(),
        }
    }
}

impl<'a> QualityData<'a> {
    fn new(quality: &'a Quality) -> Self {
        Self {
            events: quality.events,
            dropped: DroppedCounts(&quality.dropped),
            stacks_truncated: quality.stacks_truncated,
            stacks_ended: StackEndCounts(&quality.stacks_ended),
            frames_unresolved: quality.frames_unresolved,
        }
    }
}

impl OwnCostData {
    fn new(cost: &OwnCost) -> Self {
        Self {
            cpu_seconds: cost.cpu_seconds,
            cpu_share: cost.cpu_share,
            rss_bytes: cost.rss_bytes,
            probes_attached: cost.probes_attached,
            ledger_blocks: cost.ledger_blocks,
            ledger_capacity: cost.ledger_capacity,
        }
    }
}

impl<'a> ProcessData<'a> {
    fn new(process: &'a ProcessSnapshot, options: JsonOptions) -> Self {
        let ProcessSnapshot { info, totals, rates, other_sites, .. } = process;
        Self {
            pid: info.pid,
            start_time_ticks: info.start_time_ticks,
            comm: &info.comm,
            cmdline: &info.cmdline,
            exe: info.exe.as_deref(),
            state: match process.state {
                ProcessState::Running => "running",
                ProcessState::Exited => "exited",
            },
            rss_bytes: process.rss_bytes,
            live_bytes: totals.live_bytes,
            live_blocks: totals.live_blocks,
            allocated_bytes: totals.allocated_bytes,
            allocations: totals.allocations,
            freed_bytes: totals.freed_bytes,
            frees: totals.frees,
            frees_unknown: totals.frees_unknown,
            allocations_per_second: rates.allocations_per_second,
            allocated_bytes_per_second: rates.allocated_bytes_per_second,
            frees_per_second: rates.frees_per_second,
            probes: process.probes,
            notes: &process.notes,
            other_sites: OtherSitesData {
                sites: other_sites.sites,
                live_bytes: other_sites.live_bytes,
                live_blocks: other_sites.live_blocks,
            },
            sites: process.sites.iter().map(|site| SiteData::new(site, options)).collect(),
        }
    }
}

impl<'a> SiteData<'a> {
    fn new(site: &'a SiteSnapshot, options: JsonOptions) -> Self {
        let frames: Vec<FrameData<'a>> = site
            .frames
            .iter()
            .filter(|frame| options.show_internal || !frame.internal)
            .map(FrameData::new)
            .collect();
        Self {
            id: format!("{:016x}", site.id),
            domain: site.domain.name(),
            live_bytes: site.live_bytes,
            live_blocks: site.live_blocks,
            allocated_bytes: site.allocated_bytes,
            allocations: site.allocations,
            growth_bytes: site.growth_bytes,
            allocations_per_second: site.allocations_per_second,
            oldest_age_ns: site.oldest_age_ns,
            frames_hidden: site.frames.len() - frames.len(),
            frames,
        }
    }
}

impl<'a> FrameData<'a> {
    fn new(frame: &'a Frame) -> Self {
        Self {
            kind: frame.kind.name(),
            function: frame.function.as_deref(),
            file: frame.file.as_deref(),
            line: frame.line,
            module: frame.module.as_deref(),
            offset: frame.offset,
            reason: frame.reason,
        }
    }
}
