//! Stage aggregate: the ledger of live blocks, and the figures drawn from it.
//!
//! In: decoded memory events, in the order of the ring, and what each stack id stands for. Out: for each process its
//! totals, rates and sites ([`ProcessFigures`]). It refuses to guess: what it cannot place is counted under a
//! [`memtrace_common::DropReason`] or as an unknown free, and is never subtracted from anything.
//!
//! ```text
//! Aggregator -> ProcessLedger (what each event means)
//!                 |- SampleBook   blocks seen in windows, where not every call is recorded (`samples`)
//!                 |- BlockTable   address -> block: size, site, birth
//!                 |- Reallocs     blocks that are between the two records of a realloc
//!                 |- Stacks       kernel stack id -> frames and their sites
//!                 `- Sites        (domain, frames) -> what was allocated there and what of it lives
//! ```
//!
//! Invariant, for each process in the exact tier, whatever the events: live bytes = allocated - freed - unfollowed =
//! the sum over the sites = the sum over the blocks; and likewise for blocks. With samples, the point estimates of the
//! sites add up to the process', and the ledger's own books balance as before with what it passed on taken off.

mod aggregator;
mod begun_again;
mod blocks;
mod drops;
mod epoch;
mod figures;
mod history;
mod ledger;
mod query;
mod realloc;
mod report;
mod samples;
mod shared;
mod sites;
mod stacks;
mod tiers;
mod unknown_frees;
mod views;
mod windows;

#[cfg(test)]
mod naive;
#[cfg(test)]
pub(in crate::aggregate) mod tests;

pub use aggregator::Aggregator;
pub use drops::DropCounts;
pub use figures::{ProcessFigures, SiteFigures, Unfollowed};
pub use query::{Query, Sort};
pub use samples::{Candidate, SampleNumber, Verdict, WindowShare, WindowStart};
pub use shared::Limits;
