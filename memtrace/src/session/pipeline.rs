//! The state of a run, and what a record does to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc,
    time::Instant,
};

use memtrace_common::{DropReason, StackEnd};
use memtrace_core::{
    aggregate::{Aggregator, DropCounts, Query},
    attribute::{self, FunctionNames},
    decode::{Event, StackView, decode},
};
use tokio::sync::mpsc::UnboundedSender;

use super::{looks::Looks, report::Reporter, send, tiers::Tiers};
use crate::{
    attach::{Command, Outcome},
    calibrate,
    cli::args::Settings,
    follow::{Modules, Processes, State},
    kernel::{FlushLog, Targets},
    targets::Selection,
};

/// Memory events applied at once: the ledger looks ahead in a batch.
const BATCH: usize = 256;

/// Everything that the session task owns.
pub(super) struct Pipeline {
    pub(super) aggregator: Aggregator,
    pub(super) processes: Processes,
    pub(super) modules: Modules,
    pub(super) names: FunctionNames,
    pub(super) selection: Selection,
    pub(super) query: Query,
    pub(super) reporter: Reporter,
    /// What this task lost; the ledger and the kernel count their own.
    pub(super) drops: DropCounts,
    pub(super) counts: Counts,
    pub(super) looks: Looks,
    /// Tasks that changed their names since the last chores.
    pub(super) new_names: BTreeSet<u32>,
    pub(super) exits: Option<UnboundedSender<u32>>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) tiers: Tiers,
    pub(super) kernel: KernelParts,
    show_internal: bool,
    batch: Vec<Event<'static>>,
}

/// What of the kernel side this task uses itself.
pub(super) struct KernelParts {
    /// The list of followed processes.
    pub(super) targets: Targets,
    /// Prints the BPF programs' messages.
    pub(super) log: Option<FlushLog>,
}

/// What a run counts besides losses.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) stacks_truncated: u64,
    /// By reason; of each stack the end of Python's frames and that of the native ones.
    pub(super) stacks_ended: BTreeMap<StackEnd, u64>,
    pub(super) frames_unresolved: u64,
    pub(super) processes_seen: u64,
}

impl Pipeline {
    pub(super) fn new(
        settings: &Settings,
        commands: mpsc::Sender<Command>,
        reporter: Reporter,
        weaker: Vec<String>,
        kernel: KernelParts,
        tiers: Tiers,
    ) -> Self {
        let pipeline = Self {
            aggregator: Aggregator::new(super::report::monotonic_ns()),
            processes: Processes::default(),
            modules: Modules::default(),
            names: FunctionNames::default(),
            selection: settings.selection.clone(),
            query: settings.query,
            reporter,
            drops: DropCounts::default(),
            counts: Counts::default(),
            looks: Looks::default(),
            new_names: BTreeSet::new(),
            exits: None,
            commands,
            tiers,
            kernel,
            show_internal: settings.show_internal,
            batch: Vec::with_capacity(BATCH),
        };
        for sentence in weaker {
            pipeline.reporter.warn(None, sentence);
        }
        pipeline
    }

    /// Takes one record of the ring. Memory events wait for the end of their batch, which everything else ends first.
    pub(super) fn record(&mut self, bytes: &[u8]) {
        let event = match decode(bytes) {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!("{error}");
                self.drops.count(DropReason::MalformedRecord);
                return;
            }
        };
        if let Some(event) = event.detached() {
            if event.target() == calibrate::TARGET {
                return;
            }
            self.batch.push(event);
            if self.batch.len() == BATCH {
                self.flush();
            }
            return;
        }
        self.flush();
        match event {
            Event::Stack(stack) => self.stack(&stack),
            Event::Forked { process, shares_memory, comm, .. } => self.forked(process, shares_memory, comm),
            Event::Executed { process, by_other_thread, comm, .. } => {
                self.executed(process, by_other_thread, comm);
            }
            Event::Exited { target, thread, .. } => self.aggregator.forget_thread(target, thread),
            Event::Renamed { task, .. } => self.renamed(task),
            Event::OverAllowance { target, window, .. } => self.over_allowance(target, window),
            Event::Allocated(_)
            | Event::Freed(_)
            | Event::HandedOut(_)
            | Event::ReallocBegun(_)
            | Event::ReallocEnded(_) => {}
        }
    }

    /// Applies the memory events that wait.
    pub(super) fn flush(&mut self) {
        self.aggregator.apply_all(&self.batch);
        self.batch.clear();
    }

    /// Attributes a stack at once, while its process and its code objects live.
    fn stack(&mut self, stack: &StackView<'_>) {
        if stack.target == calibrate::TARGET {
            return;
        }
        let Some(process) = self.processes.get_mut(stack.target) else {
            self.drops.count(DropReason::UnknownTarget);
            return;
        };
        process.map_in(&mut self.modules, stack);
        let memory = process.memory;
        let (space, python) = process.code();
        let attributed =
            attribute::attribute(stack, space, python, &memory, &mut self.names, self.show_internal);
        self.counts.frames_unresolved += process.count_unresolved(&attributed.frames);
        for end in [stack.python_end, stack.native_end] {
            *self.counts.stacks_ended.entry(end).or_default() += 1;
        }
        self.counts.stacks_truncated += u64::from(attributed.is_truncated);
        self.aggregator.define_stack(stack.target, stack.stack_id, stack.check, attributed.frames);
    }

    /// Takes what the attaching thread has to say of a process.
    pub(super) fn attached(&mut self, outcome: Outcome) {
        self.drops.add(DropReason::AttachFailed, outcome.failures);
        let Some(process) = self.processes.get_mut(outcome.target) else {
            // It ended meanwhile.
            send(&self.commands, Command::Unfollow { target: outcome.target });
            return;
        };
        let is_running = process.state == State::Running;
        process.probes = outcome.probes;
        if let Some(interpreter) = outcome.interpreter {
            process.set_interpreter(interpreter);
        }
        process.remap(&mut self.modules);
        let pid = process.info.pid;
        for note in outcome.notes {
            if process.note(&note) {
                self.reporter.warn(Some(pid), note);
            }
        }
        self.note_files(outcome.target, outcome.files);
        if is_running {
            self.looks.answered(Instant::now(), outcome.target, outcome.is_unfinished);
        }
    }
}
