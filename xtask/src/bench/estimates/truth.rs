//! What a program of known truth has written: its live bytes by function, ten times a second.
//!
//! In: the lines of its file. Out: the range that a figure had around a moment, for a report's own moment is not known
//! better than to a tenth of a second. Refuses lines that are not its own.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// What a report may lag behind the events that are in it, and be ahead of a line that is being written.
const AROUND_NS: RangeInclusive<i64> = -250_000_000..=150_000_000;

/// A figure that lies between two.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    pub(super) fn middle(self) -> f64 {
        (self.low + self.high) / 2.0
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

struct Sample {
    unix_ns: i64,
    allocations: Option<u64>,
    live_bytes: BTreeMap<String, f64>,
}

/// Of one run; in order of time.
pub(super) struct Truth {
    samples: Vec<Sample>,
}

/// Reads the file's text.
pub(super) fn read(text: &str) -> Result<Truth> {
    let samples = text.lines().map(sample).collect::<Result<Vec<_>>>()?;
    samples.first().context("a program of known truth has written nothing")?;
    Ok(Truth { samples })
}

fn sample(line: &str) -> Result<Sample> {
    let value: Value = serde_json::from_str(line).with_context(|| format!("a line of truth: {line:?}"))?;
    let sites = value["sites"].as_object().with_context(|| format!("a line without sites: {line:?}"))?;
    let live = |site: &Value| site[0].as_f64().unwrap_or(f64::NAN);
    Ok(Sample {
        unix_ns: value["unix_ns"].as_i64().with_context(|| format!("a line without its time: {line:?}"))?,
        allocations: value["allocations"].as_u64(),
        live_bytes: sites.iter().map(|(label, site)| (label.clone(), live(site))).collect(),
    })
}

impl Truth {
    pub(super) fn labels(&self) -> Vec<&str> {
        self.samples[0].live_bytes.keys().map(String::as_str).collect()
    }

    pub(super) fn start_ns(&self) -> i64 {
        self.samples[0].unix_ns
    }

    /// Over the whole run, as a text for a table; Python does not count them.
    pub(super) fn allocations_per_second(&self) -> String {
        let last = &self.samples[self.samples.len() - 1];
        let seconds = (last.unix_ns - self.start_ns()) as f64 / 1e9;
        match last.allocations {
            Some(allocations) if seconds > 0.0 => format!("{:.0}k", allocations as f64 / seconds / 1e3),
            _ => "not counted".to_owned(),
        }
    }

    /// What was live of a function around this moment; nothing outside the run.
    pub(super) fn live_bytes(&self, label: &str, unix_ns: i64) -> Option<Range> {
        let from = self.samples.partition_point(|sample| sample.unix_ns < unix_ns + AROUND_NS.start());
        let around =
            self.samples[from..].iter().take_while(|sample| sample.unix_ns <= unix_ns + AROUND_NS.end());
        let figures = around.filter_map(|sample| sample.live_bytes.get(label).copied());
        figures.fold(None, |range: Option<Range>, figure| {
            let range = range.unwrap_or(Range { low: figure, high: figure });
            Some(Range { low: range.low.min(figure), high: range.high.max(figure) })
        })
    }

    /// Its growth in bytes a minute over the minute before, or since the start when that is less.
    pub(super) fn growth_per_minute(&self, label: &str, unix_ns: i64) -> Option<Range> {
        let since_ns = (unix_ns - 60_000_000_000).max(self.start_ns());
        let minutes = (unix_ns - since_ns) as f64 / 60e9;
        let (before, now) = (self.live_bytes(label, since_ns)?, self.live_bytes(label, unix_ns)?);
        let range = Range { low: (now.low - before.high) / minutes, high: (now.high - before.low) / minutes };
        (minutes > 0.0).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 bytes more each tenth of a second.
    fn growing(tenths: i64) -> Truth {
        let line = |tenth: i64| {
            format!(
                "{{\"unix_ns\":{},\"allocations\":{tenth},\"sites\":{{\"keep\":[{},1]}}}}",
                (tenth + 1) * 100_000_000,
                tenth * 100
            )
        };
        read(&(0..tenths).map(line).collect::<Vec<_>>().join("\n")).expect("lines of truth")
    }

    #[test]
    fn the_truth_of_a_moment_is_that_of_its_neighbours() {
        let truth = growing(100);
        let live = truth.live_bytes("keep", 5_000_000_000).expect("within the run");
        assert!(live.low <= 4900.0 && live.high >= 4900.0 && live.high - live.low <= 400.0, "{live:?}");
        assert_eq!(truth.live_bytes("keep", 60_000_000_000), None);
        assert_eq!(truth.live_bytes("other", 5_000_000_000), None);
    }

    #[test]
    fn growth_is_that_of_the_last_minute() {
        let truth = growing(1000);
        let growth = truth.growth_per_minute("keep", 90_000_000_000).expect("within the run");
        assert!((growth.middle() - 60_000.0).abs() < 500.0, "{growth:?}");
    }

    #[test]
    fn a_line_of_something_else_is_refused() {
        assert!(read("{\"unix_ns\":1}").is_err());
        assert!(read("heaptrack output").is_err());
        assert!(read("").is_err());
    }
}
