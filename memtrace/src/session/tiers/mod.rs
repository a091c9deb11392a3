//! How closely each process is watched: the controller's decisions, carried out.
//!
//! In: what processes have borne (their meters), alarms, and what windows came to. Out: orders to the attach worker, the
//! conductor of windows and the follower of samples. It refuses to decide: `memtrace_core::budget` does.
//!
//! ```text
//! exact --(over budget)--> leaving --(blocks fingerprinted)--> windows --(cool enough)--> exact
//! ```
//!
//! Invariant: what a target bears is told to the controller once, as spending or in the report of a window.

mod calibration;
mod leave;
mod lives;
mod windows;

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Instant,
};

use memtrace_common::{Allowance, Meter};
use memtrace_core::{
    budget::{Controller, Costs, Decision, Limits, Spending, Window, stepped_share},
    estimate::ShareWindow,
    liveness::Allocators,
    model::Overhead,
};
use tokio::sync::mpsc::UnboundedSender;

use self::windows::OpenWindow;
use super::{pipeline::Pipeline, report::monotonic_ns, send};
use crate::{
    attach::Command,
    calibrate::WindowCosts,
    liveness::{Follower, SampleNumber},
    windows::{Conductor, Instruments, ProbedFile, WindowEvent},
};

/// Between two readings of all meters.
const READING_NS: u64 = 1_000_000_000;

/// Windows over which the watched share of a process' work is pooled: one alone is noise where work comes in bursts.
const POOLED_WINDOWS: u32 = 32;

/// Everything about tiers that the session owns.
pub(super) struct Tiers {
    controller: Controller,
    costs: Costs,
    window_costs: WindowCosts,
    instruments: Instruments,
    conductor: Conducting,
    /// Ordered before there was a conductor.
    waiting: Vec<Window>,
    events: UnboundedSender<WindowEvent>,
    follower: Option<Follower>,
    targets: HashMap<u32, Tiered>,
    random: RandomState,
    read_ns: u64,
    swept_ns: u64,
    /// The exact tier probes Python's objects as well.
    python_objects: bool,
}

/// Whether there are windows.
enum Conducting {
    /// Nobody needed one yet.
    NotAsked,
    /// The worker prepares them.
    Asked,
    /// There are.
    Ready(Conductor),
    /// There are none on this machine.
    Impossible,
}

/// One process.
struct Tiered {
    pid: u32,
    /// What the controller was told of.
    told: Meter,
    files: Arc<[ProbedFile]>,
    allocators: Allocators,
    /// A guess, see [`stepped_share`].
    stepped_share: f64,
    /// Since when its live blocks are being fingerprinted, before its probes go.
    leaving_since: Option<Instant>,
    open: Option<OpenWindow>,
    work: ShareWindow,
    /// No window has closed since it left the exact tier.
    is_first_stretch: bool,
    /// Its CPU clock when the last window closed, tracing that is no work added.
    cpu_ns: u64,
    /// Samples of which the follower keeps a fingerprint.
    remembered: Vec<SampleNumber>,
}

impl Tiers {
    pub(super) fn new(
        limits: Option<Limits>,
        instruments: Instruments,
        events: UnboundedSender<WindowEvent>,
        follower: Option<Follower>,
        python_objects: bool,
    ) -> Self {
        let random = RandomState::new();
        let costs = Costs::default();
        let now_ns = monotonic_ns();
        Self {
            controller: Controller::new(limits, costs, random.hash_one(0_u8), now_ns),
            costs,
            window_costs: WindowCosts::default(),
            instruments,
            conductor: Conducting::NotAsked,
            waiting: Vec::new(),
            events,
            follower,
            targets: HashMap::new(),
            random,
            read_ns: now_ns,
            swept_ns: now_ns,
            python_objects,
        }
    }

    /// What tracing costs a process, for people.
    pub(super) fn overhead(&self, target: u32) -> Overhead {
        self.controller.report(target, monotonic_ns()).unwrap_or_default()
    }

    fn tell(&mut self, target: u32, now_ns: u64) {
        let Some(tiered) = self.targets.get_mut(&target) else { return };
        let Some(meter) = self.instruments.meters.read(target) else { return };
        let spending = Spending::between(&tiered.told, &meter);
        tiered.told = meter;
        self.controller.spent(target, spending, now_ns);
    }

    fn forget(&mut self, target: u32) {
        if self.targets.remove(&target).is_some() {
            self.controller.remove(target);
            self.waiting.retain(|window| window.target != target);
            if let Conducting::Ready(conductor) = &self.conductor {
                conductor.forget(target);
            }
            self.instruments.meters.forget(target);
            self.instruments.allowances.clear(target);
            self.end_following(target);
        }
    }
}

impl Pipeline {
    /// A process begins to be followed. True when every call of it is to be seen.
    pub(super) fn begin_tier(&mut self, target: u32, pid: u32, is_from_start: bool) -> bool {
        let now_ns = monotonic_ns();
        if let Err(error) = self.tiers.instruments.meters.follow(target) {
            tracing::warn!("what tracing costs process {pid} cannot be measured: {error}");
        }
        self.tiers.targets.insert(target, Tiered::new(pid));
        self.tiers.controller.add(target, now_ns, is_from_start);
        let decisions = self.tiers.controller.tick(now_ns);
        let is_exact = decisions.contains(&Decision::AttachExact { target });
        let others = decisions.into_iter().filter(|decision| *decision != Decision::AttachExact { target });
        others.for_each(|decision| self.carry_out(decision));
        is_exact
    }

    /// A process replaced its image: it is another program now.
    pub(super) fn restart_tier(&mut self, target: u32) {
        let Some(pid) = self.tiers.targets.get(&target).map(|tiered| tiered.pid) else { return };
        self.tiers.forget(target);
        if self.begin_tier(target, pid, true) {
            send(&self.commands, Command::Attach { target });
        } else {
            send(&self.commands, Command::LetGo { target });
        }
    }

    /// A process has ended, or is no longer wanted.
    pub(super) fn end_tier(&mut self, target: u32) {
        self.tiers.forget(target);
    }

    /// What can be probed in a process is known, or has changed.
    pub(super) fn note_files(&mut self, target: u32, files: Arc<[ProbedFile]>) {
        let Some(tiered) = self.tiers.targets.get_mut(&target) else { return };
        // Windows probe Python's objects as well; what they cost is in their reports.
        let share =
            |python_objects| stepped_share(files.iter().flat_map(|file| file.object.sites(python_objects)));
        tiered.stepped_share = share(true);
        self.tiers.controller.set_stepped_share(target, share(self.tiers.python_objects));
        tiered.allocators = allocators(&files);
        tiered.files = files;
    }

    /// Reads meters and does what the controller decides.
    pub(super) fn tend_tiers(&mut self) {
        let now_ns = monotonic_ns();
        if now_ns.saturating_sub(self.tiers.read_ns) >= READING_NS {
            self.tiers.read_ns = now_ns;
            let targets: Vec<u32> = self.tiers.targets.keys().copied().collect();
            targets.into_iter().for_each(|target| self.tiers.tell(target, now_ns));
        }
        self.let_go_overdue();
        self.decide(now_ns);
        self.check_lives(now_ns);
    }

    /// A target has hit as many probes as it was allowed.
    pub(super) fn over_allowance(&mut self, target: u32, window: u32) {
        if window == 0 {
            let now_ns = monotonic_ns();
            self.tiers.tell(target, now_ns);
            self.tiers.controller.over_allowance(target, now_ns);
            self.decide(now_ns);
        }
    }

    fn decide(&mut self, now_ns: u64) {
        for decision in self.tiers.controller.tick(now_ns) {
            self.carry_out(decision);
        }
    }

    fn carry_out(&mut self, decision: Decision) {
        tracing::debug!("{decision:?}");
        match decision {
            Decision::AttachExact { target } => {
                if let Conducting::Ready(conductor) = &self.tiers.conductor {
                    conductor.forget(target);
                }
                self.tiers.instruments.allowances.clear(target);
                self.aggregator.begin_exact(target);
                send(&self.commands, Command::Attach { target });
            }
            Decision::DetachExact { target } => self.leave_exact(target),
            Decision::OpenWindow(window) => self.order_window(&window),
            Decision::SetAllowance { target, entries_more } => self.allow(target, entries_more),
            Decision::Off { target, reason } => {
                tracing::debug!("target {target} is off: {reason}");
                if let Conducting::Ready(conductor) = &self.tiers.conductor {
                    conductor.forget(target);
                }
            }
        }
    }

    fn allow(&mut self, target: u32, entries_more: u64) {
        let Some(tiered) = self.tiers.targets.get(&target) else { return };
        let entries_max = tiered.told.entries.saturating_add(entries_more);
        let allowance = Allowance { entries_max, ..Allowance::default() };
        if let Err(error) = self.tiers.instruments.allowances.set(target, allowance) {
            tracing::warn!("the cost of tracing target {target} is not bounded: {error}");
        }
    }
}

impl Tiered {
    fn new(pid: u32) -> Self {
        Self {
            pid,
            told: Meter::default(),
            files: Arc::from([]),
            allocators: Allocators { libc: memtrace_core::liveness::Libc::Other, pool_bytes: 0 },
            stepped_share: 0.0,
            leaving_since: None,
            open: None,
            work: ShareWindow::over(POOLED_WINDOWS),
            is_first_stretch: true,
            cpu_ns: 0,
            remembered: Vec::new(),
        }
    }
}

/// Whose notes tell of a process' blocks: those of the library that is probed.
fn allocators(files: &[ProbedFile]) -> Allocators {
    let libc = files.iter().find_map(|file| file.object.libc.as_ref().map(|_| file.object.libc_kind));
    let python = files.iter().find_map(|file| file.object.python.as_ref()?.version.as_ref().ok());
    Allocators {
        libc: libc.unwrap_or(memtrace_core::liveness::Libc::Other),
        pool_bytes: Allocators::pool_bytes_of(python.map_or(10, |version| version.minor)),
    }
}
