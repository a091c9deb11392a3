//! What a target says of a stretch of its work.

use anyhow::Result;

use super::super::load::Load;
use super::super::number;

/// Figures of one stretch.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Stretch {
    pub(super) units: f64,
    pub(super) cpu_ns: f64,
    pub(super) wall_ns: f64,
    /// Of requests, at the quantiles of [`QUANTILES`].
    pub(super) latency_ns: Option<[f64; 3]>,
}

/// The quantiles of latency: how they are called, and where they are in a target's answer.
pub(super) const QUANTILES: [(&str, &str); 3] =
    [("p50", "/p50_ns"), ("p99", "/p99_ns"), ("p99.9", "/p999_ns")];

impl Stretch {
    /// Has the target work this long.
    pub(super) fn of(load: &mut Load, seconds: f64) -> Result<Self> {
        load.ask(&format!("go {:.0}", seconds * 1e3))?;
        let books = load.ask("books")?;
        let latency_ns = match books.get("p50_ns") {
            None => None,
            Some(_) => {
                let mut latency_ns = [0.0; 3];
                for (latency_ns, (_, pointer)) in latency_ns.iter_mut().zip(QUANTILES) {
                    *latency_ns = number(&books, pointer)?;
                }
                Some(latency_ns)
            }
        };
        Ok(Self {
            units: number(&books, "/units")?,
            cpu_ns: number(&books, "/cpu_ns")?,
            wall_ns: number(&books, "/wall_ns")?,
            latency_ns,
        })
    }

    pub(super) fn cpu_ns_per_unit(&self) -> f64 {
        self.cpu_ns / self.units
    }

    pub(super) fn wall_ns_per_unit(&self) -> f64 {
        self.wall_ns / self.units
    }

    /// CPU time in parts of one processor's.
    pub(super) fn cpu_share(&self) -> f64 {
        self.cpu_ns / self.wall_ns
    }
}

/// The same work without the tool and with it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Pair {
    pub(super) untraced: Stretch,
    pub(super) traced: Stretch,
}

impl Pair {
    /// With the tool to without.
    pub(super) fn ratio(&self, figure: impl Fn(&Stretch) -> f64) -> f64 {
        figure(&self.traced) / figure(&self.untraced)
    }

    /// What the tool adds at the pace of the untraced target, in parts of one processor.
    pub(super) fn added_share(&self) -> f64 {
        (self.ratio(Stretch::cpu_ns_per_unit) - 1.0) * self.untraced.cpu_share()
    }
}
