//! What a probe hit costs on this machine is measured before the first target is attached to.

use memtrace_core::budget::Costs;

use super::{Pipeline, Tiers, send};
use crate::{
    attach::Command,
    calibrate::{self, Helper},
};

impl Pipeline {
    /// Starts the measuring.
    pub(in crate::session) fn calibrate(&mut self) {
        let helper = match Helper::start() {
            Ok(helper) => helper,
            Err(error) => return tracing::warn!("probe costs are not measured, but assumed: {error}"),
        };
        if let Err(error) = self.kernel.targets.follow(helper.pid(), calibrate::TARGET) {
            return tracing::warn!("probe costs are not measured, but assumed: {error}");
        }
        self.tiers.is_calibrating = true;
        send(&self.commands, Command::Calibrate { helper });
    }

    /// Ends it.
    pub(in crate::session) fn calibrated(&mut self, pid: u32, costs: Result<Costs, String>) {
        self.kernel.targets.unfollow(pid);
        self.tiers.is_calibrating = false;
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

impl Tiers {
    pub(in crate::session) const fn is_calibrating(&self) -> bool {
        self.is_calibrating
    }
}
