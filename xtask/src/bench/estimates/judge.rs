//! Holds reports against the truth: pure.
//!
//! In: the truth, the reports, a function. Out: how often each interval held it, how wide it was, and the function's
//! place among those that grow, over time. A site that is not in a report has no interval there: it is counted apart.

use super::report::{Estimate, Report};
use super::truth::{Range, Truth};

/// Before this much is known of a program, its growth a minute is not held against memtrace.
const YOUNG_NS: i64 = 10_000_000_000;

/// The moments at which widths and ranks are shown, seconds.
const MOMENTS: [i64; 4] = [60, 120, 300, 600];

/// Intervals that were judged, and those that held the truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Coverage {
    judged: u32,
    held: u32,
}

impl Coverage {
    fn add(&mut self, estimate: Option<Estimate>, truth: Option<Range>) {
        if let (Some(estimate), Some(truth)) = (estimate, truth) {
            self.judged += 1;
            self.held += u32::from(estimate.range().meets(truth));
        }
    }

    fn cell(self) -> String {
        match self.judged {
            0 => "none reported".to_owned(),
            judged => format!("{:.1} % of {judged}", 100.0 * f64::from(self.held) / f64::from(judged)),
        }
    }
}

/// Of one function of one program.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Verdict {
    live: Coverage,
    growth: Coverage,
    /// Reports in which the function was not.
    absent: u32,
    reports: u32,
    tiers: Vec<String>,
    half_widths: Vec<String>,
    ranks: Vec<String>,
    /// Seconds after the start from which on it was first among those that grow, to the end.
    first_from_seconds: Option<i64>,
    grows_at_the_end: bool,
}

/// Judges one function.
pub(super) fn judge(truth: &Truth, reports: &[Report], label: &str) -> Verdict {
    let mut verdict = Verdict::default();
    for report in reports {
        let Some(live) = truth.live_bytes(label, report.unix_ns) else { continue };
        verdict.reports += 1;
        if verdict.tiers.last() != Some(&report.tier) {
            verdict.tiers.push(report.tier.clone());
        }
        if live.high > 0.0 && report.live_bytes(label).is_none() {
            verdict.absent += 1;
        }
        verdict.live.add(report.live_bytes(label), Some(live));
        let age_ns = report.unix_ns - truth.start_ns();
        if age_ns >= YOUNG_NS {
            let growth = truth.growth_per_minute(label, report.unix_ns);
            verdict.growth.add(report.growth_per_minute(label), growth);
        }
        match report.rank(label) {
            Some(1) => _ = verdict.first_from_seconds.get_or_insert(age_ns / 1_000_000_000),
            _ => verdict.first_from_seconds = None,
        }
        verdict.grows_at_the_end = report.rank(label).is_some();
    }
    for seconds in MOMENTS {
        let moment_ns = truth.start_ns() + seconds * 1_000_000_000;
        let Some(report) = reports.iter().find(|report| report.unix_ns >= moment_ns) else { continue };
        let Some(live) = truth.live_bytes(label, report.unix_ns) else { continue };
        verdict.half_widths.push(half_width(report.live_bytes(label), live));
        verdict.ranks.push(report.rank(label).map_or("-".to_owned(), |rank| rank.to_string()));
    }
    verdict
}

fn half_width(estimate: Option<Estimate>, truth: Range) -> String {
    match estimate.map(|estimate| (estimate.high - estimate.low) / 2.0 / truth.middle()) {
        None => "absent".to_owned(),
        Some(share) if share.is_finite() => format!("{:.0} %", 100.0 * share),
        Some(_) => "open".to_owned(),
    }
}

impl Verdict {
    /// The columns of a table; the first three are the program's.
    pub(super) const HEADS: [&'static str; 12] = [
        "program",
        "allocations/s",
        "function",
        "tiers",
        "live inside",
        "growth inside",
        "absent",
        "half-width of live at 1, 2, 5, 10 min",
        "rank at 1, 2, 5, 10 min",
        "first for good from",
        "grows at the end",
        "reports",
    ];

    pub(super) const EXPLANATION: &'static str = "\
`inside`: reports whose 95 % interval held the truth. Ranks are by growth a minute, among sites whose interval of growth
is above 0; `-` is not among them. A leak is to be first, and a cache that has filled is not to be among them.";

    pub(super) fn cells(&self) -> Vec<String> {
        vec![
            self.tiers.join(", "),
            self.live.cell(),
            self.growth.cell(),
            self.absent.to_string(),
            self.half_widths.join(", "),
            self.ranks.join(", "),
            self.first_from_seconds.map_or("never".to_owned(), |seconds| format!("{seconds} s")),
            if self.grows_at_the_end { "yes" } else { "no" }.to_owned(),
            self.reports.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{report, truth};
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    /// A leak of 1,000 bytes a second, for 100 seconds.
    fn leak() -> Truth {
        let line = |tenth: i64| {
            json!({"unix_ns": tenth * SECOND_NS / 10, "sites": {"keep": [tenth * 100, 1]}}).to_string()
        };
        truth::read(&(0..1000).map(line).collect::<Vec<_>>().join("\n")).expect("lines of truth")
    }

    fn said(second: i64, live: i64, growth: f64) -> Report {
        let site = json!({
            "live_bytes": live, "live_bytes_low": live - 500, "live_bytes_high": live + 500,
            "growth_bytes_per_minute": growth, "growth_bytes_per_minute_low": growth - 5e3,
            "growth_bytes_per_minute_high": growth + 5e3, "frames": [{"function": "keep"}],
        });
        let snapshot = json!({"unix_ns": second * SECOND_NS, "processes": [{"pid": 1, "sites": [site]}]});
        report::read(&snapshot, 1).expect("a report")
    }

    #[test]
    fn reports_that_are_right_hold_the_truth_and_rank_the_leak() {
        let reports: Vec<Report> = (1..90).map(|second| said(second, second * 1000, 60e3)).collect();
        let verdict = judge(&leak(), &reports, "keep");
        assert_eq!(verdict.live, Coverage { judged: 89, held: 89 });
        assert_eq!(verdict.growth, Coverage { judged: 80, held: 80 });
        assert_eq!((verdict.first_from_seconds, verdict.grows_at_the_end), (Some(1), true));
        assert_eq!(verdict.cells().len() + 3, Verdict::HEADS.len());
    }

    #[test]
    fn reports_that_are_wrong_do_not() {
        let reports: Vec<Report> = (1..90).map(|second| said(second, second * 3000, 0.0)).collect();
        let verdict = judge(&leak(), &reports, "keep");
        assert_eq!(verdict.live, Coverage { judged: 89, held: 0 });
        assert_eq!(verdict.growth, Coverage { judged: 80, held: 0 });
        assert_eq!((verdict.first_from_seconds, verdict.grows_at_the_end), (None, false));
    }

    #[test]
    fn a_function_that_no_report_has_is_absent_and_not_covered() {
        let reports = [said(50, 50_000, 60e3)];
        let other =
            truth::read("{\"unix_ns\":50000000000,\"sites\":{\"gone\":[5,1]}}").expect("a line of truth");
        let verdict = judge(&other, &reports, "gone");
        assert_eq!((verdict.absent, verdict.live.judged), (1, 0));
    }
}
