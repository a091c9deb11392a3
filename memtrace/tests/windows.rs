//! Windows on real processes: what is armed, what is measured, what is left. Needs root.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are tests too; clippy.toml exempts only #[test] functions"
)]
#![allow(clippy::print_stdout, reason = "the victim of a test tells its parent what it has done")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use memtrace::{
    host::mappings::FileId,
    kernel::{
        anchor::{self, AnchorError, AnchorFile, Anchors, FILES_MAX},
        attach::Probe,
    },
    windows::{MemoryRange, WindowEvent, WindowFailure, WindowMeasure},
};
use memtrace_common::{
    Call,
    record::{Header, RecordKind, flags},
};
use support::{Bench, Target, alone};

const TARGET: u32 = 1;

/// More than a turn of `churn` takes, emulated processors included.
const SLOW_TURN_NS: u64 = 500_000;

/// The events of one window, with `ranges` for candidates.
fn outcome(
    bench: &mut Bench,
    ranges: &[MemoryRange],
) -> (Vec<Option<Vec<u8>>>, Result<WindowMeasure, WindowFailure>) {
    let mut memory = Vec::new();
    loop {
        match bench.next_event() {
            WindowEvent::Calibrated { .. } => unreachable!("there is no helper"),
            // An answer that comes too late finds nobody.
            WindowEvent::Candidates(request) => drop(request.answer.send(ranges.to_vec())),
            WindowEvent::Fingerprints(fingerprints) => memory = fingerprints.memory,
            WindowEvent::Closed(measure) => return (memory, Ok(measure)),
            WindowEvent::Failed { failure, .. } => return (memory, Err(failure)),
        }
    }
}

#[test]
fn probes_are_hit_in_windows_and_only_there() {
    let _alone = alone();
    let target = Target::start("churn", &["1"]);
    let mut bench = Bench::new(&target);
    let original = target.probed_bytes(&bench.files);
    let mut worked_ns = 0;
    for window in 1..=8 {
        bench.order(window, |_| {});
        let kept = MemoryRange { address: target.kept, bytes: 64 };
        let (memory, measure) = outcome(&mut bench, &[kept, MemoryRange { address: 8, bytes: 8 }]);
        assert_eq!(memory, [Some(vec![0x5a; 64]), None], "window {window}");
        let measure = measure.expect("it is alive");
        // A turn takes a few microseconds, when the processor is not with others.
        let (borne, work_ns) = (measure.in_window, measure.cpu_ns_in_window);
        assert!(borne.hits.entries >= work_ns / SLOW_TURN_NS, "{measure:?}");
        assert!(borne.hits.returns >= work_ns / SLOW_TURN_NS / 2, "{measure:?}");
        assert!(borne.hits.entries <= measure.while_armed.hits.entries, "{measure:?}");
        assert!(!measure.quota_hit && measure.has_fingerprints, "{measure:?}");
        worked_ns += work_ns;
        // One busy thread: as long as the window, unless others had the processor.
        let length_ns = measure.close_ns - measure.open_ns;
        assert_eq!(length_ns, 3_000_000);
        assert!(measure.is_cpu_exact && measure.cpu_ns_in_window <= length_ns + 100_000, "{measure:?}");
        assert!(measure.toggle_ns < measure.armed_ns && measure.toggles >= 7, "{measure:?}");

        assert_eq!(target.probed_bytes(&bench.files), original, "window {window}: a breakpoint is left");
        let entries = || bench.meters.read(TARGET).expect("metered").entries;
        let before = entries();
        std::thread::sleep(Duration::from_millis(30));
        // A thread that was preempted in a trap goes on with it later.
        assert!(entries() <= before + 1, "window {window}: probes are hit after it");
        check_records(&bench.records(), window, &measure);
    }
    assert!(worked_ns > 3_000_000, "{worked_ns}");
}

/// Every record is of the window; what was sampled is `Allocated`, and what was not is `HandedOut`.
fn check_records(records: &[Header], window: u32, measure: &WindowMeasure) {
    let of = |kind: RecordKind| records.iter().filter(|header| header.kind == kind as u8).count() as u64;
    for header in records {
        let is_call = header.kind != RecordKind::Stack as u8;
        assert_eq!(header.window, if is_call { window } else { 0 }, "{header:?}");
    }
    assert!(of(RecordKind::Allocated).abs_diff(measure.while_armed.sampled) <= 1, "{measure:?}");
    let (handed_out, freed) = (of(RecordKind::HandedOut), of(RecordKind::Freed));
    let allocated = measure.while_armed.sampled + handed_out;
    // Frees are armed before allocations, and go after them.
    assert!(freed + 1 >= allocated, "{handed_out} {freed} {measure:?}");
    let rarest = records
        .iter()
        .filter(|header| header.kind == RecordKind::Allocated as u8)
        .map(|header| header.flags >> flags::RARITY_SHIFT)
        .max();
    // One caller makes them all: from its eighth sample on, it is sampled less.
    assert_eq!(rarest.is_some_and(|rarity| rarity > 0), measure.while_armed.sampled > 8, "{measure:?}");
}

#[test]
fn a_window_ends_early_when_a_quota_is_reached() {
    let _alone = alone();
    let target = Target::start("churn", &["1"]);
    let mut bench = Bench::new(&target);
    bench.order(1, |order| (order.length, order.entries_max) = (Duration::from_millis(200), 500));
    let (_, measure) = outcome(&mut bench, &[]);
    let measure = measure.expect("it is alive");
    assert!(measure.quota_hit && measure.while_armed.hits.entries > 500, "{measure:?}");
    assert!(measure.close_ns - measure.open_ns < 100_000_000, "{measure:?}");
    let over = bench.records().iter().filter(|header| header.kind == RecordKind::OverAllowance as u8).count();
    assert_eq!(over, 1);

    bench.order(2, |order| {
        (order.length, order.mean_bytes, order.sampled_max) = (Duration::from_millis(200), 0, 20);
    });
    let (_, measure) = outcome(&mut bench, &[]);
    let measure = measure.expect("it is alive");
    assert!(measure.quota_hit && measure.while_armed.sampled == 20, "{measure:?}");
}

#[test]
fn a_session_that_does_not_answer_does_not_keep_the_target_armed() {
    let _alone = alone();
    let target = Target::start("churn", &["100"]);
    let mut bench = Bench::new(&target);
    bench.order(1, |_| {});
    let WindowEvent::Candidates(unanswered) = bench.next_event() else { panic!("candidates come first") };
    let WindowEvent::Closed(measure) = bench.next_event() else { panic!("nothing else is there to tell") };
    assert!(!measure.has_fingerprints && measure.armed_ns > 20_000_000, "{measure:?}");
    drop(unanswered);
}

#[test]
fn a_target_that_ends_or_executes_while_armed_fails_its_window_and_the_next_ones_pass() {
    let _alone = alone();
    let mut target = Target::start("churn", &["1"]);
    let mut bench = Bench::new(&target);
    bench.order(1, |order| order.length = Duration::from_millis(300));
    std::thread::sleep(Duration::from_millis(100));
    target.kill();
    assert!(matches!(outcome(&mut bench, &[]), (_, Err(WindowFailure::Gone))));
    bench.order(2, |_| {});
    assert!(matches!(outcome(&mut bench, &[]), (_, Err(WindowFailure::Gone))));

    let target = Target::start("churn", &["1", "exec"]);
    bench.follow(&target);
    bench.order(3, |order| order.length = Duration::from_millis(1500));
    assert!(matches!(outcome(&mut bench, &[]), (_, Err(WindowFailure::Executed))));
    assert!(is_hit(&mut bench, 4), "the new image is not probed");
}

#[test]
fn children_that_are_forked_while_armed_live() {
    let _alone = alone();
    let target = Target::start("churn", &["1", "fork"]);
    let mut bench = Bench::new(&target);
    for window in 1..=20 {
        bench.order(window, |order| order.length = Duration::from_millis(10));
        outcome(&mut bench, &[]).1.expect("it is alive");
    }
    // The program ends when a child of it does not end well.
    let stat = fs::read_to_string(format!("/proc/{}/stat", target.pid())).unwrap();
    assert!(!stat.contains(") Z"), "{stat}");
}

#[test]
fn a_main_thread_that_has_ended_does_not_end_the_windows() {
    let _alone = alone();
    let target = Target::start("churn", &["1", "leave"]);
    let mut bench = Bench::new(&target);
    std::thread::sleep(Duration::from_millis(100));
    assert!(is_hit(&mut bench, 1), "the other threads are not probed");
}

/// True when one of some windows is hit: a busy machine gives the target no processor in a single one.
fn is_hit(bench: &mut Bench, first_window: u32) -> bool {
    (first_window..first_window + 50).any(|window| {
        bench.order(window, |_| {});
        let (_, measure) = outcome(bench, &[]);
        measure.expect("it is alive").in_window.hits.entries > 0
    })
}

#[test]
fn anchors_are_bounded_and_their_definitions_go_with_them() {
    let _alone = alone();
    let mut kernel = support::kernel();
    let own = format!("memtrace_{}/", std::process::id());
    let defined = || {
        let text = fs::read_to_string("/sys/kernel/tracing/uprobe_events").unwrap();
        text.lines().filter(|line| line.contains(&own)).count()
    };
    let mut anchors = Anchors::new(kernel.anchor_programs().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let probes = [Probe { file_offset: 0x1000, call: Call::Free }];
    for number in 0..FILES_MAX + 4 {
        let path = directory.path().join(number.to_string());
        fs::write(&path, [0x90; 0x2000]).unwrap();
        let id = FileId { device: (0, 0), inode: number as u64 };
        anchors.prepare(&[AnchorFile { path: &path, id, probes: &probes }]).unwrap();
    }
    // What was given up goes in the background.
    let is_bounded = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        defined() <= FILES_MAX + 1
    });
    assert!(is_bounded, "{}", defined());
    drop(anchors);
    assert_eq!(defined(), 0);
}

#[test]
fn a_path_that_tracefs_would_misread_is_refused() {
    let _alone = alone();
    let mut anchors = Anchors::new(support::kernel().anchor_programs().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("with blank");
    fs::write(&path, [0x90; 0x2000]).unwrap();
    let file = AnchorFile {
        path: &path,
        id: FileId { device: (0, 0), inode: 1 },
        probes: &[Probe { file_offset: 0x1000, call: Call::Free }],
    };
    assert!(matches!(anchors.prepare(&[file]), Err(AnchorError::Path)));
}

/// The test executes itself as the memtrace that is killed while the target is armed.
#[test]
fn a_killed_memtrace_leaves_no_breakpoint_and_the_next_one_sweeps_its_definitions() {
    const PID: &str = "MEMTRACE_TEST_ARM";
    if let Ok(pid) = std::env::var(PID) {
        return arm_for_ever(pid.parse().unwrap());
    }
    let _alone = alone();
    let target = Target::start("churn", &["1"]);
    let files = support::files(target.pid());
    let original = target.probed_bytes(&files);
    let name = "a_killed_memtrace_leaves_no_breakpoint_and_the_next_one_sweeps_its_definitions";
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(PID, target.pid().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("armed")));
    assert_ne!(target.probed_bytes(&files), original);
    let group = format!("memtrace_{}/", victim.id());
    victim.kill().unwrap();
    victim.wait().unwrap();

    let is_restored = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        target.probed_bytes(&files) == original
    });
    assert!(is_restored, "a breakpoint is left");
    let defined = || fs::read_to_string("/sys/kernel/tracing/uprobe_events").unwrap();
    assert!(defined().contains(&group));
    assert!(anchor::sweep().unwrap() >= 7);
    assert!(!defined().contains(&group));
}

fn arm_for_ever(pid: u32) {
    let mut kernel = support::kernel();
    let mut anchors = Anchors::new(kernel.anchor_programs().unwrap()).unwrap();
    let files = support::files(pid);
    let paths: Vec<_> = files.iter().map(|file| file.object.file.own_path()).collect();
    let files: Vec<AnchorFile<'_>> = files
        .iter()
        .zip(&paths)
        .map(|(file, path)| AnchorFile { path, id: file.object.file.id, probes: &file.probes })
        .collect();
    let _armed = anchors.arm(&files, pid).unwrap();
    println!("armed");
    loop {
        std::thread::park();
    }
}
