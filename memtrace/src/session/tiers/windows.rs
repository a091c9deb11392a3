//! The session's part in a window: which blocks are to be fingerprinted, and what the window was worth.

use std::time::{Duration, Instant};

use memtrace_common::DropReason;
use memtrace_core::{
    aggregate::{Candidate, WindowShare, WindowStart},
    budget::{Spending, Window, WindowReport},
    estimate::{Stretch, TrapCosts, WorkShare},
    liveness::{Block, Fingerprint, Parts, Ranges, ranges},
};

use super::{Conducting, Pipeline, Tiered, monotonic_ns};
use crate::{
    liveness::Order,
    windows::{
        Borne, CandidatesRequest, Conductor, Fingerprints, MemoryRange, WindowEvent, WindowFailure,
        WindowMeasure, WindowOrder,
    },
};

/// A window that was ordered and has not ended.
pub(super) struct OpenWindow {
    number: u32,
    mean_bytes: u64,
    /// Records lost for want of room when it was ordered: a free among later ones would be missed.
    lost_before: u64,
    /// Whose memory is being read, in the order of the ranges.
    asked: Vec<(Candidate, Ranges)>,
    /// When it was read.
    read_ns: Option<u64>,
}

impl Pipeline {
    /// There is a conductor, or there will be none.
    pub(in crate::session) fn conductor_is(&mut self, conductor: Result<Conductor, String>) {
        let waiting = std::mem::take(&mut self.tiers.waiting);
        self.tiers.conductor = match conductor {
            Ok(conductor) => Conducting::Ready(conductor),
            Err(reason) => {
                let sentence = format!(
                    "processes that allocate too much to be seen call by call are not traced, for there are no \
                     windows: {reason}"
                );
                self.reporter.warn(None, sentence);
                self.tiers.controller.without_windows(reason);
                Conducting::Impossible
            }
        };
        waiting.iter().for_each(|window| self.order_window(window));
    }

    pub(super) fn order_window(&mut self, window: &Window) {
        self.prepare_windows();
        let target = window.target;
        let lost_before = self.records_lost();
        let conductor = match &self.tiers.conductor {
            Conducting::Ready(conductor) => conductor,
            // It opens late; a failure it is not.
            Conducting::NotAsked | Conducting::Asked => return self.tiers.waiting.push(*window),
            Conducting::Impossible => return self.window_failed(target, "there are no windows here"),
        };
        let Some(tiered) = self.tiers.targets.get_mut(&target) else { return };
        if tiered.files.is_empty() {
            return self.window_failed(target, "nothing in it can be probed");
        }
        tiered.open = Some(OpenWindow {
            number: window.window,
            mean_bytes: window.mean_bytes,
            lost_before,
            asked: Vec::new(),
            read_ns: None,
        });
        let now_ns = monotonic_ns();
        let start = WindowStart { window: window.window, mean_bytes: window.mean_bytes, opens_ns: now_ns };
        self.aggregator.begin_window(target, start);
        conductor.order(WindowOrder {
            target,
            pid: tiered.pid,
            window: window.window,
            files: std::sync::Arc::clone(&tiered.files),
            not_before: Instant::now() + Duration::from_nanos(window.not_before_ns.saturating_sub(now_ns)),
            length: Duration::from_nanos(window.length_ns),
            mean_bytes: window.mean_bytes,
            entries_max: window.entries_more,
            sampled_max: window.sampled_max,
        });
    }

    /// The ring was drained just before.
    pub(in crate::session) fn window_event(&mut self, event: WindowEvent) {
        match event {
            WindowEvent::Calibrated { pid, costs } => self.windows_calibrated(pid, costs),
            WindowEvent::Candidates(request) => self.name_candidates(&request),
            WindowEvent::Fingerprints(fingerprints) => self.take_fingerprints(&fingerprints),
            WindowEvent::Closed(measure) => self.window_closed(&measure),
            WindowEvent::Failed { target, window, failure } => {
                self.aggregator.void_window(target, window);
                if let Some(tiered) = self.tiers.targets.get_mut(&target) {
                    tiered.open = None;
                }
                if !matches!(failure, WindowFailure::Gone | WindowFailure::Executed) {
                    self.window_failed(target, &failure.to_string());
                }
            }
        }
    }

    fn window_failed(&mut self, target: u32, reason: &str) {
        self.tiers.controller.window_failed(target, reason, monotonic_ns());
    }

    /// The target bears its probes until this is answered.
    fn name_candidates(&mut self, request: &CandidatesRequest) {
        let (target, window) = (request.target, request.window);
        let Some(tiered) = self.tiers.targets.get_mut(&target) else { return };
        let allocators = tiered.allocators;
        let Some(open) = tiered.open.as_mut().filter(|open| open.number == window) else { return };
        let candidates = self.aggregator.candidates(target, window);
        open.asked = candidates
            .into_iter()
            .map(|candidate| (candidate, ranges(&block(&candidate), &allocators)))
            .collect();
        let ranges = open.asked.iter().flat_map(|(_, ranges)| ranges.as_slice());
        let ranges = ranges.map(|range| MemoryRange { address: range.address, bytes: range.length });
        // The conductor may have lost its patience.
        let _sent = request.answer.send(ranges.collect());
        let freed = self.aggregator.just_freed(target, window);
        let freed = freed.into_iter().map(|address| (address, memtrace_common::Domain::Libc));
        self.tiers.order(Order::Learn { target, freed: freed.collect() });
    }

    /// Whoever was freed before its memory was read is no candidate any more: its free is in the ring, drained by now.
    fn take_fingerprints(&mut self, read: &Fingerprints) {
        let target = read.target;
        let Some(tiered) = self.tiers.targets.get_mut(&target) else { return };
        let allocators = tiered.allocators;
        let Some(open) = tiered.open.as_mut().filter(|open| open.number == read.window) else { return };
        open.read_ns = Some(read.read_ns);
        let mut memory = read.memory.iter();
        let mut samples = Vec::with_capacity(open.asked.len());
        for (candidate, ranges) in open.asked.drain(..) {
            let mut parts: Parts<'_> = [None; Ranges::MAX];
            for (part, bytes) in parts.iter_mut().zip(memory.by_ref().take(ranges.as_slice().len())) {
                *part = bytes.as_deref();
            }
            let fingerprint = Fingerprint::from_bytes(block(&candidate), &allocators, &parts);
            samples.extend(fingerprint.map(|fingerprint| (candidate.sample, fingerprint)));
        }
        let living = self.aggregator.candidates(target, read.window);
        let living: std::collections::HashSet<u64> =
            living.iter().map(|candidate| candidate.sample).collect();
        samples.retain(|(sample, _)| living.contains(sample));
        let numbers: Vec<u64> = samples.iter().map(|(sample, _)| *sample).collect();
        tracing::debug!("{} of {} samples have fingerprints", numbers.len(), living.len());
        self.aggregator.fingerprinted(target, read.window, &numbers);
        self.tiers.order(Order::Remember { target, samples });
        numbers.into_iter().for_each(|sample| self.tiers.remember(target, sample));
    }

    fn window_closed(&mut self, measure: &WindowMeasure) {
        let (target, now_ns) = (measure.target, monotonic_ns());
        let lost = self.records_lost();
        let window_costs = self.tiers.window_costs;
        let Some(tiered) = self.tiers.targets.get_mut(&target) else { return };
        let Some(open) = tiered.open.take() else { return };
        tiered.charge(&measure.while_armed);
        let costs = window_costs.of_target(tiered.stepped_share);
        let cpu_before_ns = measure.process_cpu_ns_at_close.saturating_sub(tiered.cpu_ns);
        let is_whole = lost == open.lost_before && measure.has_fingerprints;
        // What a void window would have stood for, the next one stands for.
        let share = if is_whole { tiered.share(measure, &costs) } else { None };
        let report = WindowReport {
            window: measure.window,
            armed_ns: measure.armed_ns,
            spending: spending(&measure.while_armed, u64::from(measure.toggles) * 2),
            hits_ns: Some(tiered.work.tracing_ns_most(&measure.while_armed.hits, &costs) as u64),
            sampled: measure.in_window.sampled,
            quota_hit: measure.quota_hit,
            cpu_ns: Some(measure.cpu_ns_in_window),
            cpu_before_ns: Some(cpu_before_ns),
        };
        match share {
            Some(share) => {
                let share = WindowShare { closed_ns: open.read_ns.unwrap_or(measure.close_ns), ..share };
                self.aggregator.close_window(target, measure.window, &share);
            }
            None => self.aggregator.void_window(target, measure.window),
        }
        tracing::debug!("{measure:?} {share:?}, mean {}", open.mean_bytes);
        self.tiers.controller.window_closed(target, &report, now_ns);
    }

    fn records_lost(&self) -> u64 {
        self.reporter.lost_in_kernel(DropReason::RingFull)
    }
}

impl Tiered {
    /// What a window cost is in its report.
    fn charge(&mut self, borne: &Borne) {
        self.told.entries += borne.hits.entries;
        self.told.returns += borne.hits.returns;
        self.told.reporting_ns += borne.reporting_ns;
    }

    /// Which share of the process' work the window saw. What was borne while armed but not in the window is no work.
    fn share(&mut self, measure: &WindowMeasure, costs: &TrapCosts) -> Option<WindowShare> {
        let seen = measure.in_window.hits;
        let outside_ns = self.work.tracing_ns(&measure.while_armed.hits.less(&seen), costs);
        let elapsed_ns = measure.process_cpu_ns_at_close.saturating_sub(self.cpu_ns);
        self.cpu_ns = measure.process_cpu_ns_at_close;
        let stretch = Stretch {
            cpu_in_window_ns: measure.cpu_ns_in_window,
            hits: seen,
            cpu_in_stretch_ns: elapsed_ns.saturating_sub(outside_ns as u64).max(measure.cpu_ns_in_window),
        };
        let share = if std::mem::take(&mut self.is_first_stretch) {
            // Of seconds often: in the pool it would be counted again in each of the next windows.
            WorkShare::measured(&stretch, costs)?
        } else {
            self.work.add(&stretch, costs);
            self.work.share(costs)?
        };
        Some(WindowShare {
            share: share.value,
            share_low: share.low,
            share_high: share.high,
            armed_ns: measure.close_ns - measure.open_ns,
            closed_ns: measure.close_ns,
        })
    }
}

const fn spending(borne: &Borne, toggles: u64) -> Spending {
    Spending {
        entries: borne.hits.entries,
        returns: borne.hits.returns,
        reporting_ns: borne.reporting_ns,
        toggles,
    }
}

const fn block(candidate: &Candidate) -> Block {
    Block { address: candidate.address, size_bytes: candidate.size_bytes, domain: candidate.domain }
}
