//! A figure with its error.

/// An estimate and the interval that holds the truth in at least 95 of 100 cases. `low <= value <= high`; `high` is
/// infinite where nothing bounds it. An exact figure has no width.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// The truth is hardly below this.
    pub low: f64,
    /// The truth is hardly above this.
    pub high: f64,
}

impl Interval {
    /// A figure that is known.
    #[must_use]
    pub const fn exact(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    /// True when there is no error.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.low == self.high
    }
}
