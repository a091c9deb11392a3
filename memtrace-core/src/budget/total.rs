//! What tracing costs all targets together, for people.

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
