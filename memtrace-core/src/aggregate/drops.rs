//! What was lost, by reason.

use std::collections::BTreeMap;

use memtrace_common::DropReason;

/// A count for each [`DropReason`], monotonic.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    /// Counts one loss.
    pub const fn count(&mut self, reason: DropReason) {
        self.add(reason, 1);
    }

    /// Counts several losses at once.
    pub const fn add(&mut self, reason: DropReason, losses: u64) {
        let count = &mut self.0[reason as usize];
        *count = count.saturating_add(losses);
    }

    /// How often this happened.
    #[must_use]
    pub const fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Every reason with its count, in the order of the reasons.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().map(|reason| (reason, self.get(reason)))
    }

    /// Every reason with its count, as `Quality` carries it.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<DropReason, u64> {
        self.iter().collect()
    }
}
