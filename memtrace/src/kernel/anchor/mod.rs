//! Probes that can be armed in a process for a few milliseconds.
//!
//! Attaching and detaching the usual way takes up to 90 ms (6.12 on), because the last one out waits for grace periods.
//! An *anchor* is a uprobe event that stays registered: a perf event on a task without memory keeps it so, with the BPF
//! program set on it. Arming a process is then a second perf event, on that process, and disarming is closing it:
//! the kernel adds and removes the breakpoints of that process alone (`uprobe_apply`, kernel/events/uprobes.c), which
//! takes tens of microseconds. The program is the event's, not the descriptor's, so it runs for every armed process.
//!
//! In: files with probe sites, processes. Out: [`Armed`], disarmed when dropped. It refuses to know what a window is.
//! Invariants: everything armed hangs on descriptors of this process, so the kernel disarms it when the process ends,
//! however it ends; frees are armed first and disarmed last.

mod definition;
mod plan;
mod programs;
mod warmth;

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use thiserror::Error;

use self::{
    definition::Definition,
    plan::{Handler, Stage},
    warmth::Warmth,
};
pub use self::{definition::sweep, programs::AnchorPrograms};
use super::{
    attach::Probe,
    perf,
    tracefs::{self, TracefsError},
};
use crate::host::{mappings::FileId, process};

/// Files anchored at the same time; the one that was armed longest ago makes room. A machine's processes share two or
/// three C libraries and as many Pythons, more with containers. Each takes about a dozen events, and an event that is
/// registered and not armed costs nobody anything.
pub const FILES_MAX: usize = 64;

/// `kthreadd`. It has no memory, so no uprobe ever applies to it, and it never ends.
const TASK_WITHOUT_MEMORY: u32 = 2;

/// Why probes cannot be armed for windows.
#[derive(Debug, Error)]
pub enum AnchorError {
    /// No tracefs.
    #[error(transparent)]
    Tracefs(#[from] TracefsError),
    /// It is there, and closed.
    #[error(
        "{place}/uprobe_events cannot be opened ({0}); run memtrace as root, on a kernel with CONFIG_UPROBE_EVENTS \
         that is not locked down, with tracefs mounted writable: mount -o remount,rw {place}",
        place = tracefs::MOUNT_POINT
    )]
    NotWritable(io::Error),
    /// tracefs refused a probe.
    #[error("tracefs refused `{line}`: {error}")]
    Definition {
        /// What was written.
        line: String,
        /// What it said.
        error: io::Error,
    },
    /// tracefs would misread it.
    #[error("a path with blanks cannot be probed through tracefs")]
    Path,
    /// This program's own code is nowhere.
    #[error("this program's own file is not mapped")]
    NotMapped,
    /// The event was made and has no id.
    #[error("tracefs made an event and does not show its id")]
    NoId,
    /// The object lacks a program.
    #[error("the built-in BPF object has no program {0}; rebuild it: cargo xtask build-ebpf")]
    NoProgram(&'static str),
    /// No event on the task that holds anchors.
    #[error("no anchor could be set: {0}")]
    Anchor(io::Error),
    /// No thread.
    #[error("the thread that holds windows could not be started: {0}")]
    Thread(io::Error),
    /// No event on the process: it is gone, most often.
    #[error("process {pid} could not be armed: {error}")]
    Arm {
        /// The process.
        pid: u32,
        /// What the kernel said.
        error: io::Error,
    },
}

/// A file to be probed.
#[derive(Clone, Copy, Debug)]
pub struct AnchorFile<'a> {
    /// A path that names it in this process, now.
    pub path: &'a Path,
    /// What it is known by from then on.
    pub id: FileId,
    /// Where.
    pub probes: &'a [Probe],
}

/// All anchors.
#[derive(Debug)]
pub struct Anchors {
    programs: AnchorPrograms,
    warmth: Warmth,
    files: HashMap<FileId, AnchoredFile>,
    arms: u64,
    releasing: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct AnchoredFile {
    probes: Vec<Probe>,
    events: Vec<Event>,
    armed_last: u64,
}

/// The anchor goes before the definition: an event in use cannot be removed.
#[derive(Debug)]
struct Event {
    stage: Stage,
    _anchor: OwnedFd,
    definition: Definition,
}

/// Probes armed in a process. Dropping it disarms them.
#[derive(Debug)]
pub struct Armed<'a> {
    /// In the order of arming.
    events: Vec<OwnedFd>,
    warmth: &'a Warmth,
}

impl Anchors {
    /// Without any yet.
    ///
    /// # Errors
    /// When tracefs cannot be had.
    pub fn new(programs: AnchorPrograms) -> Result<Self, AnchorError> {
        tracefs::ensure_mounted()?;
        let warmth = Warmth::new()?;
        Ok(Self { programs, warmth, files: HashMap::new(), arms: 0, releasing: Vec::new() })
    }

    /// Anchors what is not anchored yet: milliseconds a file, to be spent before a window begins.
    ///
    /// # Errors
    /// When tracefs or the kernel refuses.
    pub fn prepare(&mut self, files: &[AnchorFile<'_>]) -> Result<(), AnchorError> {
        for file in files {
            let is_there = self.files.get(&file.id).is_some_and(|anchored| anchored.probes == file.probes);
            if !is_there {
                if let Some(former) = self.files.remove(&file.id) {
                    self.release(former);
                }
                self.make_room();
                let anchored = self.anchor(file)?;
                self.files.insert(file.id, anchored);
            }
            self.arms += 1;
            if let Some(anchored) = self.files.get_mut(&file.id) {
                anchored.armed_last = self.arms;
            }
        }
        Ok(())
    }

    /// To be called right before arming, which is then quick: see [`Armed::WARM_FOR`].
    pub fn warm_up(&self) {
        self.warmth.renew();
    }

    /// Arms the probes of these files in a process; what is not anchored yet is anchored first.
    ///
    /// # Errors
    /// When the process is gone or the kernel refuses; then nothing is armed.
    pub fn arm(&mut self, files: &[AnchorFile<'_>], pid: u32) -> Result<Armed<'_>, AnchorError> {
        self.prepare(files)?;
        // The kernel knows a process' memory by the thread that it is given.
        let thread = process::live_thread(pid);
        let anchored = files.iter().filter_map(|file| self.files.get(&file.id));
        let mut events: Vec<&Event> = anchored.flat_map(|file| &file.events).collect();
        events.sort_by_key(|event| event.stage);
        let mut armed = Armed { events: Vec::with_capacity(events.len()), warmth: &self.warmth };
        for event in events {
            let opened = perf::open_tracepoint(event.definition.id, thread);
            armed.events.push(opened.map_err(|error| AnchorError::Arm { pid, error })?);
        }
        Ok(armed)
    }

    fn anchor(&mut self, file: &AnchorFile<'_>) -> Result<AnchoredFile, AnchorError> {
        let mut events = Vec::new();
        for plan in plan::events(file.probes) {
            let program = match plan.handler {
                Handler::Return => &self.programs.leave,
                Handler::Entry(call) => self.programs.of(call)?,
            };
            let is_return = plan.handler == Handler::Return;
            let definition = Definition::new(&plan.handler.name(), file.path, &plan.offsets, is_return)?;
            let anchor = perf::open_tracepoint(definition.id, TASK_WITHOUT_MEMORY);
            let anchor = anchor.map_err(AnchorError::Anchor)?;
            perf::set_program(&anchor, program.as_fd()).map_err(AnchorError::Anchor)?;
            events.push(Event { stage: plan.stage, _anchor: anchor, definition });
        }
        Ok(AnchoredFile { probes: file.probes.to_vec(), events, armed_last: 0 })
    }

    /// Lets go of a file that is not armed. Waits for the kernel, up to 100 ms for each of its events.
    pub fn forget(&mut self, id: &FileId) {
        drop(self.files.remove(id));
    }

    fn make_room(&mut self) {
        while self.files.len() >= FILES_MAX {
            let oldest = self.files.iter().min_by_key(|(_, file)| file.armed_last).map(|(id, _)| *id);
            let Some(oldest) = oldest.and_then(|oldest| self.files.remove(&oldest)) else { return };
            self.release(oldest);
        }
    }

    /// On a thread of its own: it waits for grace periods.
    fn release(&mut self, file: AnchoredFile) {
        self.releasing.retain(|thread| !thread.is_finished());
        self.releasing.push(thread::spawn(move || drop(file)));
    }
}

impl Drop for Anchors {
    /// One event after the other, about 100 ms each (6.12 on): they wait for grace periods under one lock of the kernel's
    /// (`event_mutex`), so threads would wait in a row.
    fn drop(&mut self) {
        self.files.clear();
        for thread in self.releasing.drain(..) {
            // A panic has been printed by its thread.
            let _ended = thread.join();
        }
    }
}

impl Armed<'_> {
    /// Events armed.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// To be called every [`Armed::WARM_FOR`] while armed, or disarming can take milliseconds.
    pub fn keep_warm(&self) {
        self.warmth.renew();
    }

    /// Less than a grace period.
    pub const WARM_FOR: Duration = Duration::from_millis(2);
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        while let Some(event) = self.events.pop() {
            drop(event);
        }
    }
}
