//! As many pairs as it takes.
//!
//! The order alternates within each two pairs, and which comes first is drawn: what drifts evenly cancels, and what
//! beats in time with the pairs does not stay hidden. Pairs go to a file as they come.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::statistics::Ratios;
use super::cell::Cell;
use super::stretch::{Pair, Stretch};
use super::table::Layout;
use crate::command;

/// How well the mean is to be known.
const HALF_WIDTH: f64 = 0.005;

/// What costs half as much again is seen in this many.
const PAIRS: usize = 6;

/// Fewer say little of their own spread.
const PAIRS_OF_A_PRECISE_ONE: usize = 8;

/// Measures pairs of a cell until they are enough.
pub(super) fn compare(cell: &Cell<'_>, tool: &[String], layout: &Layout) -> Result<Vec<Pair>> {
    let start = Instant::now();
    let mut pairs: Vec<Pair> = Vec::new();
    let mut is_traced_first = false;
    loop {
        is_traced_first = if pairs.len().is_multiple_of(2) { drawn() } else { !is_traced_first };
        let pair = cell.pair(tool, is_traced_first)?;
        record(cell, is_traced_first, &pair)?;
        pairs.push(pair);
        let ratios: Vec<f64> = pairs.iter().map(|pair| pair.ratio(layout.criterion)).collect();
        let half_width = Ratios::of(&ratios).half_width();
        let is_enough = match cell.options.pairs {
            Some(wanted) => pairs.len() >= wanted,
            None if cell.tool.is_precise() => {
                pairs.len() >= PAIRS_OF_A_PRECISE_ONE && half_width < HALF_WIDTH
            }
            None => pairs.len() >= PAIRS,
        };
        if is_enough || start.elapsed() > cell.options.cap() {
            command::announce(&format!(
                "{}, {}: {} pairs in {:.0?}, the mean is known to {:.2} %",
                cell.workload.name,
                cell.name(),
                pairs.len(),
                start.elapsed(),
                100.0 * half_width
            ));
            return Ok(pairs);
        }
    }
}

fn drawn() -> bool {
    RandomState::new().build_hasher().finish() & 1 == 0
}

fn record(cell: &Cell<'_>, is_traced_first: bool, pair: &Pair) -> Result<()> {
    let directory = cell.bench.workspace.target().join("bench-results");
    fs::create_dir_all(&directory)?;
    let mut file = OpenOptions::new().create(true).append(true).open(directory.join("pairs.jsonl"))?;
    let line = json!({
        "workload": cell.workload.name,
        "tool": cell.name(),
        "traced_first": is_traced_first,
        "untraced": values(&pair.untraced),
        "traced": values(&pair.traced),
    });
    Ok(writeln!(file, "{line}")?)
}

fn values(stretch: &Stretch) -> Value {
    json!({
        "units": stretch.units,
        "cpu_ns": stretch.cpu_ns,
        "wall_ns": stretch.wall_ns,
        "latency_ns": stretch.latency_ns,
    })
}
