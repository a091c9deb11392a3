//! What is shown of the sites and in which order. The program is `programs/c/sites.c`.

use std::thread::sleep;
use std::time::Duration;

use crate::support::figures::{Figures, Live};
use crate::support::memtrace::Memtrace;
use crate::support::report::Report;
use crate::support::snapshot::{Process, Site};
use crate::support::target::Target;

const LARGE: Live = Live { live_blocks: 100, live_bytes: 1_000_000 };
const SMALL: Live = Live { live_blocks: 1_000, live_bytes: 16_000 };
const LATE: Live = Live { live_blocks: 200, live_bytes: 200_000 };
const NOTHING_ROUNDS: u64 = 5_000;

/// Longer than the 10 ms to which ages are known, and than an interval.
const PAUSE: Duration = Duration::from_millis(500);

/// One run: its report, and the process as the last snapshot has it.
struct Run {
    pid: u32,
    report: Report,
}

impl Run {
    /// All four phases, with a pause after each but the last.
    fn with(arguments: &[&str]) -> Self {
        Self::with_pause(arguments, PAUSE)
    }

    fn with_pause(arguments: &[&str], pause: Duration) -> Self {
        let mut program = Target::c("sites", &[]);
        let memtrace = Memtrace::follow_with(&program, arguments);
        for rounds in [LARGE.live_blocks, SMALL.live_blocks, NOTHING_ROUNDS] {
            program.go(rounds);
            sleep(pause);
        }
        program.go(LATE.live_blocks);
        let books: Figures = program.books();
        let report = memtrace.stop();
        report.assert_nothing_lost();
        assert_eq!(
            report.process(program.pid()).figures,
            books,
            "a filter leaves the process' own figures alone"
        );
        Self { pid: program.pid(), report }
    }

    fn last(&self) -> &Process {
        self.report.process(self.pid)
    }

    /// The process in every snapshot, in order.
    fn all(&self) -> impl Iterator<Item = &Process> {
        self.report.said.snapshots.iter().filter_map(|snapshot| snapshot.process(self.pid))
    }

    /// True when a snapshot begins with this function, though another has more live bytes.
    fn was_ever_first(&self, function: &str) -> bool {
        self.all().any(|process| {
            let first = process.sites.first();
            let most = process.sites.iter().map(|site| site.figures.live_bytes).max();
            first.is_some_and(|site| name(site) == function && Some(site.figures.live_bytes) < most)
        })
    }
}

fn name(site: &Site) -> &str {
    let names = site.frames.iter().filter_map(|frame| frame.function.as_deref());
    names.into_iter().find(|name| name.starts_with("keep_")).unwrap_or("none of the program's")
}

/// The functions that keep something, in the order of the sites.
fn order(process: &Process) -> Vec<&str> {
    process.sites.iter().filter(|site| site.figures.live_blocks > 0).map(name).collect()
}

fn live(site: &Site) -> Live {
    Live { live_blocks: site.figures.live_blocks, live_bytes: site.figures.live_bytes }
}

#[test]
fn sites_are_ordered_by_live_bytes_unless_told_otherwise() {
    for arguments in [&[] as &[&str], &["--sort", "live"]] {
        assert_eq!(order(Run::with(arguments).last()), ["keep_large", "keep_late", "keep_small"]);
    }
}

#[test]
fn sites_can_be_ordered_by_live_blocks() {
    assert_eq!(order(Run::with(&["--sort", "count"]).last()), ["keep_small", "keep_late", "keep_large"]);
}

#[test]
fn sites_can_be_ordered_by_the_age_of_their_oldest_block() {
    let run = Run::with(&["--sort", "age"]);
    assert_eq!(order(run.last()), ["keep_large", "keep_small", "keep_late"]);
    let ages: Vec<u64> = run.last().sites.iter().filter_map(|site| site.oldest_age_ns).collect();
    let pause = PAUSE.as_nanos() as u64;
    assert!(ages.windows(2).all(|pair| pair[0] >= pair[1] + pause - 20_000_000), "{ages:?}");
}

#[test]
fn the_site_that_grew_in_the_interval_can_come_first() {
    let run = Run::with(&["--sort", "growth"]);
    assert!(run.was_ever_first("keep_late"), "{:?}", run.all().map(order).collect::<Vec<_>>());
    let by_bytes = Run::with(&["--sort", "live"]);
    assert!(!by_bytes.was_ever_first("keep_late"));
}

/// Though nothing of it lives.
#[test]
fn the_site_that_allocates_most_can_come_first() {
    let run = Run::with(&["--sort", "rate"]);
    assert!(run.was_ever_first("keep_nothing"), "{:?}", run.all().map(order).collect::<Vec<_>>());
}

#[test]
fn small_blocks_can_be_left_out() {
    let run = Run::with(&["--min-size", "1000"]);
    let sites = &run.last().sites;
    assert_eq!(order(run.last()), ["keep_large", "keep_late"]);
    assert_eq!((live(&sites[0]), live(&sites[1])), (LARGE, LATE), "a block of just that size passes");
    let run = Run::with(&["--min-size", "1001"]);
    assert_eq!(order(run.last()), ["keep_large"]);
}

#[test]
fn young_blocks_can_be_left_out() {
    let run = Run::with_pause(&["--older", "4s"], Duration::from_secs(2));
    assert_eq!(order(run.last()), ["keep_large", "keep_small"], "the third phase keeps nothing");
    assert_eq!(run.last().sites.iter().map(live).collect::<Vec<_>>(), [LARGE, SMALL]);
    assert!(run.last().sites.iter().all(|site| site.oldest_age_ns >= Some(4_000_000_000)));
}

#[test]
fn what_passes_the_filters_and_is_not_shown_is_summed() {
    let run = Run::with(&["-n", "1", "--min-size", "1000"]);
    let process = run.last();
    assert_eq!(process.sites.iter().map(live).collect::<Vec<_>>(), [LARGE]);
    assert_eq!((process.other_sites.sites, process.other_sites.live), (1, LATE));
    let run = Run::with(&["-n", "1", "--sort", "count"]);
    let process = run.last();
    assert_eq!(process.sites.iter().map(live).collect::<Vec<_>>(), [SMALL]);
    assert_eq!(process.other_sites.live.live_blocks, LARGE.live_blocks + LATE.live_blocks);
    assert_eq!(process.other_sites.live.live_bytes, LARGE.live_bytes + LATE.live_bytes);
}

#[test]
fn filters_hold_together_with_no_site_left() {
    let run = Run::with(&["--min-size", "1G"]);
    assert_eq!(run.last().sites.len(), 0);
    assert_eq!((run.last().other_sites.sites, run.last().other_sites.live), (0, Live::default()));
}
