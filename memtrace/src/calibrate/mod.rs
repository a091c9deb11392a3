//! What a probe hit costs on this machine: between 0.15 and 10 us, by processor, hypervisor and kernel.
//!
//! In: the loaded BPF programs. Out: [`Calibrated`], the prices that the budget is kept by. The programs that targets
//! pay for are attached to functions of a helper process (this program, started once more), which calls them in a loop
//! beside copies of them without a probe. It refuses to guess: what is no plausible price is an error, and the defaults
//! of [`Costs`] remain.
//!
//! Invariant: the helper ends when its standard input does, so it never outlives who started it.
//!
//! It takes about a tenth of a second, of which the caller waits all, so it belongs on a thread that may wait; and it
//! is in three steps, because the list of followed processes may be another thread's:
//!
//! ```text
//! let helper = Helper::start()?;
//! targets.follow(helper.pid(), TARGET);
//! let calibrated = helper.measure(&mut kernel)?;     // and then targets.unfollow(pid)
//! ```
//!
//! What traps cost in windows, where probes are armed in another way, is measured with another helper when the first
//! process needs windows: [`Helper::measure_in_window`], [`WindowCosts`].

mod code;
mod figures;
mod helper;
mod window;

use std::io;

use memtrace_core::budget::Costs;
use thiserror::Error;

pub use self::{
    helper::{Helper, as_helper},
    window::WindowCosts,
};
use crate::probe::{Execution, Site};

/// The number under which the helper is followed. Nothing that is recorded of it is of interest; real targets are
/// numbered from 1 on.
pub const TARGET: u32 = u32::MAX;

/// What was measured.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Calibrated {
    /// The prices.
    pub costs: Costs,
    /// What it costs on top to record a stack of [`STACK_FRAMES`] frames. Targets are charged for their own stacks, by
    /// the clock of the programs.
    pub stack_ns: f64,
}

/// Frames of the stack that is recorded, those of the helper's own loop not counted.
pub const STACK_FRAMES: u32 = 8;

impl Calibrated {
    /// How many hits a second this share of a core buys, on emulated instructions and without their returns.
    #[must_use]
    pub fn hits_per_second(&self, share: f64) -> f64 {
        share * 1e9 / self.costs.entry_ns
    }
}

/// Why nothing was measured.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// The helper could not be started, or did not answer.
    #[error("the helper process failed: {0}")]
    Helper(#[from] io::Error),
    /// This program's own file is not mapped, or a function of it is not found in it.
    #[error("this program's own functions cannot be found in its file")]
    NoFunctions,
    /// The kernel took the programs but not the probes.
    #[error(transparent)]
    Attach(#[from] crate::kernel::attach::AttachError),
    /// Nor windows.
    #[error(transparent)]
    Anchor(#[from] crate::kernel::anchor::AnchorError),
    /// What was measured is no price.
    #[error("what was measured is not plausible: {0}")]
    Implausible(String),
}

/// Which share of a target's entries is probably stepped, from the sites that are probed in it.
#[must_use]
pub fn stepped_share(sites: &[&Site]) -> f64 {
    let of_site = |site: &&Site| (site.call, site.execution == Execution::Stepped);
    memtrace_core::budget::stepped_share(sites.iter().map(of_site))
}
