//! Hand-made snapshots for the tests of render and export.

use memtrace_common::{Domain, DropReason, StackEnd};

use crate::model::{
    Estimate, Frame, FrameKind, Interval, OtherSites, Overhead, OwnCost, ProcessInfo, ProcessSnapshot,
    ProcessState, Quality, Rates, SiteSnapshot, Snapshot, Tier, Totals,
};

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

pub(crate) fn python(function: &str, file: &str, line: u32) -> Frame {
    Frame {
        kind: FrameKind::Python,
        function: Some(function.into()),
        file: Some(file.into()),
        line: Some(line),
        module: None,
        offset: None,
        reason: None,
        internal: false,
    }
}

pub(crate) fn native(function: &str, module: &str, offset: u64) -> Frame {
    Frame {
        kind: FrameKind::Native,
        function: Some(function.into()),
        file: None,
        line: None,
        module: Some(module.into()),
        offset: Some(offset),
        reason: Some("no_debug_info"),
        internal: false,
    }
}

pub(crate) fn internal(function: &str) -> Frame {
    Frame { internal: true, ..native(function, "/usr/bin/python3.11", 0x1f3a20) }
}

/// A process too hot for the exact tier: its figures come from samples.
pub(crate) fn sampled_process(pid: u32, comm: &str) -> ProcessSnapshot {
    let live_bytes = Interval { value: 432e6, low: 350e6, high: 540e6 };
    let estimate = Estimate {
        live_bytes,
        live_blocks: Interval { value: 5_813.0, low: 4_700.0, high: 7_250.0 },
        growth_bytes_per_minute: Some(Interval { value: 1.1e6, low: 0.8e6, high: 1.4e6 }),
        survival: [
            Some(Interval { value: 0.12, low: 0.08, high: 0.17 }),
            Some(Interval { value: 0.031, low: 0.01, high: 0.06 }),
            None,
        ],
        sampled_blocks: 34,
        unknown_bytes: 2 << 20,
    };
    let mut process = process(pid, comm);
    process.sites.truncate(1);
    process.sites[0].estimate = estimate;
    process.estimate = Estimate { live_bytes: Interval { high: f64::INFINITY, ..live_bytes }, ..estimate };
    process.overhead = Overhead {
        tier: Tier::Windows,
        reason: Some("1,012,000 allocations/s would cost 91 % of a core".to_owned()),
        limit_share: Some(0.01),
        spent_share: 0.0093,
        spent_share_total: 0.0097,
        armed_share: 0.0061,
        windows: 1_204,
        mean_bytes: 512,
    };
    process
}

pub(crate) fn leaking_site() -> SiteSnapshot {
    SiteSnapshot {
        id: 0x7f3a_90c1_0042_beef,
        domain: Domain::Libc,
        live_bytes: 412 << 20,
        live_blocks: 5_812,
        allocated_bytes: 500 << 20,
        allocations: 6_000,
        growth_bytes: 38 << 20,
        allocations_per_second: 120.0,
        oldest_age_ns: Some(13 * 60 * SECOND_NS),
        estimate: Estimate::exact(412 << 20, 5_812),
        frames: vec![
            internal("PyBytes_FromStringAndSize"),
            python("SessionCache.put", "/srv/app/cache.py", 88),
            python("handle_upload", "/srv/app/handlers.py", 41),
            python("Handle._run", "/usr/lib/python3.11/asyncio/events.py", 84),
        ],
    }
}

pub(crate) fn native_site() -> SiteSnapshot {
    let mut inlined = native("png_read_row<unsigned char>", "/usr/lib/libpng16.so.16", 0x21f30);
    inlined.file = Some("/build/libpng/pngread.c".into());
    inlined.line = Some(540);
    let mut nameless = native("", "/opt/vendor/decoder.so", 0x4a10);
    nameless.function = None;
    nameless.reason = Some("no_symbol");
    SiteSnapshot {
        id: 0x11,
        live_bytes: 80_000,
        live_blocks: 1,
        allocated_bytes: 160_000,
        allocations: 2,
        growth_bytes: -80_000,
        oldest_age_ns: Some(4_260_000_000),
        estimate: Estimate::exact(80_000, 1),
        frames: vec![inlined, nameless, Frame::unknown("no_frame_pointer")],
        ..leaking_site()
    }
}

pub(crate) fn info(pid: u32, comm: &str) -> ProcessInfo {
    ProcessInfo {
        pid,
        start_time_ticks: 4_200 + u64::from(pid),
        comm: comm.to_owned(),
        cmdline: vec!["/usr/bin/python3.11".to_owned(), "server.py".to_owned(), "--port=8080".to_owned()],
        exe: Some("/usr/bin/python3.11".to_owned()),
    }
}

pub(crate) fn process(pid: u32, comm: &str) -> ProcessSnapshot {
    ProcessSnapshot {
        info: info(pid, comm),
        state: ProcessState::Running,
        rss_bytes: Some(2_480_000_000),
        totals: Totals {
            live_bytes: (412 << 20) + 80_000 + 1_000_000,
            live_blocks: 5_813 + 9_000,
            allocated_bytes: 900 << 20,
            allocations: 1_300_000,
            freed_bytes: 486 << 20,
            frees: 1_285_187,
            frees_unknown: 0,
        },
        estimate: Estimate::exact((412 << 20) + 80_000 + 1_000_000, 5_813 + 9_000),
        overhead: Overhead {
            limit_share: Some(0.01),
            spent_share: 0.0082,
            armed_share: 1.0,
            ..Overhead::default()
        },
        rates: Rates {
            allocations_per_second: 8_204.4,
            allocated_bytes_per_second: 3_250_586.0,
            frees_per_second: 8_100.0,
        },
        sites: vec![leaking_site(), native_site()],
        other_sites: OtherSites { sites: 140, live_bytes: 1_000_000, live_blocks: 9_000 },
        probes: 10,
        notes: Vec::new(),
    }
}

pub(crate) fn snapshot(processes: Vec<ProcessSnapshot>) -> Snapshot {
    Snapshot {
        unix_ns: 1_800_000_000 * SECOND_NS,
        elapsed_ns: 192 * SECOND_NS,
        interval_ns: 5 * SECOND_NS,
        quality: Quality {
            events: 2_585_187,
            dropped: DropReason::ALL.into_iter().map(|reason| (reason, 0)).collect(),
            stacks_truncated: 0,
            stacks_ended: [(StackEnd::Complete, 5), (StackEnd::ReadFault, 1)].into(),
            frames_unresolved: 0,
        },
        own_cost: OwnCost {
            cpu_seconds: 1.25,
            cpu_share: 0.0061,
            rss_bytes: 41 << 20,
            probes_attached: 24,
            ledger_blocks: 14_813,
            ledger_capacity: 16_000_000,
        },
        processes,
    }
}

/// Names that a hostile process would choose.
pub(crate) fn hostile() -> Snapshot {
    let mut process = process(666, "\x1b[2J\x1b]0;pwn\x07");
    process.info.cmdline = vec!["a\nquality: 0 events, nothing dropped".to_owned(), "\u{202e}fdp".to_owned()];
    process.notes = vec!["cannot read \r/proc".to_owned()];
    process.sites.truncate(1);
    process.sites[0].frames = vec![python("\x1b[31mred\n", "x\u{9b}1m.py\"\\", 1)];
    snapshot(vec![process])
}
