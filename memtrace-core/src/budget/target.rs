//! One target: its tokens, its tier, and what is known of its cost.

use super::{
    Costs, Limits, SECOND_NS, Spending, WindowReport,
    bucket::TokenBucket,
    correction::Correction,
    decision::Window,
    forecast::{Forecast, Sight},
    jitter::Jitter,
    recent::Recent,
    trial::Trial,
    windows::Planner,
};
use super::{Overhead, Tier};

const SECOND: u64 = SECOND_NS as u64;

/// How long a target has to look cheap before it is traced exactly. One that is seen from its start does most of its
/// allocating there, so it is looked at again sooner.
const FIRST_WAIT_NS: (u64, u64) = (10 * SECOND, 30 * SECOND);

/// Exact tracing is tried when it would take less than this part of the limit: it ends when it takes all of it.
pub(super) const CALM_PART: f64 = 0.6;

/// A window of which nothing is heard for this long is taken for lost.
const LOST_NS: u64 = 10 * SECOND;

/// Windows that fail one after the other before they are given up.
const FAILURES_MAX: u32 = 3;

pub(super) struct Target {
    pub(super) bucket: TokenBucket,
    pub(super) recent: Recent,
    pub(super) state: State,
    pub(super) planner: Planner,
    pub(super) is_budget_scarce: bool,
    forecast: Forecast,
    correction: Correction,
    exact: Trial,
    off: Trial,
    stepped_share: f64,
    reason: Option<String>,
    told_ns: u64,
    added_ns: u64,
    armed_ns: f64,
    /// Cost of each nanosecond when the target was traced exactly last.
    exact_rate: f64,
    /// Cost of one entry of late, with its share of returns and stacks.
    entry_ns: f64,
    windows_opened: u32,
    windows_closed: u64,
}

pub(super) enum State {
    Exact { since_ns: u64, allowed: Option<Allowed> },
    Windows { next_ns: u64, per_second: f64, open: Option<Open>, failures: u32 },
    Off { until_ns: u64 },
}

/// What an exactly traced target was allowed last.
pub(super) struct Allowed {
    pub(super) at_ns: u64,
    pub(super) entries_more: u64,
    /// It has made entries since.
    pub(super) is_used: bool,
}

/// A window that was asked for and not told of yet.
pub(super) struct Open {
    window: u32,
    /// What it probably costs.
    pub(super) reserved_ns: f64,
    asked_ns: u64,
}

impl Target {
    pub(super) fn new(limits: &Limits, costs: &Costs, is_from_start: bool, now_ns: u64) -> Self {
        let first_wait_ns = if is_from_start { FIRST_WAIT_NS.0 } else { FIRST_WAIT_NS.1 };
        Self {
            bucket: TokenBucket::full(limits.target_share, limits.target_depth_ns(), now_ns),
            recent: Recent::new(now_ns),
            state: State::Exact { since_ns: now_ns, allowed: None },
            planner: Planner::new(costs, 0.0, 1.0),
            is_budget_scarce: true,
            forecast: Forecast::default(),
            correction: Correction::default(),
            exact: Trial::begun(first_wait_ns, now_ns),
            off: Trial::begun(FIRST_WAIT_NS.1, now_ns),
            stepped_share: 0.0,
            reason: None,
            told_ns: now_ns,
            added_ns: now_ns,
            armed_ns: 0.0,
            exact_rate: 0.0,
            entry_ns: 0.0,
            windows_opened: 0,
            windows_closed: 0,
        }
    }

    pub(super) fn set_stepped_share(&mut self, share: f64) {
        self.stepped_share = share.clamp(0.0, 1.0);
        self.take_back_allowance();
    }

    /// It was reckoned at other prices; what is allowed at the right ones is said at the next tick.
    pub(super) fn take_back_allowance(&mut self) {
        if let State::Exact { allowed, .. } = &mut self.state {
            *allowed = None;
        }
    }

    /// Charges what was spent outside of windows; returns the bill.
    pub(super) fn spent(&mut self, spending: &Spending, costs: &Costs, now_ns: u64) -> f64 {
        let hits_ns = costs.of_hits(spending, self.stepped_share) * self.correction.factor();
        let bill_ns = hits_ns + costs.of_toggles(spending);
        let elapsed_ns = now_ns.saturating_sub(self.told_ns);
        // A moment says nothing of a rate.
        if elapsed_ns >= 1_000_000 {
            self.exact_rate = hits_ns / elapsed_ns as f64;
            self.told_ns = now_ns;
        }
        if let State::Exact { allowed: Some(allowed), .. } = &mut self.state {
            allowed.is_used |= spending.entries > 0;
        }
        if spending.entries >= 50 {
            self.entry_ns = hits_ns / spending.entries as f64;
        }
        self.pay(bill_ns, now_ns);
        bill_ns
    }

    fn pay(&mut self, bill_ns: f64, now_ns: u64) {
        self.bucket.spend(bill_ns, now_ns);
        self.recent.add(bill_ns, now_ns);
    }

    /// Charges a window and learns from it; returns the bill.
    pub(super) fn window_closed(
        &mut self,
        report: &WindowReport,
        costs: &Costs,
        jitter: &mut Jitter,
        now_ns: u64,
    ) -> f64 {
        let bill = self.bill(report, costs);
        self.pay(bill.hits_ns + bill.toggles_ns, now_ns);
        self.windows_closed += 1;
        self.armed_ns += report.armed_ns as f64;
        self.planner.learn(report, bill.hits_ns, bill.toggles_ns, self.is_budget_scarce);
        self.forecast_from(report, bill, costs, now_ns);
        self.told_ns = now_ns;
        if let State::Windows { next_ns, per_second, open, failures } = &mut self.state {
            if open.as_ref().is_some_and(|open| open.window == report.window) {
                *open = None;
            }
            *failures = 0;
            *next_ns = next_window_ns(now_ns, *per_second, jitter);
        }
        bill.hits_ns + bill.toggles_ns
    }

    fn bill(&self, report: &WindowReport, costs: &Costs) -> Bill {
        let exact_ns = costs.of_hits(&report.spending, self.stepped_share);
        let modelled_ns = report.hits_ns.map_or(exact_ns, |hits_ns| hits_ns as f64);
        // Traps run on the target's own time: they cannot have taken more than there was.
        let factor = self.correction.factor();
        let within = |hits_ns: f64| report.cpu_ns.map_or(hits_ns, |cpu_ns| hits_ns.min(cpu_ns as f64));
        Bill {
            modelled_ns,
            hits_ns: within(modelled_ns * factor),
            exact_ns: within(exact_ns * factor),
            toggles_ns: costs.of_toggles(&report.spending),
        }
    }

    fn forecast_from(&mut self, report: &WindowReport, bill: Bill, costs: &Costs, now_ns: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.told_ns) as f64;
        let armed_ns = report.armed_ns as f64;
        let gap_ns = (elapsed_ns - armed_ns).max(1.0);
        if let (Some(cpu_ns), Some(cpu_before_ns)) = (report.cpu_ns, report.cpu_before_ns) {
            let usual_ns = cpu_before_ns as f64 / gap_ns * armed_ns;
            self.correction.see(cpu_ns as f64, usual_ns, bill.modelled_ns);
            self.planner.learn_cpu(cpu_before_ns as f64 / gap_ns);
        }
        // Where CPU time is not known, the target is taken to be busy with one thread.
        let cpu_ns = report.cpu_ns.map_or(armed_ns, |cpu_ns| cpu_ns as f64);
        let stacks = report.spending.returns.saturating_sub(report.sampled) as f64;
        let sight = Sight {
            at_ns: now_ns,
            exact_cost_ns: bill.exact_ns + stacks * self.planner.stack_ns(),
            cpu_ns,
            // The bill has a margin, which would make the rest look like more work than it was only if left out.
            work_ns: (cpu_ns - bill.hits_ns / costs.margin()).max(0.0),
            cpu_before_ns: report.cpu_before_ns.map_or(gap_ns, |cpu_ns| cpu_ns as f64),
            elapsed_ns,
        };
        self.forecast.see(sight, CALM_PART * self.bucket.share());
    }

    /// From now on in windows, of which the first comes as soon as there are tokens.
    pub(super) fn enter_windows(&mut self, reason: String, costs: &Costs, jitter: &mut Jitter, now_ns: u64) {
        if let State::Exact { since_ns, .. } = self.state {
            self.armed_ns += now_ns.saturating_sub(since_ns) as f64;
            self.exact.fail(now_ns);
            self.planner = Planner::new(costs, self.stepped_share, self.exact_rate);
        }
        self.reason = Some(reason);
        self.forecast = Forecast::default();
        self.told_ns = now_ns;
        let next_ns = now_ns + jitter.between(0.0, 0.1 * SECOND_NS) as u64;
        self.state = State::Windows { next_ns, per_second: 0.0, open: None, failures: 0 };
    }

    pub(super) fn enter_exact(&mut self, now_ns: u64) {
        self.exact.begin(now_ns);
        self.off.begin(now_ns);
        self.reason = None;
        self.told_ns = now_ns;
        self.state = State::Exact { since_ns: now_ns, allowed: None };
    }

    pub(super) fn enter_off(&mut self, reason: String, now_ns: u64) {
        if let State::Exact { since_ns, .. } = self.state {
            self.armed_ns += now_ns.saturating_sub(since_ns) as f64;
            self.exact.fail(now_ns);
        }
        self.off.fail(now_ns);
        self.reason = Some(reason);
        self.state = State::Off { until_ns: now_ns + self.off.wait_ns() };
    }

    /// Nothing is known of its rate any more: a first window will tell.
    pub(super) fn retry_windows(&mut self, costs: &Costs, jitter: &mut Jitter, now_ns: u64) {
        self.off.begin(now_ns);
        let reason = self.reason.take().unwrap_or_default();
        self.enter_windows(reason, costs, jitter, now_ns);
        self.planner.forget_rate();
    }

    /// True when it has looked cheap for long enough, and has saved enough for a mistake.
    pub(super) fn deserves_exact(&self, now_ns: u64) -> bool {
        let State::Windows { open: None, .. } = self.state else { return false };
        let wait_ns = self.exact.wait_ns().max(FIRST_WAIT_NS.0);
        let calm_since_ns = self.forecast.calm_since_ns();
        calm_since_ns.is_some_and(|since_ns| now_ns.saturating_sub(since_ns) >= wait_ns)
            && self.bucket.fill() >= 0.5
    }

    /// Of one core, if it were traced exactly.
    pub(super) fn forecast_share(&self) -> Option<f64> {
        self.forecast.share()
    }

    /// Entries until the alarm, of an exactly traced target that may spend so much.
    pub(super) fn allowance(&self, tokens_ns: f64, costs: &Costs) -> u64 {
        /// Fewer would raise alarms all the time.
        const LEAST: u64 = 1_000;
        let fresh_ns = costs.charge(
            &Spending { entries: 2, returns: 1, reporting_ns: 2_000, toggles: 0 },
            self.stepped_share,
        ) / 2.0;
        let hit_ns = if self.entry_ns > 0.0 { self.entry_ns } else { fresh_ns };
        ((tokens_ns.max(0.0) / hit_ns.max(1.0)) as u64).max(LEAST)
    }

    /// The window to be opened now; the caller has seen to it that there are tokens.
    pub(super) fn open_window(&mut self, target: u32, jitter: &mut Jitter, now_ns: u64) -> Option<Window> {
        let State::Windows { next_ns, open, .. } = &mut self.state else { return None };
        let shape = self.planner.shape(&self.bucket, jitter);
        self.windows_opened = self.windows_opened.wrapping_add(1).max(1);
        let not_before_ns = (*next_ns).max(now_ns);
        *open = Some(Open {
            window: self.windows_opened,
            reserved_ns: shape.expected_ns,
            asked_ns: not_before_ns,
        });
        Some(Window {
            target,
            window: self.windows_opened,
            not_before_ns,
            length_ns: shape.length_ns as u64,
            mean_bytes: self.planner.mean_bytes(),
            entries_more: shape.entries_more,
            sampled_max: shape.sampled_max,
        })
    }

    /// How long until it may open a window, by its own tokens.
    pub(super) fn window_wait_ns(&self) -> f64 {
        self.bucket.wait_ns(self.probable_ns())
    }

    /// What its next window probably costs.
    pub(super) fn probable_ns(&self) -> f64 {
        self.planner.probable_ns(&self.bucket)
    }

    /// Takes a window that is not told of for lost.
    pub(super) fn expire(&mut self, jitter: &mut Jitter, now_ns: u64) {
        if let State::Windows { next_ns, per_second, open, .. } = &mut self.state
            && open.as_ref().is_some_and(|open| now_ns.saturating_sub(open.asked_ns) > LOST_NS)
        {
            *open = None;
            *next_ns = next_window_ns(now_ns, *per_second, jitter);
        }
    }

    /// A window could not be opened. True when that happens again and again.
    pub(super) fn window_failed(&mut self, jitter: &mut Jitter, now_ns: u64) -> bool {
        let State::Windows { next_ns, per_second, open, failures } = &mut self.state else { return false };
        *open = None;
        *failures += 1;
        *next_ns = next_window_ns(now_ns, *per_second, jitter);
        *failures >= FAILURES_MAX
    }

    pub(super) const fn reserved_ns(&self) -> f64 {
        match &self.state {
            State::Windows { open: Some(open), .. } => open.reserved_ns,
            _ => 0.0,
        }
    }

    pub(super) const fn tier(&self) -> Tier {
        match self.state {
            State::Exact { .. } => Tier::Exact,
            State::Windows { .. } => Tier::Windows,
            State::Off { .. } => Tier::Off,
        }
    }

    pub(super) fn report(&self, is_limited: bool, now_ns: u64) -> Overhead {
        let exact_ns = match self.state {
            State::Exact { since_ns, .. } => now_ns.saturating_sub(since_ns) as f64,
            _ => 0.0,
        };
        let age_ns = now_ns.saturating_sub(self.added_ns).max(1) as f64;
        Overhead {
            tier: self.tier(),
            reason: self.reason.clone(),
            spent_share: self.recent.share(now_ns),
            spent_share_total: self.recent.share_total(now_ns),
            armed_share: ((self.armed_ns + exact_ns) / age_ns).min(1.0),
            windows: self.windows_closed,
            mean_bytes: self.planner.mean_bytes(),
            limit_share: is_limited.then(|| self.bucket.share()),
        }
    }
}

#[derive(Clone, Copy)]
struct Bill {
    /// Without what the target's own windows say of it.
    modelled_ns: f64,
    hits_ns: f64,
    /// What the same hits cost a target that is traced exactly.
    exact_ns: f64,
    toggles_ns: f64,
}

/// When a target's next window opens, after one that ended now.
pub(super) fn next_window_ns(now_ns: u64, per_second: f64, jitter: &mut Jitter) -> u64 {
    /// Until the controller has said how many there may be, which it does within a second.
    const UNKNOWN_NS: f64 = SECOND_NS;
    let mean_ns = if per_second > 0.0 { SECOND_NS / per_second } else { UNKNOWN_NS };
    now_ns + jitter.exponential(mean_ns) as u64
}
