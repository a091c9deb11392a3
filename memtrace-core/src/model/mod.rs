//! The leaf types that the stages share. Imports no stage.

mod estimate;
mod frame;
mod frame_ref;
mod interval;
mod overhead;
mod process;
mod quality;
mod snapshot;

pub use estimate::{Estimate, SURVIVAL_AGES_SECONDS};
pub use frame::{Frame, FrameKind};
pub use frame_ref::FrameRef;
pub use interval::Interval;
pub use overhead::{Overhead, Tier};
pub use process::{ProcessInfo, ProcessState};
pub use quality::{OwnCost, Quality};
pub use snapshot::{OtherSites, ProcessSnapshot, Rates, SiteSnapshot, Snapshot, Totals};
