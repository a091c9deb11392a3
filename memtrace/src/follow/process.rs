//! One followed process.

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use memtrace_common::settings::PythonTarget;
use memtrace_core::{
    attribute::{AddressSpace, CodeRange, PythonCode},
    decode::StackView,
    model::{FrameRef, ProcessInfo},
};

use super::modules::Modules;
use crate::attach::Interpreter;
use crate::host::{
    mappings::{self, FileId},
    memory::ProcessMemory,
    process,
};

/// Code that is in no file (a JIT) asks for a look at the mappings again and again. So the next look waits this many
/// times as long as the last one took, 5 % of a core at most, and no longer than this in all: a stack from a library
/// that was loaded meanwhile stays nameless.
const REMAP_PAUSE_FACTOR: u32 = 20;
const REMAP_PAUSE_MAX: Duration = Duration::from_millis(100);

/// Nameless addresses remembered of a process, 8 bytes each, to count them once.
const UNRESOLVED: usize = 8192;

/// Notes kept of a process: some have names of files in them, of which it can map any number.
const NOTES: usize = 32;

/// The kernel renames a process in its exec, a moment before the exec is told of.
const EXEC_DELAY: Duration = Duration::from_millis(100);

/// Where a process is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It runs.
    Running,
    /// It has exited and waits for its last report.
    Exited,
}

/// A followed process.
#[derive(Debug)]
pub struct Followed {
    /// The number by which the kernel side and the ledger know it.
    pub target: u32,
    /// Who.
    pub info: ProcessInfo,
    /// Running or not.
    pub state: State,
    /// Its memory.
    pub memory: ProcessMemory,
    /// Its Python code, once the interpreter was found and understood.
    pub python: Option<PythonCode>,
    /// Counts up with every change that makes the kernel's known stacks worthless.
    pub generation: u64,
    /// Probe sites attached.
    pub probes: usize,
    /// What a user should know of it, once each.
    pub notes: BTreeSet<String>,
    /// When it was first seen.
    pub since: Instant,
    /// The interpreter's file.
    pub interpreter: Option<FileId>,
    space: AddressSpace,
    /// Not before this time.
    next_remap: Option<Instant>,
    unresolved: HashSet<u64>,
    comm_before: Option<(Instant, String)>,
}

impl Followed {
    /// A process that was just found.
    #[must_use]
    pub fn new(target: u32, info: ProcessInfo) -> Self {
        Self {
            target,
            memory: ProcessMemory::new(info.pid),
            info,
            state: State::Running,
            python: None,
            generation: 0,
            probes: 0,
            notes: BTreeSet::new(),
            since: Instant::now(),
            interpreter: None,
            space: AddressSpace::default(),
            next_remap: None,
            unresolved: HashSet::new(),
            comm_before: None,
        }
    }

    /// Its executable mappings and its Python code.
    pub const fn code(&mut self) -> (&AddressSpace, Option<&mut PythonCode>) {
        (&self.space, self.python.as_mut())
    }

    /// Remembers what a user should know of it. True when that is new, and worth saying.
    pub fn note(&mut self, note: &str) -> bool {
        self.notes.len() < NOTES && self.notes.insert(note.to_owned())
    }

    /// The numbers of the files that it maps.
    pub fn modules(&self) -> impl Iterator<Item = u32> {
        self.space.ranges().iter().map(|range| range.module)
    }

    /// How many of these frames have no name and were not met before. Where a stack just ends is no frame.
    pub fn count_unresolved(&mut self, frames: &[FrameRef]) -> u64 {
        let addresses = frames.iter().filter_map(|frame| match frame {
            FrameRef::Unknown { address, .. } if *address != 0 => Some(*address),
            _ => None,
        });
        let room = UNRESOLVED.saturating_sub(self.unresolved.len());
        addresses.take(room).map(|address| u64::from(self.unresolved.insert(address))).sum()
    }

    /// Its comm changed, by itself or in an exec, which is told of next.
    pub fn renamed(&mut self, comm: String) {
        let before = std::mem::replace(&mut self.info.comm, comm);
        self.comm_before = Some((Instant::now(), before));
    }

    /// It executed a program that is not wanted: what is reported of it was done under its name before.
    pub fn take_back_name(&mut self) {
        if let Some((since, comm)) = self.comm_before.take()
            && since.elapsed() < EXEC_DELAY
        {
            self.info.comm = comm;
        }
    }

    /// Its interpreter was found.
    pub fn set_interpreter(&mut self, interpreter: Interpreter) {
        self.interpreter = Some(interpreter.file);
        self.python = interpreter.runtime.ok().map(PythonCode::new);
    }

    /// Forgets Python code that was replaced. When there was any: how to walk the stacks from now on, so that they
    /// are sent anew.
    pub fn forget_replaced_code(&mut self) -> Option<PythonTarget> {
        let memory = self.memory;
        let python = self.python.as_mut().filter(|_| self.state == State::Running)?;
        if !python.forget_replaced(&memory) {
            return None;
        }
        self.generation += 1;
        Some(PythonTarget { generation: self.generation, ..python.runtime.target })
    }

    /// Its image was replaced: nothing of the old one counts.
    pub fn executed(&mut self) {
        self.python = None;
        self.interpreter = None;
        self.space = AddressSpace::default();
        self.next_remap = None;
        self.probes = 0;
        self.generation += 1;
        self.notes.clear();
    }

    /// Looks at its mappings anew if any address of this stack is in none that is known. A look that was in vain, for
    /// code that is in no file (a JIT's), is not soon repeated; one that found the address can be: a program that
    /// loads library after library is named in all of them.
    pub fn map_in(&mut self, modules: &mut Modules, stack: &StackView<'_>) {
        let is_pause = self.next_remap.is_some_and(|next| Instant::now() < next);
        if is_pause || self.space.covers(stack.native_addresses()) {
            return;
        }
        let start = Instant::now();
        self.remap(modules);
        if !self.space.covers(stack.native_addresses()) {
            let pause = (start.elapsed() * REMAP_PAUSE_FACTOR).min(REMAP_PAUSE_MAX);
            self.next_remap = Some(Instant::now() + pause);
        }
    }

    /// Looks at its mappings anew. When it is gone, what was known stays.
    pub fn remap(&mut self, modules: &mut Modules) {
        let thread = process::live_thread(self.info.pid);
        let Ok(mappings) = mappings::of_process(thread) else { return };
        let executable = mappings.iter().filter(|mapping| mapping.executable);
        let ranges: Vec<CodeRange> = executable
            .map(|mapping| CodeRange {
                start: mapping.start,
                end: mapping.end,
                file_offset: mapping.file_offset,
                module: modules.number_of(thread, mapping),
                is_interpreter: Some(mapping.file) == self.interpreter,
            })
            .collect();
        if !ranges.is_empty() {
            self.space = AddressSpace::new(ranges);
        }
    }
}
