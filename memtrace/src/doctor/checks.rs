//! Judges what was read from the machine. In: plain values. Out: items. Nothing here looks anything up.

use super::report::{CostReport, Item, Status};
use crate::{
    host::capabilities::{Capabilities, Capability},
    kernel::{Area, LoadError, Weakness, requirements},
};

pub(super) fn kernel(release: &str, machine: &str) -> Item {
    let status = if requirements::check_release(release).is_ok() { Status::Ok } else { Status::Missing };
    let advice = if status == Status::Missing { "; memtrace needs 5.10 or later" } else { "" };
    Item::new("kernel", status, format!("Linux {release}, {machine}{advice}"))
}

/// memtrace learns the one offset that it needs by looking, so a kernel without BTF is as good.
pub(super) fn btf(is_there: bool) -> Item {
    let detail = if is_there {
        "/sys/kernel/btf/vmlinux is there; memtrace does not need it"
    } else {
        "this kernel has none; memtrace does not need it"
    };
    Item::new("BTF", Status::Ok, detail)
}

pub(super) fn tracefs(mounts: &str) -> Item {
    const USUAL: &str = "/sys/kernel/tracing";
    let points: Vec<&str> = mounts.lines().filter_map(tracefs_mount).collect();
    if points.contains(&USUAL) {
        return Item::new("tracefs", Status::Ok, format!("mounted at {USUAL}"));
    }
    let found = match points.first() {
        Some(point) => format!("mounted at {point} only"),
        None => "not mounted".to_owned(),
    };
    let detail = format!(
        "{found}; without it new processes are found by looking through /proc. Try: mount -t tracefs tracefs {USUAL}"
    );
    Item::new("tracefs", Status::Weaker, detail)
}

/// `DEVICE POINT TYPE OPTIONS 0 0`, as in /proc/self/mounts.
fn tracefs_mount(line: &str) -> Option<&str> {
    let mut fields = line.split(' ').skip(1);
    let (point, kind) = (fields.next()?, fields.next()?);
    (kind == "tracefs").then_some(point)
}

pub(super) fn capabilities(capabilities: Option<Capabilities>) -> Item {
    const NAME: &str = "capabilities";
    const LOOKING: [Capability; 2] = [Capability::SysPtrace, Capability::DacReadSearch];
    let Some(capabilities) = capabilities else {
        return Item::new(NAME, Status::Weaker, "not known: /proc/self/status cannot be read");
    };
    let required = capabilities.lacking(&requirements::REQUIRED);
    let looking = capabilities.lacking(&LOOKING);
    if !required.is_empty() {
        let lacking = [required, looking].concat().join(", ");
        let detail =
            format!("lacks {lacking}. Try: sudo memtrace doctor, or sudo env \"PATH=$PATH\" memtrace doctor");
        return Item::new(NAME, Status::Missing, detail);
    }
    if !looking.is_empty() {
        let detail =
            format!("lacks {}: processes of other users are not traced. Try: sudo", looking.join(", "));
        return Item::new(NAME, Status::Weaker, detail);
    }
    if !capabilities.allow(Capability::SysAdmin) {
        let detail = "lacks CAP_SYS_ADMIN, without which the kernel opens no perf event on a uprobe: no Python \
                      stacks, and files that were deleted or replaced on disk are not traced. Try: sudo";
        return Item::new(NAME, Status::Weaker, detail);
    }
    let resource = if capabilities.allow(Capability::SysResource) {
        ", CAP_SYS_RESOURCE"
    } else {
        "; not CAP_SYS_RESOURCE, which only kernels before 5.11 need"
    };
    let detail =
        format!("CAP_SYS_ADMIN (so CAP_BPF, CAP_PERFMON), CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH{resource}");
    Item::new(NAME, Status::Ok, detail)
}

/// `[none] integrity confidentiality`: the chosen one is in brackets.
pub(super) fn lockdown(state: Option<&str>) -> Item {
    const NAME: &str = "lockdown";
    let chosen = state.and_then(|state| state.split('[').nth(1)?.split(']').next());
    match chosen {
        None => Item::new(NAME, Status::Ok, "this kernel has none, or does not say"),
        Some("confidentiality") => Item::new(
            NAME,
            Status::Weaker,
            "confidentiality: BPF programs may not read kernel memory, which Python stacks need",
        ),
        Some(chosen) => Item::new(NAME, Status::Ok, format!("{chosen}, which does not matter")),
    }
}

pub(super) fn perf_event_paranoid(level: Option<&str>, capabilities: Option<Capabilities>) -> Item {
    const NAME: &str = "perf_event_paranoid";
    let level = level.map_or("not known", str::trim);
    if capabilities.is_some_and(|capabilities| capabilities.allow(Capability::Perfmon)) {
        return Item::new(NAME, Status::Ok, format!("{level}, which does not matter with CAP_PERFMON"));
    }
    let detail = format!("{level}; without CAP_PERFMON no probe can be attached at any level");
    Item::new(NAME, Status::Weaker, detail)
}

pub(super) fn pid_namespace(link: Option<&str>) -> Item {
    const NAME: &str = "pid namespace";
    match link {
        Some(link) if requirements::is_initial(link) => Item::new(NAME, Status::Ok, "the initial one"),
        Some(_) => Item::new(NAME, Status::Missing, LoadError::PidNamespace.to_string()),
        None => Item::new(NAME, Status::Weaker, "not known: /proc/self/ns/pid cannot be read"),
    }
}

/// `without_multi`: why one link a file is not used. `perf_uprobe_event_init` asks for CAP_SYS_ADMIN; the link does not.
pub(super) fn uprobes(without_multi: Option<&str>, capabilities: Option<Capabilities>) -> Item {
    let may_open_events = capabilities.is_none_or(|capabilities| capabilities.allow(Capability::SysAdmin));
    match without_multi {
        Some(reason) if !may_open_events => Item::new(
            "uprobes",
            Status::Missing,
            format!(
                "a perf event for each probe takes CAP_SYS_ADMIN, and uprobe_multi is not used: {reason}"
            ),
        ),
        None => {
            Item::new("uprobes", Status::Ok, "uprobe_multi: one link for all probes of a file in a process")
        }
        Some(reason) => Item::new(
            "uprobes",
            Status::Weaker,
            format!(
                "a perf event for each probe, because {reason}: context switches of a target cost more, and \
                 detaching takes longer (uprobe_multi, of Linux 6.10, does without)"
            ),
        ),
    }
}

/// One item a weakness, or one that says that all is well.
pub(super) fn area(area: Area, weaker: &[Weakness], well: &str) -> Vec<Item> {
    let name = match area {
        Area::PythonStacks => "Python stacks",
        Area::Lifecycle => "new processes",
    };
    let of_area = weaker.iter().filter(|weakness| weakness.area == area);
    let items: Vec<Item> =
        of_area.map(|weakness| Item::new(name, Status::Weaker, weakness.sentence.clone())).collect();
    if items.is_empty() { vec![Item::new(name, Status::Ok, well)] } else { items }
}

pub(super) fn costs(costs: &CostReport) -> Item {
    let micros = |ns: u64| format!("{:.2} us", ns as f64 / 1000.0);
    let detail = format!(
        "{} emulated, {} stepped; with the return {} more, with a stack of {} frames another {}. 1 % of a core pays \
         for {} emulated hits a second, or {} stepped ones",
        micros(costs.entry_ns),
        micros(costs.stepped_entry_ns),
        micros(costs.return_ns),
        costs.stack_frames,
        micros(costs.stack_ns),
        costs.hits_per_second_of_1_percent,
        costs.stepped_hits_per_second_of_1_percent,
    );
    Item::new("cost of a hit", Status::Ok, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Capabilities = Capabilities::from_bits(u64::MAX);

    #[test]
    fn an_old_kernel_is_missing_and_not_weaker() {
        assert_eq!(kernel("5.4.0", "x86_64").status, Status::Missing);
        assert_eq!(kernel("6.1.0-18-amd64", "x86_64").status, Status::Ok);
    }

    #[test]
    fn tracefs_counts_at_its_usual_place_only() {
        let usual = "proc /proc proc rw 0 0\nnodev /sys/kernel/tracing tracefs rw,nosuid 0 0\n";
        assert_eq!(tracefs(usual).status, Status::Ok);
        let other = tracefs("tracefs /sys/kernel/debug/tracing tracefs rw 0 0\n");
        assert_eq!(other.status, Status::Weaker);
        assert!(other.detail.contains("/sys/kernel/debug/tracing only"), "{}", other.detail);
        assert!(tracefs("").detail.contains("mount -t tracefs"));
    }

    #[test]
    fn rights_are_missing_weaker_or_there() {
        let of = |bits| capabilities(Some(Capabilities::from_bits(bits)));
        let (bpf_and_perfmon, looking) = (1 << 38 | 1 << 39, 1 << 2 | 1 << 19);
        assert_eq!(of(looking).status, Status::Missing);
        assert!(of(0).detail.contains("sudo") && of(0).detail.contains("CAP_SYS_PTRACE"));
        assert_eq!(of(bpf_and_perfmon).status, Status::Weaker);
        assert_eq!(of(bpf_and_perfmon | looking).status, Status::Weaker);
        assert_eq!(of(1 << 21 | looking).status, Status::Ok);
        assert_eq!(capabilities(None).status, Status::Weaker);
    }

    #[test]
    fn only_confidentiality_stands_in_the_way() {
        assert_eq!(lockdown(None).status, Status::Ok);
        assert_eq!(lockdown(Some("none [integrity] confidentiality\n")).status, Status::Ok);
        assert_eq!(lockdown(Some("none integrity [confidentiality]\n")).status, Status::Weaker);
    }

    #[test]
    fn the_paranoid_level_matters_without_cap_perfmon() {
        assert_eq!(perf_event_paranoid(Some("3\n"), Some(ALL)).status, Status::Ok);
        assert_eq!(perf_event_paranoid(Some("-1\n"), None).status, Status::Weaker);
    }

    #[test]
    fn a_perf_event_for_each_probe_is_weaker_and_takes_cap_sys_admin() {
        assert_eq!(uprobes(None, None).status, Status::Ok);
        assert_eq!(uprobes(Some("too old"), Some(ALL)).status, Status::Weaker);
        let few = Capabilities::from_bits(1 << 38 | 1 << 39);
        assert_eq!(uprobes(Some("too old"), Some(few)).status, Status::Missing);
        assert!(uprobes(Some("too old"), Some(few)).detail.ends_with("too old"));
    }

    #[test]
    fn another_pid_namespace_counts_nothing_and_is_said_so() {
        assert_eq!(pid_namespace(Some("pid:[4026531836]")).status, Status::Ok);
        let other = pid_namespace(Some("pid:[4026532250]"));
        assert_eq!(other.status, Status::Missing);
        assert!(other.detail.contains("--pid=host"));
    }

    #[test]
    fn costs_are_told_in_microseconds_and_in_what_they_buy() {
        let costs = CostReport {
            entry_ns: 505,
            stepped_entry_ns: 9_340,
            return_ns: 330,
            stack_ns: 1_200,
            stack_frames: 8,
            hits_per_second_of_1_percent: 19_801,
            stepped_hits_per_second_of_1_percent: 1_070,
        };
        let detail = super::costs(&costs).detail;
        for words in
            ["0.51 us emulated", "9.34 us stepped", "0.33 us more", "8 frames another 1.20 us", "19801"]
        {
            assert!(detail.contains(words), "{words}: {detail}");
        }
    }

    #[test]
    fn every_weakness_is_an_item_of_its_own() {
        let weakness = |area, sentence: &str| Weakness { area, sentence: sentence.to_owned() };
        let weaker = [
            weakness(Area::Lifecycle, "first"),
            weakness(Area::PythonStacks, "second"),
            weakness(Area::Lifecycle, "third"),
        ];
        let details = |area| -> Vec<String> {
            super::area(area, &weaker, "well").into_iter().map(|item| item.detail).collect()
        };
        assert_eq!(details(Area::Lifecycle), ["first", "third"]);
        assert_eq!(details(Area::PythonStacks), ["second"]);
        assert_eq!(area(Area::Lifecycle, &[], "well"), [Item::new("new processes", Status::Ok, "well")]);
    }
}
