//! Which sites to report, and in what order.

/// The order of sites. Equal ones are ordered by live bytes, then by which was seen first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Sort {
    /// Most live bytes first.
    #[default]
    Live,
    /// Most growth since the interval began first; of a process with samples, by the lower bound of growth a minute.
    Growth,
    /// Most allocations since the interval began first; without filters, sites where nothing lives are listed too.
    Rate,
    /// Most live blocks first.
    Count,
    /// The site with the oldest live block first.
    Age,
}

/// What a user asked to see of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// How many sites are listed; the rest is summed.
    pub top: usize,
    /// Their order.
    pub sort: Sort,
    /// Only blocks of at least this age.
    pub older_ns: Option<u64>,
    /// Only blocks of at least this size.
    pub min_size_bytes: Option<u64>,
}

impl Query {
    /// True when every live block counts.
    #[must_use]
    pub const fn is_unfiltered(&self) -> bool {
        self.older_ns.is_none() && self.min_size_bytes.is_none()
    }
}
