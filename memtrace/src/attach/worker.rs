//! The thread that attaches.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, mpsc},
    thread,
};

use memtrace_common::settings::PythonTarget;
use memtrace_core::{attribute::python::PythonError, budget::Costs};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    detach::Detaching,
    hazards,
    inspect::{Inspection, inspect},
    objects::{Object, Objects},
    python::Interpreter,
};
use crate::{
    calibrate::Helper,
    host::process,
    kernel::{
        Kernel,
        attach::{Attachment, Probe},
    },
    windows::{Conductor, Instruments, ProbedFile, WindowEvent},
};

/// Files attached to in one process; each takes two descriptors. Two or three is what real ones have: their C library,
/// Python, perhaps a second C library.
const FILES: usize = 32;

/// What to do.
pub enum Command {
    /// Follow a process and look at what it maps.
    Follow {
        /// Its number.
        target: u32,
        /// Its pid.
        pid: u32,
        /// Attach to it, too: every call is to be seen.
        is_exact: bool,
    },
    /// See every call of a followed process from now on.
    Attach {
        /// Its number.
        target: u32,
    },
    /// See no call of a followed process any more.
    LetGo {
        /// Its number.
        target: u32,
    },
    /// Have the conductor of windows ready: loading its programs takes half a second.
    PrepareWindows {
        /// What it needs of the BPF side.
        instruments: Instruments,
        /// Where its events go.
        events: UnboundedSender<WindowEvent>,
        /// What it measures its costs on, followed already.
        helper: Option<Helper>,
    },
    /// Attach to what it has mapped since.
    Rescan {
        /// Its number.
        target: u32,
    },
    /// Its image was replaced.
    Executed {
        /// Its number.
        target: u32,
        /// By another thread than the first: what was attached has gone with the first.
        by_other_thread: bool,
    },
    /// Measure what a probe hit costs on this helper, which is followed already.
    Calibrate {
        /// The helper.
        helper: Helper,
    },
    /// How to walk its Python stacks has changed.
    SetPython {
        /// Its number.
        target: u32,
        /// How.
        python: PythonTarget,
    },
    /// It is gone, or no longer wanted.
    Unfollow {
        /// Its number.
        target: u32,
    },
}

/// What the worker answers.
pub enum Answer {
    /// To [`Command::PrepareWindows`].
    Conductor(Result<Conductor, String>),
    /// To [`Command::Calibrate`].
    Calibrated {
        /// The helper's process, to be followed no more.
        pid: u32,
        /// What was measured.
        costs: Result<Costs, String>,
    },
    /// To everything that had it look at a process.
    Outcome(Outcome),
}

/// What came of a look at a process.
#[derive(Debug)]
pub struct Outcome {
    /// The process.
    pub target: u32,
    /// Probe sites attached in all.
    pub probes: usize,
    /// What can be probed in it, Python's object allocator included.
    pub files: Arc<[ProbedFile]>,
    /// Its interpreter, when it was understood just now.
    pub interpreter: Option<Interpreter>,
    /// What a user should know of it.
    pub notes: Vec<String>,
    /// Worth another look soon: the interpreter is still starting, or nothing is mapped yet.
    pub is_unfinished: bool,
    /// The kernel refused something.
    pub failures: u64,
}

/// The thread's state.
pub struct Worker {
    kernel: Kernel,
    objects: Objects,
    attached: HashMap<u32, Attached>,
    python_objects: bool,
    answers: UnboundedSender<Answer>,
    detach: Detaching,
}

#[derive(Default)]
struct Attached {
    pid: u32,
    is_exact: bool,
    files: BTreeSet<(u64, Vec<u8>)>,
    attachments: Vec<Attachment>,
    has_python: bool,
}

impl Worker {
    /// Starts the thread. It ends when the sender is dropped, and with it everything attached.
    #[must_use]
    pub fn start(
        kernel: Kernel,
        python_objects: bool,
        answers: UnboundedSender<Answer>,
    ) -> (mpsc::Sender<Command>, thread::JoinHandle<()>) {
        let (sender, commands) = mpsc::channel();
        let handle = thread::spawn(move || {
            let worker = Self {
                kernel,
                objects: Objects::default(),
                attached: HashMap::new(),
                python_objects,
                answers,
                detach: Detaching::start(),
            };
            worker.run(&commands);
        });
        (sender, handle)
    }

    fn run(mut self, commands: &mpsc::Receiver<Command>) {
        for command in commands {
            match command {
                Command::Follow { target, pid, is_exact } => self.follow(target, pid, is_exact),
                Command::Attach { target } => self.set_exact(target),
                Command::LetGo { target } => self.let_go(target),
                Command::PrepareWindows { instruments, events, helper } => {
                    let conductor = self.conductor(instruments, events, helper);
                    // The session may have ended.
                    let _sent = self.answers.send(Answer::Conductor(conductor));
                }
                Command::Rescan { target } => self.scan(target),
                Command::Executed { target, by_other_thread } => self.executed(target, by_other_thread),
                Command::Calibrate { helper } => self.calibrate(helper),
                Command::SetPython { target, python } => {
                    if let Err(error) = self.kernel.set_python(target, python) {
                        tracing::warn!("the Python stacks of target {target} may be stale: {error}");
                    }
                }
                Command::Unfollow { target } => self.unfollow(target),
            }
        }
        let attached = std::mem::take(&mut self.attached);
        for attachment in attached.into_values().flat_map(|attached| attached.attachments) {
            self.detach.detach(attachment);
        }
        self.detach.finish();
    }

    fn follow(&mut self, target: u32, pid: u32, is_exact: bool) {
        if process::stat(pid).is_err() {
            return;
        }
        self.attached.insert(target, Attached { pid, is_exact, ..Attached::default() });
        self.scan(target);
    }

    fn conductor(
        &mut self,
        instruments: Instruments,
        events: UnboundedSender<WindowEvent>,
        helper: Option<Helper>,
    ) -> Result<Conductor, String> {
        let programs = self.kernel.anchor_programs().map_err(|error| error.to_string())?;
        Conductor::start(programs, instruments, events, helper).map_err(|error| error.to_string())
    }

    fn calibrate(&mut self, helper: Helper) {
        let pid = helper.pid();
        let costs = helper.measure(&mut self.kernel).map(|calibrated| calibrated.costs);
        let costs = costs.map_err(|error| error.to_string());
        // The session may have ended.
        let _sent = self.answers.send(Answer::Calibrated { pid, costs });
    }

    fn set_exact(&mut self, target: u32) {
        if let Some(attached) = self.attached.get_mut(&target) {
            attached.is_exact = true;
            self.scan(target);
        }
    }

    fn let_go(&mut self, target: u32) {
        if let Some(attached) = self.attached.get_mut(&target) {
            attached.is_exact = false;
            attached.detach_all(&self.detach);
        }
    }

    fn executed(&mut self, target: u32, by_other_thread: bool) {
        self.kernel.clear_python(target);
        if let Some(attached) = self.attached.get_mut(&target) {
            attached.has_python = false;
            if by_other_thread {
                attached.detach_all(&self.detach);
            }
        }
        self.scan(target);
    }

    fn unfollow(&mut self, target: u32) {
        let Some(attached) = self.attached.remove(&target) else { return };
        self.kernel.clear_python(target);
        for attachment in attached.attachments {
            self.detach.detach(attachment);
        }
    }

    /// Attaches to what is not attached to yet.
    fn scan(&mut self, target: u32) {
        let Some(pid) = self.attached.get(&target).map(|attached| attached.pid) else { return };
        let mut inspection = match inspect(&mut self.objects, pid) {
            Ok(inspection) => inspection,
            // A process that ended meanwhile is no failure.
            Err(_) if process::stat(pid).is_err() => return,
            Err(error) => Inspection::refused(&error),
        };
        if !inspection.objects.is_empty()
            && let Some(objection) = hazards::objection(pid)
        {
            inspection.objects.clear();
            inspection.notes.push(format!("it is not traced: {objection}"));
        }
        let mut outcome = Outcome {
            target,
            probes: 0,
            files: inspection.objects.iter().filter_map(probed_file).collect(),
            interpreter: None,
            is_unfinished: inspection.objects.is_empty() && inspection.notes.is_empty(),
            notes: Vec::new(),
            failures: 0,
        };
        for object in &inspection.objects {
            self.attach(target, pid, object, &mut outcome);
        }
        self.take_interpreter(target, inspection, &mut outcome);
        if let Some(attached) = self.attached.get(&target).filter(|attached| attached.is_exact) {
            outcome.probes = attached.attachments.iter().map(Attachment::probes).sum();
        }
        // The session may have ended.
        let _sent = self.answers.send(Answer::Outcome(outcome));
    }

    fn attach(&mut self, target: u32, pid: u32, object: &Object, outcome: &mut Outcome) {
        let Some(attached) = self.attached.get_mut(&target) else { return };
        if !attached.is_exact {
            outcome.probes += probes_of(object, true).len();
            return;
        }
        if !attached.files.insert(object.identity.clone()) {
            return;
        }
        let probes = probes_of(object, self.python_objects);
        if probes.is_empty() {
            return;
        }
        if attached.attachments.len() >= FILES {
            outcome.failures += 1;
            outcome
                .notes
                .push(format!("it maps more than {FILES} files with allocators; the others are not traced"));
            return;
        }
        match self.kernel.attach(&object.file.own_path(), &probes, pid) {
            Ok(attachment) => attached.attachments.push(attachment),
            // A process that ended meanwhile is no failure.
            Err(_) if process::stat(pid).is_err() => {}
            Err(error) => {
                outcome.failures += 1;
                outcome.notes.push(format!("{} is not traced: {error}", object.file.path));
            }
        }
    }

    fn take_interpreter(&mut self, target: u32, inspection: Inspection, outcome: &mut Outcome) {
        outcome.notes.extend(inspection.notes);
        let Some(attached) = self.attached.get_mut(&target) else { return };
        if attached.has_python {
            return;
        }
        let Some(interpreter) = inspection.interpreter else { return };
        match &interpreter.runtime {
            Ok(runtime) => match self.kernel.set_python(target, runtime.target) {
                Ok(()) => {
                    attached.has_python = true;
                    outcome.interpreter = Some(interpreter);
                }
                Err(error) => outcome.notes.push(format!("no Python stacks: {error}")),
            },
            Err(error) if error.is_temporary() => outcome.is_unfinished = true,
            Err(error) => outcome.notes.push(no_python_stacks(error)),
        }
    }
}

impl Attached {
    fn detach_all(&mut self, detach: &Detaching) {
        self.files.clear();
        self.attachments.drain(..).for_each(|attachment| detach.detach(attachment));
    }
}

/// A file as windows probe it: Python's objects as well, for a window is short.
fn probed_file(object: &Arc<Object>) -> Option<ProbedFile> {
    let probes = probes_of(object, true);
    (!probes.is_empty()).then(|| ProbedFile { object: Arc::clone(object), probes })
}

fn no_python_stacks(error: &PythonError) -> String {
    format!("no Python stacks: {error}")
}

fn probes_of(object: &Object, python_objects: bool) -> Vec<Probe> {
    let python = object.python.as_ref().filter(|_| python_objects).map(|python| &python.sites);
    let sites = object.libc.iter().chain(python).flat_map(|sites| &sites.sites);
    sites.map(|site| Probe { file_offset: site.file_offset, call: site.call }).collect()
}
