//! What all targets share: the tokens of all, memtrace's own time, the prices, and how a target changes its tier.

use super::{Costs, Decision, Limits, bucket::TokenBucket, jitter::Jitter, recent::Recent, target::Target};

/// memtrace's own time for a window: arming, reading the candidates' memory, disarming, and the records.
pub(super) const DAEMON_NS_A_WINDOW: f64 = 1e6;

/// What memtrace takes for windows, of one core: 15 windows a second over all targets. With what it takes besides,
/// that keeps it under 2 % with any number of hot targets.
pub(super) const DAEMON_SHARE: f64 = 0.015;

/// What all targets share.
pub(super) struct Shared {
    pub(super) limits: Option<Limits>,
    pub(super) costs: Costs,
    pub(super) total: TokenBucket,
    /// memtrace's own time, for windows.
    pub(super) daemon: TokenBucket,
    pub(super) recent: Recent,
    pub(super) jitter: Jitter,
    pub(super) windows_closed: u64,
    /// Why there are no windows on this machine.
    pub(super) without_windows: Option<String>,
}

/// A bit more than the share of a full bucket, a bit less of an empty one: spending settles where it is half full.
pub(super) fn leaning(bucket: &TokenBucket) -> f64 {
    bucket.share() * (0.75 + 0.5 * bucket.fill())
}

pub(super) const TOO_DEAR: &str = "half a millisecond of tracing costs it more than a minute's budget";

impl Shared {
    pub(super) fn new(limits: Option<Limits>, costs: Costs, seed: u64, now_ns: u64) -> Self {
        let bounds = limits.unwrap_or(Limits::of_machine(1));
        Self {
            limits,
            costs,
            total: TokenBucket::full(bounds.total_share, bounds.total_depth_ns(), now_ns),
            daemon: TokenBucket::full(DAEMON_SHARE, DAEMON_NS_A_WINDOW * 10.0, now_ns),
            recent: Recent::new(now_ns),
            jitter: Jitter::new(seed),
            windows_closed: 0,
            without_windows: None,
        }
    }

    pub(super) fn refill(&mut self, now_ns: u64) {
        self.total.refill(now_ns);
        self.daemon.refill(now_ns);
        self.recent.advance(now_ns);
    }

    pub(super) fn pay(&mut self, bill_ns: f64, now_ns: u64) {
        self.total.spend(bill_ns, now_ns);
        self.recent.add(bill_ns, now_ns);
    }

    pub(super) fn is_worth_it(&self, target: &Target) -> bool {
        target.planner.is_worth_it(target.bucket.share().min(self.total.share()))
    }

    /// How long until a window of this target may open: by its own tokens, by those of all (of which this much has to
    /// be there), and by memtrace's own time.
    pub(super) fn wait_ns(&self, total_ns: f64, target: &Target) -> f64 {
        let daemon_ns = self.daemon.wait_ns(DAEMON_NS_A_WINDOW);
        target.window_wait_ns().max(self.total.wait_ns(total_ns)).max(daemon_ns)
    }

    pub(super) fn leave_exact(
        &mut self,
        id: u32,
        target: &mut Target,
        reason: String,
        decisions: &mut Vec<Decision>,
        now_ns: u64,
    ) {
        decisions.push(Decision::DetachExact { target: id });
        target.enter_windows(reason, &self.costs, &mut self.jitter, now_ns);
        if let Some(reason) = &self.without_windows {
            let reason = format!("tracing every call is too dear, and there are no windows: {reason}");
            self.switch_off(id, target, reason, decisions, now_ns);
        } else if !self.is_worth_it(target) {
            self.switch_off(id, target, TOO_DEAR.to_owned(), decisions, now_ns);
        }
    }

    pub(super) fn switch_off(
        &self,
        id: u32,
        target: &mut Target,
        reason: String,
        decisions: &mut Vec<Decision>,
        now_ns: u64,
    ) {
        target.enter_off(reason.clone(), now_ns);
        decisions.push(Decision::Off { target: id, reason });
    }

    pub(super) fn own_reason(&self, target: &Target) -> String {
        let limit = target.bucket.share() * 100.0;
        format!("tracing every call took more than its limit of {limit:.3} % of a core")
    }

    pub(super) fn total_reason(&self) -> String {
        let limit = self.total.share() * 100.0;
        format!("tracing all processes took more than their common limit of {limit:.3} % of a core")
    }
}
