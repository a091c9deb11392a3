//! A model of traced processes: how often they allocate, what a hit takes them, and how it slows them down. What the
//! controller is told is what the kernel and the conductor would tell; what is judged is the true cost.

use std::collections::BTreeMap;

use super::*;
use crate::budget::jitter::Jitter;

/// The step of the simulation: also how late an alarm is heard.
const STEP_NS: u64 = 10_000_000;

/// How long probes stay after exact tracing was ended.
const DETACH_NS: f64 = 20e6;

/// Armed and disarmed for a window: the probes of a C library's allocator that programs use.
const TOGGLES: u64 = 10;

/// What a process does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) threads: f64,
    /// The part of the time that each thread works, untraced.
    pub(super) busy: f64,
    /// Of all threads, untraced. Each block is freed again.
    pub(super) allocations_per_second: f64,
}

impl Load {
    /// One thread that does nothing else, or as little as such a rate takes.
    pub(super) fn of_rate(allocations_per_second: f64) -> Self {
        Self { threads: 1.0, busy: (allocations_per_second / 1e6).clamp(0.05, 1.0), allocations_per_second }
    }

    pub(super) fn of_threads(threads: f64, allocations_per_second: f64) -> Self {
        Self { threads, busy: 1.0, allocations_per_second }
    }
}

/// What a process does at a time, in a tier: an adversary knows in which one it is.
pub(super) type Program = Box<dyn FnMut(f64, Tier) -> Load>;

pub(super) struct Process {
    pub(super) program: Program,
    /// What hits truly cost it.
    costs: Costs,
    stepped_share: f64,
    pub(super) true_ns: f64,
    pub(super) windows: u64,
    pub(super) tier_changes: u32,
    pub(super) opened_ns: Vec<u64>,
    load: Load,
    is_exact: bool,
    entries_left: f64,
    untold: Spending,
    cpu_since_window_ns: f64,
    open: Option<Window>,
    last_tier: Tier,
}

#[derive(Clone, Copy)]
struct Borne {
    spending: Spending,
    cpu_ns: f64,
    true_ns: f64,
}

impl Process {
    pub(super) fn new(program: impl FnMut(f64, Tier) -> Load + 'static) -> Self {
        let costs =
            Costs { relative_error: 0.0, entry_ns: 500.0, stepped_entry_ns: 9_300.0, ..Costs::default() };
        Self {
            program: Box::new(program),
            costs,
            stepped_share: 0.0,
            true_ns: 0.0,
            windows: 0,
            tier_changes: 0,
            opened_ns: Vec::new(),
            load: Load::default(),
            is_exact: false,
            entries_left: f64::INFINITY,
            untold: Spending::default(),
            cpu_since_window_ns: 0.0,
            open: None,
            last_tier: Tier::Exact,
        }
    }

    pub(super) fn steady(load: Load) -> Self {
        Self::new(move |_, _| load)
    }

    /// With this share of its entries on stepped probes.
    pub(super) fn stepped(self, stepped_share: f64) -> Self {
        Self { stepped_share, ..self }
    }

    /// With hits that truly cost this.
    pub(super) fn costing(self, entry_ns: f64, return_ns: f64) -> Self {
        Self { costs: Costs { entry_ns, return_ns, ..self.costs }, ..self }
    }

    /// What the process bears when it is traced for a while, with stacks for this part of its allocations, at most so
    /// many of them.
    fn bear(&self, span_ns: f64, stack_part: f64, stacks_max: f64) -> Borne {
        const STACK_NS: f64 = 2_000.0;
        let Load { threads, busy, allocations_per_second } = self.load;
        let demand = threads * busy;
        if demand <= 0.0 || allocations_per_second <= 0.0 {
            return Borne { spending: Spending::default(), cpu_ns: demand * span_ns, true_ns: 0.0 };
        }
        let of_work = allocations_per_second / demand / 1e9;
        let hits_ns = 2.0 * self.costs.entry_of(self.stepped_share) + self.costs.return_ns;
        let slowdown = |part: f64| 1.0 + of_work * (hits_ns + part * STACK_NS);
        let allocations = |part: f64| {
            let cpu_ns = (demand * slowdown(part)).min(threads) * span_ns;
            (of_work * cpu_ns / slowdown(part), cpu_ns)
        };
        let mut part = stack_part;
        if allocations(part).0 * part > stacks_max {
            part = stacks_max / allocations(part).0;
        }
        let (count, cpu_ns) = allocations(part);
        let stacks_ns = count * part * STACK_NS;
        let spending = Spending {
            entries: (count * 2.0) as u64,
            returns: count as u64,
            reporting_ns: stacks_ns as u64,
            toggles: 0,
        };
        Borne { spending, cpu_ns, true_ns: count * hits_ns + stacks_ns }
    }

    fn trace_exactly(&mut self, span_ns: f64) {
        let Borne { spending, true_ns, .. } = self.bear(span_ns, 1.0, f64::INFINITY);
        self.untold.entries += spending.entries;
        self.untold.returns += spending.returns;
        self.untold.reporting_ns += spending.reporting_ns;
        self.entries_left -= spending.entries as f64;
        self.true_ns += true_ns;
    }

    /// The conductor's work: opens the window, watches its quota every quarter of a millisecond, closes it.
    fn trace_window(&mut self, window: &Window) -> WindowReport {
        let chance = memtrace_common::thinning::chance(100, window.mean_bytes, 0) as f64
            / memtrace_common::thinning::CERTAIN as f64;
        let stacks_max = f64::from(window.sampled_max);
        let mut span_ns = window.length_ns as f64 + 100_000.0;
        let mut borne = self.bear(span_ns, chance, stacks_max);
        let quota_hit = borne.spending.entries > window.entries_more;
        if quota_hit {
            let part = window.entries_more as f64 / borne.spending.entries as f64;
            span_ns = (span_ns * part + 250_000.0).min(span_ns);
            borne = self.bear(span_ns, chance, stacks_max);
        }
        let toggles_ns = if borne.cpu_ns > 0.0 { TOGGLES as f64 * self.costs.toggle_ns * 0.5 } else { 0.0 };
        self.true_ns += borne.true_ns + toggles_ns;
        self.windows += 1;
        self.opened_ns.push(window.not_before_ns);
        let sampled = (borne.spending.returns as f64 * chance).min(stacks_max) as u64;
        let cpu_before_ns = std::mem::take(&mut self.cpu_since_window_ns);
        WindowReport {
            window: window.window,
            armed_ns: span_ns as u64,
            spending: Spending { toggles: TOGGLES, ..borne.spending },
            sampled,
            quota_hit,
            hits_ns: None,
            cpu_ns: Some(borne.cpu_ns as u64),
            cpu_before_ns: Some(cpu_before_ns as u64),
        }
    }
}

pub(super) struct Simulation {
    pub(super) controller: Controller,
    pub(super) processes: BTreeMap<u32, Process>,
    pub(super) now_ns: u64,
    /// Noise of CPU time in windows.
    jitter: Jitter,
}

impl Simulation {
    pub(super) fn new(limits: Limits, costs: Costs, processes: Vec<Process>) -> Self {
        let now_ns = 77 * SECOND_NS as u64;
        let mut controller = Controller::new(Some(limits), costs, 42, now_ns);
        let processes: BTreeMap<u32, Process> = (1..).zip(processes).collect();
        for (&id, process) in &processes {
            controller.add(id, now_ns, false);
            controller.set_stepped_share(id, process.stepped_share);
        }
        Self { controller, processes, now_ns, jitter: Jitter::new(9) }
    }

    pub(super) fn of(limits: Limits, process: Process) -> Self {
        Self::new(limits, Costs::default(), vec![process])
    }

    pub(super) fn run(&mut self, seconds: f64) {
        let end_ns = self.now_ns + (seconds * SECOND_NS) as u64;
        while self.now_ns < end_ns {
            self.step();
        }
    }

    fn step(&mut self) {
        let second = self.now_ns as f64 / SECOND_NS;
        let end_ns = self.now_ns + STEP_NS;
        for (&id, process) in &mut self.processes {
            process.load = (process.program)(second, process.last_tier);
            if process.is_exact {
                process.trace_exactly(STEP_NS as f64);
                let is_alarm = process.entries_left < 0.0;
                if is_alarm || end_ns.is_multiple_of(SECOND_NS as u64) {
                    self.controller.spent(id, std::mem::take(&mut process.untold), end_ns);
                }
                if is_alarm {
                    self.controller.over_allowance(id, end_ns);
                }
            }
            if let Some(window) = process.open.take_if(|window| window.not_before_ns < end_ns) {
                let report = process.trace_window(&window);
                self.controller.window_closed(id, &report, end_ns + report.armed_ns);
            }
            let noise = self.jitter.between(0.9, 1.1);
            process.cpu_since_window_ns += process.load.threads * process.load.busy * STEP_NS as f64 * noise;
        }
        self.now_ns = end_ns;
        for decision in self.controller.tick(end_ns) {
            self.obey(decision);
        }
        for (&id, process) in &mut self.processes {
            let tier = self.controller.report(id, end_ns).expect("it is followed").tier;
            process.tier_changes += u32::from(tier != process.last_tier);
            process.last_tier = tier;
        }
    }

    fn obey(&mut self, decision: Decision) {
        let Some(process) = self.processes.get_mut(&decision.target()) else { return };
        match decision {
            Decision::AttachExact { .. } => {
                assert!(!process.is_exact && process.open.is_none(), "attached twice");
                process.is_exact = true;
                process.entries_left = f64::INFINITY;
            }
            Decision::DetachExact { target } => {
                assert!(process.is_exact, "nothing to detach");
                process.trace_exactly(DETACH_NS);
                process.is_exact = false;
                self.controller.spent(target, std::mem::take(&mut process.untold), self.now_ns);
            }
            Decision::SetAllowance { entries_more, .. } => {
                assert!(process.is_exact);
                process.entries_left = entries_more as f64 - process.untold.entries as f64;
            }
            Decision::OpenWindow(window) => {
                assert!(!process.is_exact && process.open.is_none(), "two at once");
                assert!(window.not_before_ns >= self.now_ns);
                process.open = Some(window);
            }
            Decision::Off { reason, .. } => {
                assert!(!process.is_exact && process.open.is_none() && !reason.is_empty());
            }
        }
    }

    pub(super) fn tier(&self, target: u32) -> Tier {
        self.controller.report(target, self.now_ns).expect("it is followed").tier
    }
}
