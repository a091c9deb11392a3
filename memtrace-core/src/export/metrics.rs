//! A snapshot as Prometheus' text format.
//!
//! In: the memory of earlier snapshots and the latest one. Out: the body of a scrape. Families are built for every
//! scrape from one table ([`FAMILIES`]), so that gauges of a comm without a process vanish. It refuses pids and sites as
//! labels: profiles say where, metrics say who.
//!
//! Invariant: every family of the table is in the output, and none that is not in `docs/metrics.md`.

use memtrace_common::{DropReason, StackEnd};
use prometheus::TextEncoder;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use crate::model::Snapshot;

use super::metrics_state::{CommSeries, MetricsState, OTHER};

mod families;
#[cfg(test)]
mod tests;

pub use families::FAMILIES;

/// Whether a family may fall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It never falls while memtrace runs.
    Counter,
    /// It is a figure of the moment.
    Gauge,
}

impl Kind {
    /// The name in `# TYPE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// A family: what it is called, what it means, where its value comes from.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Full name, with unit and, for counters, `_total`.
    pub name: &'static str,
    /// Whether it may fall.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    source: Source,
}

impl Family {
    /// The only label of its series, if they have one.
    #[must_use]
    pub const fn label(&self) -> Option<&'static str> {
        match self.source {
            Source::Comm(_) => Some("comm"),
            Source::DropReason | Source::StackEnd => Some("reason"),
            Source::Version => Some("version"),
            Source::Snapshot(_) | Source::State(_) => None,
        }
    }
}

/// Where the values of a family come from, and so its label.
#[derive(Clone, Copy, Debug)]
enum Source {
    Comm(fn(&CommSeries) -> f64),
    Snapshot(fn(&Snapshot) -> f64),
    State(fn(&MetricsState) -> u64),
    DropReason,
    StackEnd,
    Version,
}

/// The body of a scrape. Call it once for every snapshot (more often does no harm).
#[must_use]
pub fn metrics(state: &mut MetricsState, snapshot: &Snapshot) -> String {
    state.observe(snapshot);
    let families: Vec<MetricFamily> =
        FAMILIES.iter().map(|family| family_of(family, state, snapshot)).collect();
    TextEncoder::new()
        .encode_to_string(&families)
        .expect("invariant: every family has a name and at least one series")
}

fn family_of(family: &Family, state: &MetricsState, snapshot: &Snapshot) -> MetricFamily {
    let mut built = MetricFamily::default();
    built.set_name(family.name.to_owned());
    built.set_help(family.help.to_owned());
    built.set_field_type(match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
    });
    built.set_metric(series_of(family, state, snapshot));
    built
}

fn series_of(family: &Family, state: &MetricsState, snapshot: &Snapshot) -> Vec<Metric> {
    let one = |value: f64| vec![metric(family, None, value)];
    match family.source {
        // A figure of the moment of a comm without a process is no figure; `other` stays, so no family is empty.
        Source::Comm(value) => state
            .series()
            .filter(|(comm, series)| {
                family.kind == Kind::Counter || *comm == OTHER || series.gauges.processes > 0
            })
            .map(|(comm, series)| metric(family, Some(comm), value(series)))
            .collect(),
        Source::Snapshot(value) => one(value(snapshot)),
        Source::State(value) => one(value(state) as f64),
        Source::DropReason => DropReason::ALL
            .into_iter()
            .map(|reason| {
                let count = snapshot.quality.dropped.get(&reason).copied().unwrap_or(0);
                metric(family, Some(reason.name()), count as f64)
            })
            .collect(),
        Source::StackEnd => StackEnd::ALL
            .into_iter()
            .map(|end| {
                let count = snapshot.quality.stacks_ended.get(&end).copied().unwrap_or(0);
                metric(family, Some(end.name()), count as f64)
            })
            .collect(),
        Source::Version => vec![metric(family, Some(env!("CARGO_PKG_VERSION")), 1.0)],
    }
}

fn metric(family: &Family, label_value: Option<&str>, value: f64) -> Metric {
    let mut metric = Metric::default();
    if let (Some(name), Some(value)) = (family.label(), label_value) {
        let mut label = LabelPair::default();
        label.set_name(name.to_owned());
        label.set_value(value.to_owned());
        metric.set_label(vec![label]);
    }
    match family.kind {
        Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        Kind::Gauge => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
    }
    metric
}
