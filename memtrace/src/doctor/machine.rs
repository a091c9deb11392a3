//! Reads the machine: what the kernel says of itself, and whether it takes the BPF programs, by loading them.

use std::fs;

use super::{
    checks,
    report::{CostReport, Item, Status},
};
use crate::{
    calibrate::{self, Calibrated, CalibrationError, Helper},
    host::capabilities::Capabilities,
    kernel::{Area, Backend, Kernel, Options, requirements},
};

/// Nothing is read from it, and it holds all that the calibration's helper causes: fewer than 30,000 records of up to
/// 100 bytes.
const RING_BYTES: u32 = 4 << 20;

/// What the machine is like.
pub(super) struct Machine {
    /// In the order in which they matter.
    pub(super) items: Vec<Item>,
    pub(super) costs: Option<CostReport>,
}

/// Looks, and measures.
pub(super) fn look() -> Machine {
    // First, because it mounts tracefs where it is not.
    let capabilities = Capabilities::effective();
    let (loaded, costs) = loaded(capabilities);
    let release = requirements::release();
    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    let mut items = vec![
        checks::kernel(&release, &machine),
        checks::capabilities(capabilities),
        checks::pid_namespace(requirements::pid_namespace().as_deref()),
    ];
    items.extend(loaded);
    items.extend([
        checks::tracefs(&fs::read_to_string("/proc/self/mounts").unwrap_or_default()),
        checks::btf(fs::exists("/sys/kernel/btf/vmlinux").unwrap_or(false)),
        checks::lockdown(fs::read_to_string("/sys/kernel/security/lockdown").ok().as_deref()),
        checks::perf_event_paranoid(
            fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok().as_deref(),
            capabilities,
        ),
    ]);
    Machine { items, costs }
}

/// What loading tells; everything loaded is gone again when this returns.
fn loaded(capabilities: Option<Capabilities>) -> (Vec<Item>, Option<CostReport>) {
    const NAME: &str = "BPF programs";
    let mut kernel =
        match Kernel::load(Options { ring_bytes: RING_BYTES, log: false, backend: Backend::Auto }) {
            Ok(kernel) => kernel,
            Err(error) => return (vec![Item::new(NAME, Status::Missing, error.to_string())], None),
        };
    let mut items = vec![
        Item::new(NAME, Status::Ok, "the kernel takes them"),
        checks::uprobes(kernel.without_multi(), capabilities),
    ];
    let found = format!("a thread's FS base is found, at task_struct+{:#x}", kernel.settings.fs_base_offset);
    items.extend(checks::area(Area::PythonStacks, &kernel.weaker, &found));
    items.extend(checks::area(
        Area::Lifecycle,
        &kernel.weaker,
        "the lifecycle tracepoints tell of them at once",
    ));
    let (item, costs) = costs(measure(&mut kernel));
    items.push(item);
    (items, costs)
}

fn measure(kernel: &mut Kernel) -> Result<Calibrated, String> {
    let mut targets = kernel.take_targets().map_err(|error| error.to_string())?;
    let helper = Helper::start().map_err(|error| CalibrationError::from(error).to_string())?;
    targets.follow(helper.pid(), calibrate::TARGET).map_err(|error| error.to_string())?;
    helper.measure(kernel).map_err(|error| error.to_string())
}

fn costs(measured: Result<Calibrated, String>) -> (Item, Option<CostReport>) {
    const NAME: &str = "cost of a hit";
    let calibrated = match measured {
        Ok(calibrated) => calibrated,
        Err(error) => {
            let detail =
                format!("cannot be measured, so it is taken to be more than on most machines: {error}");
            return (Item::new(NAME, Status::Weaker, detail), None);
        }
    };
    let costs = calibrated.costs;
    let bought = |price_ns: f64| (0.01 * 1e9 / price_ns) as u64;
    let report = CostReport {
        entry_ns: costs.entry_ns as u64,
        stepped_entry_ns: costs.stepped_entry_ns as u64,
        return_ns: costs.return_ns as u64,
        stack_ns: calibrated.stack_ns as u64,
        stack_frames: calibrate::STACK_FRAMES,
        hits_per_second_of_1_percent: bought(costs.entry_ns),
        stepped_hits_per_second_of_1_percent: bought(costs.stepped_entry_ns),
    };
    (checks::costs(&report), Some(report))
}
