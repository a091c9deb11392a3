//! How a target is traced, for people.

/// How much of what a target does is seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tier {
    /// Every call.
    Exact,
    /// Some milliseconds at a time, at random.
    Windows,
    /// Nothing.
    Off,
}

impl Tier {
    /// The name that JSON, metrics and the table use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Windows => "windows",
            Self::Off => "off",
        }
    }
}

/// A target's tier and what it costs. Shares are of one core.
#[derive(Clone, PartialEq, Debug)]
pub struct TierReport {
    /// How it is traced.
    pub tier: Tier,
    /// Why it is not traced exactly.
    pub reason: Option<String>,
    /// What tracing it has cost in the last ten seconds.
    pub spent_share: f64,
    /// What tracing it has cost since it is followed.
    pub spent_share_total: f64,
    /// For which share of the time probes have been in place since it is followed.
    pub armed_share: f64,
    /// Windows closed.
    pub windows: u64,
    /// How thinly allocations are sampled in a window; 0 samples all.
    pub mean_bytes: u64,
    /// What it may cost; `None` is unlimited.
    pub limit_share: Option<f64>,
}

/// What tracing costs all targets together. Shares are of one core.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TotalReport {
    /// In the last ten seconds.
    pub spent_share: f64,
    /// Since the start.
    pub spent_share_total: f64,
    /// Windows closed.
    pub windows: u64,
    /// What it may be; `None` is unlimited.
    pub limit_share: Option<f64>,
    /// Targets traced exactly.
    pub exact: usize,
    /// Targets sampled in windows.
    pub in_windows: usize,
    /// Targets not traced.
    pub off: usize,
}
