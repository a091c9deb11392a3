//! The leaf types that the stages share. Imports no stage.

mod frame;
mod frame_ref;
mod process;
mod quality;
mod snapshot;

pub use frame::{Frame, FrameKind};
pub use frame_ref::FrameRef;
pub use process::{ProcessInfo, ProcessState};
pub use quality::{OwnCost, Quality};
pub use snapshot::{OtherSites, ProcessSnapshot, Rates, SiteSnapshot, Snapshot, Totals};
