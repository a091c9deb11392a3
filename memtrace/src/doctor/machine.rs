//! Reads the machine: what the kernel says of itself, and whether it takes the BPF programs, by loading them.

use std::fs;

use super::{
    checks,
    report::{Item, Status},
};
use crate::{
    host::capabilities::Capabilities,
    kernel::{Area, Backend, Kernel, Options, requirements},
};

/// Large enough to load; nothing is read from it.
const RING_BYTES: u32 = 64 * 1024;

/// Every item, in the order in which they matter.
pub(super) fn items() -> Vec<Item> {
    // First, because it mounts tracefs where it is not.
    let capabilities = Capabilities::effective();
    let loaded = loaded(capabilities);
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
    items
}

/// What loading tells; everything loaded is gone again when this returns.
fn loaded(capabilities: Option<Capabilities>) -> Vec<Item> {
    const NAME: &str = "BPF programs";
    let kernel = match Kernel::load(Options { ring_bytes: RING_BYTES, log: false, backend: Backend::Auto }) {
        Ok(kernel) => kernel,
        Err(error) => return vec![Item::new(NAME, Status::Missing, error.to_string())],
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
    items
}
