//! From the exact tier to windows. What is known to live must not be lost on the way: a random part of the live blocks
//! is fingerprinted while their frees are still seen; then the probes go.

use std::time::{Duration, Instant};

use memtrace_core::liveness::Block;

use super::{Conducting, Pipeline, monotonic_ns, send};
use crate::{
    attach::Command,
    liveness::{Met, Order},
    windows::process_cpu_ns,
};

/// Fingerprints that take longer are done without: the target bears its probes meanwhile.
const PATIENCE: Duration = Duration::from_millis(100);

impl Pipeline {
    pub(super) fn leave_exact(&mut self, target: u32) {
        let now_ns = monotonic_ns();
        let seed = std::hash::BuildHasher::hash_one(&self.tiers.random, now_ns);
        let candidates = self.aggregator.begin_windows(target, now_ns, seed);
        self.tiers.instruments.allowances.clear(target);
        let Some(tiered) = self.tiers.targets.get_mut(&target) else { return };
        tiered.cpu_ns = process_cpu_ns(tiered.pid).unwrap_or(0);
        tiered.is_first_stretch = true;
        tiered.leaving_since = Some(Instant::now());
        let (pid, allocators) = (tiered.pid, tiered.allocators);
        self.tiers.order(Order::Begin { target, pid, allocators });
        let blocks = candidates.iter().map(|candidate| {
            let block = Block {
                address: candidate.address,
                size_bytes: candidate.size_bytes,
                domain: candidate.domain,
            };
            (candidate.sample, block)
        });
        self.tiers.order(Order::Meet { target, blocks: blocks.collect() });
    }

    /// The blocks of a target that leaves the exact tier have been fingerprinted.
    pub(super) fn met(&mut self, met: Met) {
        let is_leaving =
            self.tiers.targets.get(&met.target).is_some_and(|tiered| tiered.leaving_since.is_some());
        if !is_leaving {
            return;
        }
        for (sample, is_readable) in met.samples {
            if is_readable {
                self.tiers.remember(met.target, sample);
            } else {
                self.aggregator.judged(
                    met.target,
                    sample,
                    memtrace_core::aggregate::Verdict::Unknown,
                    met.ended_ns,
                );
            }
        }
        self.let_go(met.target);
    }

    /// Those that could not be fingerprinted in time.
    pub(super) fn let_go_overdue(&mut self) {
        let is_overdue = |since: Option<Instant>| since.is_some_and(|since| since.elapsed() > PATIENCE);
        let overdue = self.tiers.targets.iter().filter(|(_, tiered)| is_overdue(tiered.leaving_since));
        let overdue: Vec<u32> = overdue.map(|(target, _)| *target).collect();
        overdue.into_iter().for_each(|target| self.let_go(target));
    }

    fn let_go(&mut self, target: u32) {
        if let Some(tiered) = self.tiers.targets.get_mut(&target) {
            tiered.leaving_since = None;
            send(&self.commands, Command::LetGo { target });
            // Not before: the target bears its probes until the worker gets to it.
            self.prepare_windows();
        }
    }

    /// Windows are prepared when the first process needs one: that takes half a second of the worker's time.
    pub(super) fn prepare_windows(&mut self) {
        if matches!(self.tiers.conductor, Conducting::NotAsked) {
            self.tiers.conductor = Conducting::Asked;
            let (instruments, events) = (self.tiers.instruments.clone(), self.tiers.events.clone());
            let helper = self.followed_helper();
            send(&self.commands, Command::PrepareWindows { instruments, events, helper });
        }
    }
}
