//! A typed view of memtrace's JSON lines. A field that is missing or of another type fails the test that reads it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::figures::{Figures, Live, SiteFigures};

/// `data` of a line of type `snapshot`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) unix_ns: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) quality: Quality,
    pub(crate) processes: Vec<Process>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Quality {
    pub(crate) events: u64,
    pub(crate) dropped: BTreeMap<String, u64>,
    pub(crate) stacks_truncated: u64,
    pub(crate) stacks_ended: BTreeMap<String, u64>,
    pub(crate) frames_unresolved: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) start_time_ticks: u64,
    pub(crate) comm: String,
    pub(crate) cmdline: Vec<String>,
    pub(crate) exe: Option<String>,
    pub(crate) state: State,
    /// Probe sites attached to it; 0 until then.
    pub(crate) probes: u64,
    pub(crate) rss_bytes: Option<u64>,
    #[serde(flatten)]
    pub(crate) figures: Figures,
    #[serde(flatten)]
    pub(crate) certainty: Certainty,
    pub(crate) overhead: Overhead,
    pub(crate) sites: Vec<Site>,
    pub(crate) other_sites: OtherSites,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Running,
    Exited,
}

/// The 95 % intervals around figures of a process or a site. `None` above is unbounded.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Certainty {
    pub(crate) live_bytes_low: f64,
    pub(crate) live_bytes_high: Option<f64>,
    pub(crate) growth_bytes_per_minute: Option<f64>,
}

impl Certainty {
    /// True when the interval holds so many live bytes.
    pub(crate) fn holds(&self, live_bytes: u64) -> bool {
        let live_bytes = live_bytes as f64;
        self.live_bytes_low <= live_bytes && self.live_bytes_high.is_none_or(|high| live_bytes <= high)
    }
}

/// How closely a process is watched, and what that costs it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Overhead {
    pub(crate) tier: String,
    pub(crate) reason: Option<String>,
    pub(crate) limit_share: Option<f64>,
    pub(crate) spent_share: f64,
    pub(crate) armed_share: f64,
    pub(crate) windows: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OtherSites {
    pub(crate) sites: u64,
    #[serde(flatten)]
    pub(crate) live: Live,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Site {
    pub(crate) id: String,
    pub(crate) domain: String,
    #[serde(flatten)]
    pub(crate) figures: SiteFigures,
    #[serde(flatten)]
    pub(crate) certainty: Certainty,
    pub(crate) sampled_blocks: u64,
    pub(crate) oldest_age_ns: Option<u64>,
    pub(crate) frames: Vec<Frame>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Frame {
    pub(crate) kind: String,
    pub(crate) function: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) reason: Option<String>,
}

impl Snapshot {
    /// The process, if it is in this snapshot.
    pub(crate) fn process(&self, pid: u32) -> Option<&Process> {
        self.processes.iter().find(|process| process.pid == pid)
    }
}

impl Process {
    /// The sum of the sites that pass.
    pub(crate) fn sum(&self, pass: impl Fn(&Site) -> bool) -> SiteFigures {
        let mut sum = SiteFigures::default();
        for site in self.sites.iter().filter(|site| pass(site)) {
            sum.add(site.figures);
        }
        sum
    }

    /// The sum of the sites whose first frame with one of `functions` is `function`.
    pub(crate) fn innermost_of(&self, functions: &[&str], function: &str) -> SiteFigures {
        self.sum(|site| {
            let known = site.frames.iter().filter_map(|frame| frame.function.as_deref());
            known.into_iter().find(|name| functions.contains(name)) == Some(function)
        })
    }

    /// The site whose stack has this function, if there is one with live blocks.
    pub(crate) fn site_of(&self, function: &str) -> Option<&Site> {
        let mut sites = self.sites.iter();
        sites.find(|site| site.frames.iter().any(|frame| frame.function.as_deref() == Some(function)))
    }

    /// The site with the most live bytes.
    pub(crate) fn top(&self) -> &Site {
        self.sites.iter().max_by_key(|site| site.figures.live_bytes).unwrap_or_else(|| {
            panic!("process {} ({}) has no sites", self.pid, self.comm);
        })
    }
}

impl Site {
    /// The Python frames, innermost first.
    pub(crate) fn python(&self) -> Vec<&Frame> {
        self.frames.iter().filter(|frame| frame.kind == "python").collect()
    }

    /// True when the innermost Python frame is at this line of the file with this ending.
    pub(crate) fn is_at(&self, file: &str, line: u32) -> bool {
        self.python().first().is_some_and(|frame| frame.is_at(file, line))
    }
}

impl Frame {
    /// True at this line of the file with this ending.
    pub(crate) fn is_at(&self, file: &str, line: u32) -> bool {
        self.line == Some(line) && self.file.as_deref().is_some_and(|path| path.ends_with(file))
    }

    /// True in this function, however its name is qualified.
    pub(crate) fn is_in(&self, function: &str) -> bool {
        self.function.as_deref().is_some_and(|name| {
            name == function || name.strip_suffix(function).is_some_and(|rest| rest.ends_with('.'))
        })
    }
}
