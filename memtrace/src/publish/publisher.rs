//! The thread that publishes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use memtrace_core::{
    export::{self, MetricsState},
    model::{Frame, ProcessSnapshot, SiteSnapshot, Snapshot},
    render::{Begin, End, Warning},
};
use tokio::sync::watch;

use super::{
    draft::{Draft, DraftFrame, DraftProcess, DraftSite},
    output::Output,
    symbols::Symbols,
};
use crate::{cli::args::Format, follow::Module};

/// What to publish.
#[derive(Debug)]
pub enum Message {
    /// A report.
    Draft(Box<Draft>),
    /// Something that a user should know now.
    Warning {
        /// Since the start.
        elapsed_ns: u64,
        /// The process that it is about.
        pid: Option<u32>,
        /// One sentence.
        text: String,
    },
    /// The run is over.
    End {
        /// Since the start.
        elapsed_ns: u64,
        /// Processes followed in all.
        processes_seen: u64,
    },
}

/// How a run of publishing ended.
#[derive(Debug)]
pub struct Summary {
    /// Stdout could not be written to: the reader has gone, or the disk is full.
    pub error: Option<io::Error>,
}

/// What the session holds of the thread.
pub struct Publisher {
    /// Takes messages; full while the thread is busy.
    pub sender: SyncSender<Message>,
    /// The metrics of the last snapshot.
    pub metrics: watch::Receiver<Bytes>,
    handle: JoinHandle<Summary>,
    /// Reports that wait or are being published.
    reports: Arc<AtomicUsize>,
}

/// How to publish.
#[derive(Clone, Copy, Debug)]
pub struct Publishing {
    /// Text or JSON.
    pub format: Format,
    /// Show what is otherwise hidden.
    pub show_internal: bool,
}

/// Messages that wait: one report and a few warnings.
const QUEUE: usize = 64;

impl Publisher {
    /// Starts the thread. `on_failure` is called at once when stdout cannot be written to any more.
    pub fn start(publishing: Publishing, on_failure: impl FnOnce() + Send + 'static) -> Self {
        let (sender, messages) = mpsc::sync_channel(QUEUE);
        let (metrics_sender, metrics) = watch::channel(Bytes::new());
        let reports = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::clone(&reports);
        let handle = thread::spawn(move || {
            let mut thread = Thread::new(publishing, metrics_sender, waiting);
            match thread.run(&messages) {
                Ok(()) => Summary { error: None },
                Err(error) => {
                    on_failure();
                    // Keep taking messages, so that the session is not blocked while it ends.
                    messages.into_iter().for_each(drop::<Message>);
                    Summary { error: Some(error) }
                }
            }
        });
        Self { sender, metrics, handle, reports }
    }

    /// True while a report is being published.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.reports.load(Ordering::Acquire) > 0
    }

    /// Publishes a report.
    pub fn publish(&self, draft: Draft) {
        self.reports.fetch_add(1, Ordering::AcqRel);
        // A thread that has ended has said why.
        let _sent = self.sender.send(Message::Draft(Box::new(draft)));
    }

    /// Waits until nothing is being published, or the thread has ended.
    pub fn wait_until_idle(&self) {
        while self.is_busy() && !self.handle.is_finished() {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Waits for everything to be published.
    #[must_use]
    pub fn finish(self) -> Summary {
        drop(self.sender);
        self.handle
            .join()
            .unwrap_or(Summary { error: Some(io::Error::other("the publishing thread panicked")) })
    }
}

struct Thread {
    output: Output,
    symbols: Symbols,
    metrics_state: MetricsState,
    metrics: watch::Sender<Bytes>,
    snapshots: u64,
    last: Option<Snapshot>,
    reports: Arc<AtomicUsize>,
}

impl Thread {
    fn new(publishing: Publishing, metrics: watch::Sender<Bytes>, reports: Arc<AtomicUsize>) -> Self {
        Self {
            output: Output::new(publishing.format, publishing.show_internal),
            symbols: Symbols::new(),
            metrics_state: MetricsState::new(),
            metrics,
            snapshots: 0,
            last: None,
            reports,
        }
    }

    fn run(&mut self, messages: &Receiver<Message>) -> io::Result<()> {
        self.begin()?;
        for message in messages {
            match message {
                Message::Draft(draft) => {
                    let published = self.publish(*draft);
                    self.reports.fetch_sub(1, Ordering::AcqRel);
                    published?;
                }
                Message::Warning { elapsed_ns, pid, text } => {
                    self.output.warning(&Warning { elapsed_ns, pid, message: &text })?;
                }
                Message::End { elapsed_ns, processes_seen } => self.end(elapsed_ns, processes_seen)?,
            }
        }
        Ok(())
    }

    fn begin(&self) -> io::Result<()> {
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        let argv: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        self.output.begin(&Begin { version: env!("CARGO_PKG_VERSION"), kernel: &kernel, argv: &argv })
    }

    fn publish(&mut self, draft: Draft) -> io::Result<()> {
        self.symbols.prepare(&places(&draft));
        let snapshot = self.complete(draft);
        let metrics = export::metrics(&mut self.metrics_state, &snapshot);
        self.metrics.send_replace(metrics.into());
        self.output.snapshot(&snapshot)?;
        self.snapshots += 1;
        self.last = Some(snapshot);
        Ok(())
    }

    fn end(&self, elapsed_ns: u64, processes_seen: u64) -> io::Result<()> {
        let quality = self.last.as_ref().map(|snapshot| snapshot.quality.clone()).unwrap_or_default();
        self.output.end(&End {
            elapsed_ns,
            snapshots: self.snapshots,
            processes_seen,
            events: quality.events,
            dropped: &quality.dropped,
        })
    }

    fn complete(&self, draft: Draft) -> Snapshot {
        let mut quality = draft.quality;
        quality.frames_unresolved += self.symbols.unresolved();
        Snapshot {
            unix_ns: draft.unix_ns,
            elapsed_ns: draft.elapsed_ns,
            interval_ns: draft.interval_ns,
            quality,
            own_cost: draft.own_cost,
            processes: draft.processes.into_iter().map(|process| self.process(process)).collect(),
        }
    }

    fn process(&self, draft: DraftProcess) -> ProcessSnapshot {
        ProcessSnapshot {
            info: draft.info,
            state: draft.state,
            probes: draft.probes,
            rss_bytes: draft.rss_bytes,
            totals: draft.totals,
            estimate: draft.estimate,
            overhead: draft.overhead,
            rates: draft.rates,
            sites: draft.sites.into_iter().map(|site| self.site(&site)).collect(),
            other_sites: draft.other_sites,
            notes: draft.notes,
        }
    }

    fn site(&self, draft: &DraftSite) -> SiteSnapshot {
        let frames: Vec<Frame> = draft.frames.iter().flat_map(|frame| self.frames(frame)).collect();
        let figures = &draft.figures;
        SiteSnapshot {
            id: export::site_id(figures.domain, &frames),
            domain: figures.domain,
            live_bytes: figures.live_bytes,
            live_blocks: figures.live_blocks,
            allocated_bytes: figures.allocated_bytes,
            allocations: figures.allocations,
            growth_bytes: figures.growth_bytes,
            allocations_per_second: figures.allocations_per_second,
            oldest_age_ns: figures.oldest_age_ns,
            estimate: figures.estimate,
            frames,
        }
    }

    fn frames(&self, frame: &DraftFrame) -> Vec<Frame> {
        match frame {
            DraftFrame::Known(frame) => vec![frame.clone()],
            DraftFrame::Native(module, offset) => self.symbols.frames(module, *offset).to_vec(),
        }
    }
}

fn places(draft: &Draft) -> Vec<(&Arc<Module>, u64)> {
    let sites = draft.processes.iter().flat_map(|process| &process.sites);
    let native = sites.flat_map(|site| &site.frames).filter_map(|frame| match frame {
        DraftFrame::Native(module, offset) => Some((module, *offset)),
        DraftFrame::Known(_) => None,
    });
    native.collect()
}
