//! How closely a process is watched, and what that costs it.

/// How closely.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Tier {
    /// Every call is seen.
    #[default]
    Exact,
    /// Calls are seen in short windows, and of those a sample is followed.
    Windows,
    /// Nothing is seen: even windows would cost more than is allowed.
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

/// What tracing costs one process. Shares are of one core: 0.01 is 10 ms a second.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Overhead {
    /// How closely it is watched.
    pub tier: Tier,
    /// Why it is not watched more closely.
    pub reason: Option<String>,
    /// What it may cost; `None` without a limit (`--exact`).
    pub limit_share: Option<f64>,
    /// What it has cost over the last ten seconds.
    pub spent_share: f64,
    /// What it has cost since the process is traced.
    pub spent_share_total: f64,
    /// Share of the time since the process is traced in which probes were armed: 1 in the exact tier.
    pub armed_share: f64,
    /// Windows so far.
    pub windows: u64,
    /// In the last window, allocations of this many bytes were sampled with probability 1 - 1/e; 0 when all were.
    pub mean_bytes: u64,
}
