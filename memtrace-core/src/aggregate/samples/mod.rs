//! The samples of a process that is looked at in windows, and what they say of the whole.
//!
//! In: records of windows, what looks at memory showed, and which share of the process' work each window saw. Out:
//! for each site live bytes, growth and survival, each with the interval in which the truth lies. It refuses to count
//! as alive what may be dead: whatever changed without a proof is *unknown*, and only raises upper bounds.
//!
//! ```text
//! SampleBook          what each record means
//!  |- OpenWindow      what was sampled in the window that is open; its weights are not known yet
//!  `- Followed        samples with weights: alive, unknown, and for a minute the dead
//!      |- Schedule    when each is looked at next
//!      |- Declines    how fast the blocks of each site die, at each age
//!      `- Cohorts     fates, for survival
//! ```
//!
//! A sample drawn with probability `p` in a window that saw the share `q` of the work stands for `1/(p*q)` blocks.
//! Invariant: the point estimates of the sites add up to that of the process.

mod book;
mod closing;
mod cohort;
mod cut;
mod decline;
mod estimates;
mod followed;
mod presence;
mod random;
mod sample;
mod schedule;
mod sums;
mod window;

#[cfg(test)]
mod tests;

pub(super) use book::{Adopted, SampleBook, Tier};
pub(super) use closing::{Births, Closed};
pub(super) use estimates::{Estimates, Passes, SampleEstimate};
pub use followed::Verdict;
pub use sample::SampleNumber;
pub use window::{Candidate, WindowShare, WindowStart};
