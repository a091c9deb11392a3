//! All targets: who is traced how, so that each keeps to its own limit and all of them to theirs.

use std::collections::BTreeMap;

use super::{
    Costs, Decision, Limits, SECOND_NS, Spending, TotalReport, WindowReport,
    fairness::share_out,
    shared::{DAEMON_NS_A_WINDOW, DAEMON_SHARE, Shared, TOO_DEAR, leaning},
    target::{Allowed, CALM_PART, State, Target, next_window_ns},
};
use super::{Overhead, Tier};

const SECOND: u64 = SECOND_NS as u64;

/// Windows are asked for this long ahead.
const AHEAD_NS: u64 = SECOND / 10;

/// Decides. Call [`Controller::tick`] at least every tenth of a second, and after [`Controller::over_allowance`].
pub struct Controller {
    targets: BTreeMap<u32, Target>,
    decisions: Vec<Decision>,
    shared: Shared,
    paced_ns: u64,
}

impl Controller {
    /// Without limits every target is traced exactly, whatever it costs.
    #[must_use]
    pub fn new(limits: Option<Limits>, costs: Costs, seed: u64, now_ns: u64) -> Self {
        let shared = Shared::new(limits, costs, seed, now_ns);
        Self { targets: BTreeMap::new(), decisions: Vec::new(), shared, paced_ns: 0 }
    }

    /// What hits cost is known better now. What was charged stays as it is.
    pub fn set_costs(&mut self, costs: Costs) {
        self.shared.costs = costs;
        self.targets.values_mut().for_each(Target::take_back_allowance);
    }

    /// There are no windows on this machine, for this reason: targets are traced exactly or not at all.
    pub fn without_windows(&mut self, reason: String) {
        self.shared.without_windows = Some(reason);
    }

    /// A process is followed. It is traced exactly at first, unless nothing is left of what all may spend; a process
    /// that is seen from its start always is, because what it misses there it can never see.
    pub fn add(&mut self, target: u32, now_ns: u64, is_from_start: bool) {
        let shared = &mut self.shared;
        shared.total.refill(now_ns);
        let bounds = shared.limits.unwrap_or(Limits::of_machine(1));
        let mut added = Target::new(&bounds, &shared.costs, is_from_start, now_ns);
        let is_affordable = is_from_start || !shared.total.is_empty() || shared.without_windows.is_some();
        if shared.limits.is_none() || is_affordable {
            self.decisions.push(Decision::AttachExact { target });
        } else {
            let reason = shared.total_reason();
            added.enter_windows(reason, &shared.costs, &mut shared.jitter, now_ns);
            added.planner.forget_rate();
        }
        self.targets.insert(target, added);
    }

    /// It is gone. Nothing more is decided of it.
    pub fn remove(&mut self, target: u32) {
        self.targets.remove(&target);
        self.decisions.retain(|decision| decision.target() != target);
    }

    /// Which share of the target's entries is stepped, see [`super::stepped_share`]. Until told, none is.
    pub fn set_stepped_share(&mut self, target: u32, share: f64) {
        if let Some(target) = self.targets.get_mut(&target) {
            target.set_stepped_share(share);
        }
    }

    /// What a target has borne since it was told last, windows apart.
    pub fn spent(&mut self, target: u32, spending: Spending, now_ns: u64) {
        let Some(target) = self.targets.get_mut(&target) else { return };
        let bill_ns = target.spent(&spending, &self.shared.costs, now_ns);
        self.shared.pay(bill_ns, now_ns);
    }

    /// An exactly traced target has made the entries that it was allowed. Tell of its spending first.
    pub fn over_allowance(&mut self, target: u32, now_ns: u64) {
        let shared = &mut self.shared;
        let Some(found) = self.targets.get_mut(&target) else { return };
        found.bucket.refill(now_ns);
        if let State::Exact { allowed, .. } = &mut found.state {
            // What remains is allowed anew, at the next tick.
            *allowed = None;
            if shared.limits.is_some() && found.bucket.is_empty() {
                let reason = shared.own_reason(found);
                shared.leave_exact(target, found, reason, &mut self.decisions, now_ns);
            }
        }
    }

    /// A window has closed.
    pub fn window_closed(&mut self, target: u32, report: &WindowReport, now_ns: u64) {
        let shared = &mut self.shared;
        shared.windows_closed += 1;
        let Some(found) = self.targets.get_mut(&target) else { return };
        let bill_ns = found.window_closed(report, &shared.costs, &mut shared.jitter, now_ns);
        shared.pay(bill_ns, now_ns);
        if matches!(found.state, State::Windows { .. }) && !shared.is_worth_it(found) {
            shared.switch_off(target, found, TOO_DEAR.to_owned(), &mut self.decisions, now_ns);
        }
    }

    /// A window could not be opened. After several in a row the target is off for a while, with this reason.
    pub fn window_failed(&mut self, target: u32, reason: &str, now_ns: u64) {
        let shared = &mut self.shared;
        let Some(found) = self.targets.get_mut(&target) else { return };
        if found.window_failed(&mut shared.jitter, now_ns) {
            shared.switch_off(target, found, reason.to_owned(), &mut self.decisions, now_ns);
        }
    }

    /// What to do now, in this order.
    pub fn tick(&mut self, now_ns: u64) -> Vec<Decision> {
        self.shared.refill(now_ns);
        for target in self.targets.values_mut() {
            target.bucket.refill(now_ns);
            target.recent.advance(now_ns);
        }
        if self.shared.limits.is_some() {
            self.shed(now_ns);
            self.change_tiers(now_ns);
            self.allow(now_ns);
            if now_ns.saturating_sub(self.paced_ns) >= SECOND {
                self.paced_ns = now_ns;
                self.pace(now_ns);
            }
            self.open_windows(now_ns);
        }
        std::mem::take(&mut self.decisions)
    }

    /// When all together have spent what they may, those leave the exact tier that cost most, until the rest can go on.
    fn shed(&mut self, now_ns: u64) {
        if !self.shared.total.is_empty() {
            return;
        }
        let mut sum = self.exact_share(now_ns);
        while sum > CALM_PART * self.shared.total.share() {
            let exact = self.targets.iter_mut().filter(|(_, it)| it.tier() == Tier::Exact);
            let shares = exact.map(|(id, it)| (it.recent.share(now_ns), *id, it));
            let Some((share, id, dearest)) = shares.max_by(|one, other| one.0.total_cmp(&other.0)) else {
                return;
            };
            sum -= share;
            let reason = self.shared.total_reason();
            self.shared.leave_exact(id, dearest, reason, &mut self.decisions, now_ns);
        }
    }

    fn exact_share(&self, now_ns: u64) -> f64 {
        let exact = self.targets.values().filter(|target| target.tier() == Tier::Exact);
        exact.map(|target| target.recent.share(now_ns)).sum()
    }

    /// Whoever has become cheap is traced exactly, and whoever was off long enough is tried again.
    fn change_tiers(&mut self, now_ns: u64) {
        let mut exact_share = self.exact_share(now_ns);
        let shared = &mut self.shared;
        for (&id, target) in &mut self.targets {
            match target.state {
                State::Windows { .. } if target.deserves_exact(now_ns) => {
                    let with_it = exact_share + target.forecast_share().unwrap_or(0.0);
                    if with_it < CALM_PART * shared.total.share() && shared.total.fill() >= 0.25 {
                        exact_share = with_it;
                        target.enter_exact(now_ns);
                        self.decisions.push(Decision::AttachExact { target: id });
                    }
                }
                State::Off { until_ns } if until_ns <= now_ns && target.bucket.fill() >= 0.5 => {
                    if shared.without_windows.is_none() {
                        target.retry_windows(&shared.costs, &mut shared.jitter, now_ns);
                    } else if shared.total.fill() >= 0.25 {
                        target.enter_exact(now_ns);
                        self.decisions.push(Decision::AttachExact { target: id });
                    }
                }
                _ => {}
            }
        }
    }

    /// Renews allowances every second: each may spend what it has, and its part of what all have. Of a target that has
    /// made no entries since, what was said holds, unless it has become too much.
    fn allow(&mut self, now_ns: u64) {
        let exact = self.targets.values().filter(|target| target.tier() == Tier::Exact).count();
        let part_ns = self.shared.total.level_ns() / exact.max(1) as f64;
        for (&id, target) in &mut self.targets {
            let entries_more = target.allowance(target.bucket.level_ns().min(part_ns), &self.shared.costs);
            let State::Exact { allowed, .. } = &mut target.state else { continue };
            if let Some(allowed) = allowed {
                let is_recent = now_ns.saturating_sub(allowed.at_ns) < SECOND;
                if is_recent || (!allowed.is_used && entries_more >= allowed.entries_more) {
                    continue;
                }
            }
            *allowed = Some(Allowed { at_ns: now_ns, entries_more, is_used: false });
            self.decisions.push(Decision::SetAllowance { target: id, entries_more });
        }
    }

    /// Says how many windows a second each target gets.
    fn pace(&mut self, now_ns: u64) {
        let exact_share = self.exact_share(now_ns);
        let shared = &mut self.shared;
        let sampled = self.targets.values_mut().filter(|target| target.tier() == Tier::Windows);
        let mut sampled: Vec<&mut Target> = sampled.collect();
        let cost_ns = |target: &Target| target.probable_ns().max(1e4);
        let wanted: Vec<f64> = sampled
            .iter()
            .map(|target| {
                let most_share = target.planner.per_second_max() * cost_ns(target) / SECOND_NS;
                leaning(&target.bucket).min(most_share)
            })
            .collect();
        // What is exact comes first, and still leaves something.
        let supply = (leaning(&shared.total) - exact_share).max(0.1 * shared.total.share());
        let given = share_out(supply, &wanted);
        let affordable: Vec<f64> =
            sampled.iter().zip(&given).map(|(target, share)| share * SECOND_NS / cost_ns(target)).collect();
        let rates = share_out(DAEMON_SHARE * SECOND_NS / DAEMON_NS_A_WINDOW, &affordable);
        for ((target, rate), affordable) in sampled.iter_mut().zip(rates).zip(affordable) {
            let most = target.planner.per_second_max();
            target.is_budget_scarce = affordable < most * 0.99 && rate >= affordable * 0.99;
            let State::Windows { next_ns, per_second, open, .. } = &mut target.state else { continue };
            // Gaps are memoryless, so one that was drawn at another rate may be drawn anew.
            let is_another = rate > *per_second * 2.0 || rate < *per_second * 0.5;
            let is_first = *per_second <= 0.0;
            *per_second = rate;
            if is_another && !is_first && open.is_none() {
                *next_ns = next_window_ns(now_ns, rate, &mut shared.jitter);
            }
        }
    }

    /// Asks for the windows that are due, those first that have waited longest.
    fn open_windows(&mut self, now_ns: u64) {
        let shared = &mut self.shared;
        let mut due: Vec<(u64, u32)> = Vec::new();
        let mut reserved_ns = 0.0;
        for (&id, target) in &mut self.targets {
            target.expire(&mut shared.jitter, now_ns);
            reserved_ns += target.reserved_ns();
            if let State::Windows { next_ns, open: None, .. } = target.state
                && next_ns <= now_ns + AHEAD_NS
            {
                due.push((next_ns, id));
            }
        }
        due.sort_unstable();
        for (_, id) in due {
            let Some(target) = self.targets.get_mut(&id) else { continue };
            let expected_ns = target.probable_ns();
            let wait_ns = shared.wait_ns(expected_ns + reserved_ns, target);
            if wait_ns > 0.0 {
                // A little later than need be, so that those who wait for the same tokens do not come together.
                let later_ns = wait_ns * shared.jitter.between(1.0, 1.5);
                if let State::Windows { next_ns, .. } = &mut target.state {
                    *next_ns = now_ns + later_ns as u64;
                }
                continue;
            }
            shared.daemon.spend(DAEMON_NS_A_WINDOW, now_ns);
            reserved_ns += expected_ns;
            let window = target.open_window(id, &mut shared.jitter, now_ns);
            self.decisions.extend(window.map(Decision::OpenWindow));
        }
    }

    /// How a target is traced.
    #[must_use]
    pub fn report(&self, target: u32, now_ns: u64) -> Option<Overhead> {
        Some(self.targets.get(&target)?.report(self.shared.limits.is_some(), now_ns))
    }

    /// What tracing costs all targets together, those that are gone included.
    #[must_use]
    pub fn total(&self, now_ns: u64) -> TotalReport {
        let count = |tier| self.targets.values().filter(|target| target.tier() == tier).count();
        TotalReport {
            spent_share: self.shared.recent.share(now_ns),
            spent_share_total: self.shared.recent.share_total(now_ns),
            windows: self.shared.windows_closed,
            limit_share: self.shared.limits.map(|limits| limits.total_share),
            exact: count(Tier::Exact),
            in_windows: count(Tier::Windows),
            off: count(Tier::Off),
        }
    }
}
