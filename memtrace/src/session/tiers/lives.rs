//! Sampled blocks are looked at again and again, until they are known to be dead.

use memtrace_core::{aggregate, liveness::Verdict};

use super::{Pipeline, Tiers};
use crate::liveness::{Judged, Order, SampleNumber, Told};

/// Samples of a target looked at in one go, a hundred times a second at most. A look takes about a microsecond of the
/// follower's time: 64 are 0.6 % of a core.
const LOOKS: usize = 64;

/// Between two sweeps of fingerprints whose samples are no longer followed.
const SWEEP_NS: u64 = 5_000_000_000;

impl Pipeline {
    /// Has those looked at that are due.
    pub(super) fn check_lives(&mut self, now_ns: u64) {
        let targets: Vec<u32> = self.tiers.targets.keys().copied().collect();
        let mut looks = LOOKS;
        for target in targets {
            if looks == 0 || !self.aggregator.has_samples(target) {
                continue;
            }
            let due = self.aggregator.due(target, now_ns, looks);
            looks -= due.len();
            if !due.is_empty() {
                let samples = due.iter().map(|candidate| candidate.sample).collect();
                self.tiers.order(Order::Check { target, samples });
            }
        }
        if now_ns.saturating_sub(self.tiers.swept_ns) >= SWEEP_NS {
            self.tiers.swept_ns = now_ns;
            self.forget_fingerprints();
        }
    }

    /// What the follower has found.
    pub(in crate::session) fn told(&mut self, told: Told) {
        match told {
            Told::Judged(judged) => self.judged(judged),
            Told::Met(met) => self.met(met),
        }
    }

    fn judged(&mut self, judged: Judged) {
        // The end of a process is told otherwise, and proves no free.
        if judged.is_gone {
            return;
        }
        for (sample, verdict) in judged.verdicts {
            let verdict = match verdict {
                Verdict::Alive => aggregate::Verdict::Alive,
                Verdict::Dead(_) => aggregate::Verdict::Dead,
                Verdict::Unknown(_) => aggregate::Verdict::Unknown,
            };
            self.aggregator.judged(judged.target, sample, verdict, judged.began_ns);
        }
        for sample in judged.strangers {
            self.aggregator.judged(judged.target, sample, aggregate::Verdict::Unknown, judged.began_ns);
        }
    }

    fn forget_fingerprints(&mut self) {
        let aggregator = &self.aggregator;
        let mut orders = Vec::new();
        for (&target, tiered) in &mut self.tiers.targets {
            let is_followed = |sample: &mut SampleNumber| aggregator.is_followed(target, *sample);
            let mut kept = std::mem::take(&mut tiered.remembered);
            let forgotten: Vec<SampleNumber> = kept.extract_if(.., |sample| !is_followed(sample)).collect();
            tiered.remembered = kept;
            if !forgotten.is_empty() {
                orders.push(Order::Forget { target, samples: forgotten });
            }
        }
        orders.into_iter().for_each(|order| self.tiers.order(order));
    }
}

impl Tiers {
    /// Gives the follower an order. When it is behind, looks are late, and blocks that it did not get to know stay
    /// unknown.
    pub(super) fn order(&self, order: Order) {
        if let Some(follower) = &self.follower
            && let Err(error) = follower.order(order)
        {
            tracing::debug!("the follower is behind: {error}");
        }
    }

    pub(super) fn remember(&mut self, target: u32, sample: SampleNumber) {
        if let Some(tiered) = self.targets.get_mut(&target) {
            tiered.remembered.push(sample);
        }
    }

    pub(super) fn end_following(&self, target: u32) {
        self.order(Order::End { target });
    }
}
