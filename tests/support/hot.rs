//! `programs/c/hot.c`: a program that allocates too much to be seen call by call, as hot as it is told to be.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde::Deserialize;

use super::figures::Live;
use super::memtrace::Memtrace;
use super::poll::PATIENCE;
use super::snapshot::{Process, State};
use super::target::Target;

/// What it can be told to do; the numbers are its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heat {
    /// A block every ten milliseconds.
    Cool = 0,
    /// 2,000 blocks of 500 bytes, kept, at once.
    Plant = 1,
    /// As many as it can.
    Hot = 2,
    /// The same with a leak among them.
    Leaking = 3,
    /// 30 children that allocate.
    Fork = 4,
    /// The same in the parent's memory.
    Vfork = 5,
    /// 30 children that execute another program.
    Spawn = 6,
}

/// What it says is true.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Books {
    /// Blocks taken and given back.
    pub(crate) turns: u64,
    /// Processor time.
    pub(crate) cpu_ns: u64,
    pub(crate) children: u64,
    pub(crate) maps: u64,
    pub(crate) planted: Live,
    pub(crate) leaked: Live,
}

impl Target {
    /// The program with so many workers, and steps of arithmetic after each block.
    pub(crate) fn hot(workers: u32, work_steps: u32, more: &[&str]) -> Self {
        let (workers, work_steps) = (workers.to_string(), work_steps.to_string());
        Self::c("hot", &[&[workers.as_str(), work_steps.as_str()], more].concat())
    }

    pub(crate) fn heat(&mut self, heat: Heat) {
        self.go(heat as u64);
    }
}

impl Memtrace {
    /// Waits until a process is traced in windows, and so many have closed. It has to save for the first.
    pub(crate) fn wait_for_windows(&self, pid: u32, windows: u64) -> Process {
        self.wait_long_for_snapshot(2 * PATIENCE, &format!("{windows} windows of {pid}"), |snapshot| {
            let process = snapshot.process(pid).filter(|process| process.state == State::Running)?;
            let overhead = &process.overhead;
            (overhead.tier == "windows" && overhead.windows >= windows).then(|| process.clone())
        })
    }

    /// Waits until a process is in a tier, longer than for other things: tiers are changed with hesitation.
    pub(crate) fn wait_for_tier(&self, pid: u32, tier: &str, patience: Duration) -> Process {
        self.wait_long_for_snapshot(patience, &format!("{pid} is in the tier {tier}"), |snapshot| {
            snapshot.process(pid).filter(|process| process.overhead.tier == tier).cloned()
        })
    }
}

/// Hot programs take whole processors. Tests of what they do run side by side; one that measures runs alone.
static MACHINE: RwLock<()> = RwLock::new(());

/// For tests that do not mind another hot program.
pub(crate) fn share_machine() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// For tests that measure.
pub(crate) fn have_machine() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}
