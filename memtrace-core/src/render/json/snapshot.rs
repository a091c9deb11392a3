//! The keys of a `snapshot` line. The order of fields is the order of keys. A rate that is not a number is `null`:
//! JSON has no other way to say it, and serde_json does so.

use serde::Serialize;

use crate::model::{
    Frame, Interval, Overhead, OwnCost, ProcessSnapshot, ProcessState, Quality, SURVIVAL_AGES_SECONDS,
    SiteSnapshot, Snapshot,
};

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
    live_bytes_low: f64,
    live_bytes_high: f64,
    growth_bytes_per_minute: Option<f64>,
    growth_bytes_per_minute_low: Option<f64>,
    growth_bytes_per_minute_high: Option<f64>,
    overhead: OverheadData<'a>,
    other_sites: OtherSitesData,
    sites: Vec<SiteData<'a>>,
}

#[derive(Serialize)]
struct OverheadData<'a> {
    tier: &'static str,
    reason: Option<&'a str>,
    limit_share: Option<f64>,
    spent_share: f64,
    spent_share_total: f64,
    armed_share: f64,
    windows: u64,
    mean_bytes: u64,
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
    live_bytes_low: f64,
    live_bytes_high: f64,
    growth_bytes_per_minute: Option<f64>,
    growth_bytes_per_minute_low: Option<f64>,
    growth_bytes_per_minute_high: Option<f64>,
    survival: Vec<SurvivalData>,
    sampled_blocks: u64,
    unknown_bytes: u64,
    frames_hidden: usize,
    frames: Vec<FrameData<'a>>,
}

#[derive(Serialize)]
struct SurvivalData {
    age_seconds: u64,
    share: f64,
    share_low: f64,
    share_high: f64,
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
        let growth = process.estimate.growth_bytes_per_minute;
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
            live_bytes_low: process.estimate.live_bytes.low,
            live_bytes_high: process.estimate.live_bytes.high,
            growth_bytes_per_minute: growth.map(|growth| growth.value),
            growth_bytes_per_minute_low: growth.map(|growth| growth.low),
            growth_bytes_per_minute_high: growth.map(|growth| growth.high),
            overhead: OverheadData::new(&process.overhead),
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
        let estimate = &site.estimate;
        let growth = estimate.growth_bytes_per_minute;
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
            live_bytes_low: estimate.live_bytes.low,
            live_bytes_high: estimate.live_bytes.high,
            growth_bytes_per_minute: growth.map(|growth| growth.value),
            growth_bytes_per_minute_low: growth.map(|growth| growth.low),
            growth_bytes_per_minute_high: growth.map(|growth| growth.high),
            survival: SurvivalData::all(&estimate.survival),
            sampled_blocks: estimate.sampled_blocks,
            unknown_bytes: estimate.unknown_bytes,
            frames_hidden: site.frames.len() - frames.len(),
            frames,
        }
    }
}

impl<'a> OverheadData<'a> {
    fn new(overhead: &'a Overhead) -> Self {
        Self {
            tier: overhead.tier.name(),
            reason: overhead.reason.as_deref(),
            limit_share: overhead.limit_share,
            spent_share: overhead.spent_share,
            spent_share_total: overhead.spent_share_total,
            armed_share: overhead.armed_share,
            windows: overhead.windows,
            mean_bytes: overhead.mean_bytes,
        }
    }
}

impl SurvivalData {
    /// The ages that something is known of.
    fn all(survival: &[Option<Interval>]) -> Vec<Self> {
        let known = SURVIVAL_AGES_SECONDS.into_iter().zip(survival);
        known
            .filter_map(|(age_seconds, share)| {
                let Interval { value, low, high } = (*share)?;
                Some(Self { age_seconds, share: value, share_low: low, share_high: high })
            })
            .collect()
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
