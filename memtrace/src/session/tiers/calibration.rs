//! What a probe hit costs on this machine is measured before the first target is attached to, and what it costs in
//! windows before the first window.

use memtrace_core::budget::Costs;

use super::{Pipeline, send};
use crate::{
    attach::Command,
    calibrate::{self, Helper, WindowCosts},
};

impl Pipeline {
    /// Starts the measuring.
    pub(in crate::session) fn calibrate(&mut self) {
        if let Some(helper) = self.followed_helper() {
            send(&self.commands, Command::Calibrate { helper });
        }
    }

    /// What costs are measured on. It is there a few milliseconds later.
    pub(super) fn followed_helper(&mut self) -> Option<Helper> {
        let helper = Helper::start().map_err(|error| error.to_string());
        let helper = helper.and_then(|helper| {
            let followed = self.kernel.targets.follow(helper.pid(), calibrate::TARGET);
            followed.map(|()| helper).map_err(|error| error.to_string())
        });
        helper.inspect_err(|error| tracing::warn!("probe costs are not measured, but assumed: {error}")).ok()
    }

    /// What windows cost is known, too.
    pub(super) fn windows_calibrated(&mut self, pid: u32, costs: Result<WindowCosts, String>) {
        self.kernel.targets.unfollow(pid);
        match costs {
            Ok(costs) => {
                tracing::debug!("{costs:?}");
                self.tiers.window_costs = costs;
            }
            Err(error) => tracing::warn!("what windows cost is not measured, but assumed: {error}"),
        }
    }

    /// Ends it.
    pub(in crate::session) fn calibrated(&mut self, pid: u32, costs: Result<Costs, String>) {
        self.kernel.targets.unfollow(pid);
        match costs {
            Ok(costs) => {
                tracing::debug!("{costs:?}");
                self.tiers.costs = costs;
                self.tiers.controller.set_costs(costs);
            }
            Err(error) => tracing::warn!("probe costs are not measured, but assumed: {error}"),
        }
    }
}
