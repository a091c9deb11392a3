//! What a report of memtrace says of a process, as far as it is judged.
//!
//! In: a snapshot of `--json`. Out: the estimates of each site. A site without ends of an interval is taken to be exact.

use serde_json::Value;

use super::truth::Range;

/// A figure and its interval.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Estimate {
    pub(super) low: f64,
    pub(super) point: f64,
    pub(super) high: f64,
}

impl Estimate {
    pub(super) fn range(self) -> Range {
        Range { low: self.low, high: self.high }
    }

    fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, point: self.point + other.point, high: self.high + other.high }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Site {
    functions: Vec<String>,
    live_bytes: Estimate,
    growth_per_minute: Option<Estimate>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Report {
    pub(super) unix_ns: i64,
    pub(super) tier: String,
    sites: Vec<Site>,
}

/// The report of a process, where it is in the snapshot.
pub(super) fn read(snapshot: &Value, pid: u32) -> Option<Report> {
    let process = snapshot["processes"].as_array()?.iter().find(|process| process["pid"] == pid)?;
    let sites = process["sites"].as_array()?.iter().map(site).collect();
    let tier = process["tier"].as_str().unwrap_or("not said").to_owned();
    Some(Report { unix_ns: snapshot["unix_ns"].as_i64()?, tier, sites })
}

fn site(site: &Value) -> Site {
    let frames = site["frames"].as_array().into_iter().flatten();
    let functions = frames.filter_map(|frame| frame["function"].as_str()).map(base_name);
    Site {
        functions: functions.collect(),
        live_bytes: estimate(site, "live_bytes", ["live_bytes_low", "live_bytes_high"]).unwrap_or_default(),
        growth_per_minute: estimate(
            site,
            "growth_bytes_per_minute",
            ["growth_bytes_per_minute_low", "growth_bytes_per_minute_high"],
        ),
    }
}

/// An end that is `null` is not known.
fn estimate(site: &Value, point: &str, [low, high]: [&str; 2]) -> Option<Estimate> {
    let point = site[point].as_f64()?;
    let end = |name: &str, unknown: f64| match site.get(name) {
        None => point,
        Some(value) => value.as_f64().unwrap_or(unknown),
    };
    Some(Estimate { low: end(low, f64::NEG_INFINITY), point, high: end(high, f64::INFINITY) })
}

/// `f` of `(anonymous namespace)::f(unsigned long)`.
fn base_name(function: &str) -> String {
    let before_arguments = function.split("::").last().unwrap_or(function);
    before_arguments.split(['(', ' ']).next().unwrap_or(before_arguments).to_owned()
}

impl Report {
    /// Of all sites below a function; nothing when there is none.
    pub(super) fn live_bytes(&self, label: &str) -> Option<Estimate> {
        self.of(label).map(|site| site.live_bytes).reduce(Estimate::plus)
    }

    pub(super) fn growth_per_minute(&self, label: &str) -> Option<Estimate> {
        self.of(label).filter_map(|site| site.growth_per_minute).reduce(Estimate::plus)
    }

    /// The place of a function among the sites that surely grow, from 1; nothing when it does not surely grow.
    pub(super) fn rank(&self, label: &str) -> Option<usize> {
        let growth =
            |site: &Site| site.growth_per_minute.filter(|growth| growth.low > 0.0).map(|growth| growth.point);
        let own = self.of(label).filter_map(growth).max_by(f64::total_cmp)?;
        Some(1 + self.sites.iter().filter_map(growth).filter(|other| *other > own).count())
    }

    fn of(&self, label: &str) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(move |site| site.functions.iter().any(|function| function == label))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snapshot() -> Value {
        json!({"unix_ns": 7, "processes": [{"pid": 5, "tier": "windows", "sites": [
            {"live_bytes": 100, "live_bytes_low": 80, "live_bytes_high": null,
             "growth_bytes_per_minute": 50.0, "growth_bytes_per_minute_low": 10.0, "growth_bytes_per_minute_high": 90.0,
             "frames": [{"function": "(anonymous namespace)::keep(unsigned long)"}, {"function": null}]},
            {"live_bytes": 900,
             "growth_bytes_per_minute": 60.0, "growth_bytes_per_minute_low": -5.0, "growth_bytes_per_minute_high": 99.0,
             "frames": [{"function": "churn"}]},
        ]}]})
    }

    #[test]
    fn an_interval_whose_end_is_unknown_is_open() {
        let report = read(&snapshot(), 5).expect("the process is in the report");
        let live = report.live_bytes("keep").expect("the site is in the report");
        assert_eq!((live.low, live.point, live.high), (80.0, 100.0, f64::INFINITY));
        assert_eq!(report.live_bytes("churn").map(|live| live.low), Some(900.0));
    }

    #[test]
    fn only_what_surely_grows_has_a_rank() {
        let report = read(&snapshot(), 5).expect("the process is in the report");
        assert_eq!(report.rank("keep"), Some(1));
        assert_eq!(report.rank("churn"), None);
        assert_eq!(report.rank("absent"), None);
    }

    #[test]
    fn a_process_that_is_not_in_the_snapshot_has_no_report() {
        assert_eq!(read(&snapshot(), 6), None);
        assert_eq!(read(&Value::Null, 5), None);
    }
}
