//! From the state of a run to a draft of its report.

use std::{
    cell::Cell,
    io,
    sync::mpsc::TrySendError,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use memtrace_common::DropReason;
use memtrace_core::{
    aggregate::SiteFigures,
    model::{Frame, FrameKind, FrameRef, OwnCost, ProcessState, Quality},
};

use super::pipeline::Pipeline;
use crate::{
    follow::{Followed, State},
    host::process,
    kernel::KernelCounters,
    publish::{Draft, DraftFrame, DraftProcess, DraftSite, Message, Publisher},
};

/// The way out, and what is remembered from one report to the next.
pub(super) struct Reporter {
    publisher: Publisher,
    counters: KernelCounters,
    start: Instant,
    last_report: Instant,
    last_cpu_seconds: f64,
    last_chore: Cell<Instant>,
}

impl Reporter {
    pub(super) fn new(publisher: Publisher, counters: KernelCounters) -> Self {
        let now = Instant::now();
        Self {
            publisher,
            counters,
            start: now,
            last_report: now,
            last_cpu_seconds: process::own_cpu_seconds(),
            last_chore: Cell::new(now),
        }
    }

    /// Says something about a process, or about the run. Warnings beyond the queue are logged.
    pub(super) fn warn(&self, pid: Option<u32>, text: String) {
        let message = Message::Warning { elapsed_ns: self.elapsed_ns(), pid, text };
        if let Err(TrySendError::Full(Message::Warning { text, .. })) =
            self.publisher.sender.try_send(message)
        {
            tracing::warn!("{text}");
        }
    }

    /// What the kernel side lost for this reason, since the start.
    pub(super) fn lost_in_kernel(&self, reason: DropReason) -> u64 {
        self.counters.lost(reason)
    }

    /// Says something on stderr.
    pub(super) fn tell(&self, text: &str) {
        use io::Write as _;
        let _closed = writeln!(io::stderr(), "memtrace: {text}");
    }

    /// True once every `interval`.
    pub(super) fn is_due(&self, interval: Duration) -> bool {
        let is_due = self.last_chore.get().elapsed() >= interval;
        if is_due {
            self.last_chore.set(Instant::now());
        }
        is_due
    }

    fn elapsed_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn own_cost(&mut self, interval: Duration, probes_attached: u64, blocks: (usize, usize)) -> OwnCost {
        let cpu_seconds = process::own_cpu_seconds();
        let cpu_share = (cpu_seconds - self.last_cpu_seconds) / interval.as_secs_f64().max(1e-9);
        self.last_cpu_seconds = cpu_seconds;
        OwnCost {
            cpu_seconds,
            cpu_share,
            rss_bytes: process::rss_bytes(std::process::id()).unwrap_or(0),
            probes_attached,
            ledger_blocks: blocks.0 as u64,
            ledger_capacity: blocks.1 as u64,
        }
    }
}

impl Pipeline {
    /// Publishes a report, unless the last one is still being published: then the next covers a longer interval.
    pub(super) fn report(&mut self) {
        if self.reporter.publisher.is_busy() {
            tracing::debug!("a report is left out: the last one is still being written");
            return;
        }
        self.forget_replaced_code();
        let draft = self.draft();
        self.reporter.publisher.publish(draft);
        self.release_exited();
        self.forget_unused_modules();
    }

    /// Programs that map file after file, and processes that come and go, must not fill the table for ever.
    fn forget_unused_modules(&mut self) {
        if self.modules.is_crowded() {
            let used = self.processes.iter().flat_map(Followed::modules).collect();
            self.modules.forget_unused(&used);
        }
    }

    /// The last report, the end, and what went wrong with the output.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.reporter.publisher.wait_until_idle();
        let draft = self.draft();
        self.reporter.publisher.publish(draft);
        for target in self.processes.iter().map(|process| process.target) {
            super::send(&self.commands, crate::attach::Command::Unfollow { target });
        }
        let end = Message::End {
            elapsed_ns: self.reporter.elapsed_ns(),
            processes_seen: self.counts.processes_seen,
        };
        // The thread ends after this one.
        let _sent = self.reporter.publisher.sender.send(end);
        match self.reporter.publisher.finish().error {
            // The reader has seen enough: `memtrace | head`.
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Some(error) => Err(anyhow::Error::new(error).context("the report cannot be written")),
            None => Ok(()),
        }
    }

    fn draft(&mut self) -> Draft {
        let now_ns = monotonic_ns();
        let interval = self.reporter.last_report.elapsed();
        self.reporter.last_report = Instant::now();
        let processes = self.processes.iter();
        let mut processes: Vec<DraftProcess> =
            processes.filter_map(|process| self.draft_process(process, now_ns)).collect();
        processes.sort_by_key(|process| std::cmp::Reverse(process.totals.live_bytes));
        for process in self.processes.iter() {
            self.aggregator.end_interval(process.target, now_ns);
        }
        let probes = processes.iter().map(|process| process.probes).sum();
        let blocks = (self.aggregator.live_blocks(), self.aggregator.live_blocks_max());
        Draft {
            unix_ns: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64),
            elapsed_ns: self.reporter.elapsed_ns(),
            interval_ns: interval.as_nanos() as u64,
            quality: self.quality(),
            own_cost: self.reporter.own_cost(interval, probes, blocks),
            processes,
        }
    }

    fn draft_process(&self, process: &Followed, now_ns: u64) -> Option<DraftProcess> {
        let figures = self.aggregator.figures(process.target, &self.query, now_ns)?;
        let mut notes: Vec<String> = process.notes.iter().cloned().collect();
        if figures.unfollowed.allocations > 0 {
            let unfollowed = figures.unfollowed;
            notes.push(format!(
                "{} allocations of {} bytes are not followed: the ledger is full",
                unfollowed.allocations, unfollowed.bytes
            ));
        }
        let is_running = process.state == State::Running;
        // Of a process that has ended nothing is known any more; its figures are from when it was.
        let data_bytes = process::data_bytes(process.info.pid).filter(|_| is_running).unwrap_or(u64::MAX);
        Some(DraftProcess {
            info: process.info.clone(),
            state: if is_running { ProcessState::Running } else { ProcessState::Exited },
            probes: process.probes as u64,
            rss_bytes: if is_running { process::rss_bytes(process.info.pid) } else { None },
            totals: figures.totals,
            estimate: figures.estimate.within(data_bytes),
            overhead: self.tiers.overhead(process.target),
            rates: figures.rates,
            sites: figures.sites.into_iter().map(|figures| self.draft_site(figures, data_bytes)).collect(),
            other_sites: figures.other_sites,
            notes,
        })
    }

    fn draft_site(&self, mut figures: SiteFigures, data_bytes: u64) -> DraftSite {
        figures.estimate = figures.estimate.within(data_bytes);
        let frames = figures.frames.iter().map(|frame| self.draft_frame(*frame)).collect();
        DraftSite { figures, frames }
    }

    fn draft_frame(&self, frame: FrameRef) -> DraftFrame {
        match frame {
            FrameRef::Python { function, line } => {
                let name = self.names.get(function);
                DraftFrame::Known(Frame {
                    kind: FrameKind::Python,
                    function: Some(name.function.clone()),
                    file: Some(name.file.clone()),
                    line: (line != 0).then_some(line),
                    ..Frame::unknown_part(if line == 0 { Some("no_line") } else { None })
                })
            }
            FrameRef::Native { module, offset } => match self.modules.get(module) {
                Some(module) => DraftFrame::Native(std::sync::Arc::clone(module), offset),
                None => DraftFrame::Known(Frame::unknown("module_forgotten")),
            },
            FrameRef::Unknown { address, reason } => DraftFrame::Known(Frame {
                offset: (address != 0).then_some(address),
                ..Frame::unknown(reason)
            }),
        }
    }

    fn quality(&self) -> Quality {
        let kernel = &self.reporter.counters;
        let losses =
            |reason| kernel.lost(reason) + self.aggregator.drops().get(reason) + self.drops.get(reason);
        Quality {
            events: self.aggregator.events(),
            dropped: DropReason::ALL.into_iter().map(|reason| (reason, losses(reason))).collect(),
            stacks_truncated: self.counts.stacks_truncated,
            stacks_ended: self.counts.stacks_ended.clone(),
            frames_unresolved: self.counts.frames_unresolved,
        }
    }

    fn release_exited(&mut self) {
        let exited = self.processes.iter().filter(|process| process.state == State::Exited);
        let exited: Vec<u32> = exited.map(|process| process.target).collect();
        for target in exited {
            self.processes.remove(target);
            self.aggregator.remove_process(target);
        }
    }

    /// Code objects are freed and their addresses used again: then the kernel side must send its stacks anew.
    fn forget_replaced_code(&mut self) {
        for process in self.processes.iter_mut() {
            if let Some(python) = process.forget_replaced_code() {
                let target = process.target;
                super::send(&self.commands, crate::attach::Command::SetPython { target, python });
            }
        }
    }
}

/// The clock of the BPF programs.
pub(super) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
