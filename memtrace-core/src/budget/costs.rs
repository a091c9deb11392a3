//! What a probe costs the process that hits it.

use memtrace_common::{Call, Meter};

/// Prices, in nanoseconds. The defaults are on the safe side of what was measured on x86-64 (virtual machines: 0.5 to
/// 0.6 us an emulated hit, 9 to 19 us a stepped one; bare metal 0.3 and 0.9 us); calibration replaces them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Costs {
    /// An entry probe on an instruction that the kernel emulates, with its program.
    pub entry_ns: f64,
    /// An entry probe on an instruction that the kernel steps over, with its program.
    pub stepped_entry_ns: f64,
    /// A return probe and its program, without what [`Meter::reporting_ns`] covers.
    pub return_ns: f64,
    /// What arming or disarming one probe disturbs a running target.
    pub toggle_ns: f64,
    /// How far off these may be: 0.25 is a quarter. Charges are raised by as much.
    pub relative_error: f64,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            entry_ns: 600.0,
            stepped_entry_ns: 20_000.0,
            return_ns: 450.0,
            toggle_ns: 30_000.0,
            relative_error: 0.25,
        }
    }
}

/// What a target has borne since it was asked last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spending {
    /// Entry probes hit.
    pub entries: u64,
    /// Return probes hit.
    pub returns: u64,
    /// Time that the programs took for what they reported, measured by themselves.
    pub reporting_ns: u64,
    /// Probes armed and probes disarmed, each counted.
    pub toggles: u64,
}

impl Spending {
    /// What came between two readings of a target's meter.
    #[must_use]
    pub const fn between(before: &Meter, after: &Meter) -> Self {
        Self {
            entries: after.entries.saturating_sub(before.entries),
            returns: after.returns.saturating_sub(before.returns),
            reporting_ns: after.reporting_ns.saturating_sub(before.reporting_ns),
            toggles: 0,
        }
    }
}

impl Costs {
    /// What one entry costs a target of whose entries this share is stepped, without the margin.
    #[must_use]
    pub fn entry_of(&self, stepped_share: f64) -> f64 {
        self.entry_ns + (self.stepped_entry_ns - self.entry_ns).max(0.0) * stepped_share.clamp(0.0, 1.0)
    }

    /// Nanoseconds of the target's CPU time that its hits took, on the safe side.
    #[must_use]
    pub fn of_hits(&self, spending: &Spending, stepped_share: f64) -> f64 {
        let modelled =
            spending.entries as f64 * self.entry_of(stepped_share) + spending.returns as f64 * self.return_ns;
        modelled * self.margin() + spending.reporting_ns as f64
    }

    /// What arming and disarming disturbed.
    #[must_use]
    pub fn of_toggles(&self, spending: &Spending) -> f64 {
        spending.toggles as f64 * self.toggle_ns
    }

    /// Everything.
    #[must_use]
    pub fn charge(&self, spending: &Spending, stepped_share: f64) -> f64 {
        self.of_hits(spending, stepped_share) + self.of_toggles(spending)
    }

    /// Charges are the modelled costs times this.
    #[must_use]
    pub fn margin(&self) -> f64 {
        1.0 + self.relative_error.max(0.0)
    }
}

/// Which share of a target's entries is stepped, from its sites: the shape of each one's calls, and whether it is
/// stepped.
///
/// A meter counts entries without telling their kinds, so this is a guess from how programs use allocators, and it errs
/// upwards: `malloc` and `free` are half of the calls each; `calloc` and `realloc` a quarter; what aligns, and
/// `reallocarray` (which Debian's glibc makes a stepped one), are rare.
#[must_use]
pub fn stepped_share(sites: impl IntoIterator<Item = (Call, bool)>) -> f64 {
    let mut of_shape = [0.0_f64; Call::ALL.len() + 1];
    for (call, is_stepped) in sites {
        if is_stepped {
            of_shape[call as usize] = weight(call);
        }
    }
    of_shape.iter().sum::<f64>().min(1.0)
}

const fn weight(call: Call) -> f64 {
    match call {
        Call::Malloc | Call::Free | Call::PythonMalloc | Call::PythonFree => 0.5,
        Call::Calloc | Call::Realloc | Call::PythonCalloc | Call::PythonRealloc => 0.25,
        Call::PosixMemalign | Call::AlignedAlloc => 0.05,
        Call::Reallocarray => 0.02,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_the_sum_of_its_parts_with_the_margin_on_what_is_modelled() {
        let costs = Costs {
            entry_ns: 100.0,
            stepped_entry_ns: 1_100.0,
            return_ns: 50.0,
            toggle_ns: 7.0,
            relative_error: 0.5,
        };
        let spending = Spending { entries: 10, returns: 4, reporting_ns: 1_000, toggles: 3 };
        assert!((costs.charge(&spending, 0.0) - ((1_000.0 + 200.0) * 1.5 + 1_000.0 + 21.0)).abs() < 1e-6);
        assert!((costs.charge(&spending, 0.5) - ((6_000.0 + 200.0) * 1.5 + 1_000.0 + 21.0)).abs() < 1e-6);
    }

    #[test]
    fn a_meter_that_went_backwards_costs_nothing() {
        let before = Meter { entries: 9, returns: 9, reporting_ns: 9, ..Meter::default() };
        assert_eq!(Spending::between(&before, &Meter::default()), Spending::default());
        assert_eq!(Spending::between(&Meter::default(), &before).entries, 9);
    }

    #[test]
    fn a_rare_stepped_site_weighs_little_and_a_common_one_much() {
        let debian = [(Call::Malloc, false), (Call::Free, false), (Call::Reallocarray, true)];
        assert!(stepped_share(debian) < 0.05);
        assert!((stepped_share([(Call::Malloc, true), (Call::Free, true)]) - 1.0).abs() < 1e-9);
        let twice = [(Call::PythonMalloc, true), (Call::PythonMalloc, true), (Call::PythonFree, false)];
        assert!(
            (stepped_share(twice) - 0.5).abs() < 1e-9,
            "two functions of one shape are half of the calls"
        );
    }
}
