//! A ledger as text for snapshots.

use std::collections::BTreeMap;
use std::fmt::Write;

use memtrace_core::aggregate::{Aggregator, Query, SiteFigures};
use memtrace_core::model::FrameRef;

/// The totals of some processes, and their sites.
pub(crate) fn show(
    aggregator: &Aggregator,
    title: &str,
    targets: &[(u32, u64)],
    names: &BTreeMap<u32, String>,
) -> String {
    let mut out = format!("== {title}\n");
    for &(target, now_ns) in targets {
        let query = Query { top: usize::MAX, ..Query::default() };
        let Some(figures) = aggregator.figures(target, &query, now_ns) else {
            writeln!(out, "p{target}: not followed").expect("a string takes all");
            continue;
        };
        let totals = figures.totals;
        writeln!(
            out,
            "p{target}: live {} bytes in {} blocks; allocated {} in {}; freed {} in {}; unknown frees {}",
            totals.live_bytes,
            totals.live_blocks,
            totals.allocated_bytes,
            totals.allocations,
            totals.freed_bytes,
            totals.frees,
            totals.frees_unknown
        )
        .expect("a string takes all");
        for site in &figures.sites {
            out += &site_line(site, names);
        }
    }
    out
}

fn site_line(site: &SiteFigures, names: &BTreeMap<u32, String>) -> String {
    let frames: Vec<&str> = site
        .frames
        .iter()
        .map(|frame| match frame {
            FrameRef::Python { function, .. } => names[function].as_str(),
            FrameRef::Native { .. } => "native",
            FrameRef::Unknown { reason, .. } => reason,
        })
        .collect();
    let age_s = site.oldest_age_ns.unwrap_or(0) as f64 / 1e9;
    format!(
        "  {:>5} bytes {:>2} blocks  oldest {age_s:.1} s  {:<8} {}\n",
        site.live_bytes,
        site.live_blocks,
        site.domain.name(),
        frames.join(" < ")
    )
}

/// What the aggregator lost.
pub(crate) fn losses(aggregator: &Aggregator) -> String {
    let losses: Vec<String> = aggregator
        .drops()
        .iter()
        .filter(|&(_, count)| count > 0)
        .map(|(reason, count)| format!("{} {count}", reason.name()))
        .collect();
    let losses = if losses.is_empty() { "nothing".to_owned() } else { losses.join(", ") };
    format!("events {}; lost: {losses}\n", aggregator.events())
}
