//! Loads the object: maps, settings, the lifecycle tracepoints, and one of the two sets of uprobe programs.

use std::io;

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, MapData, RingBuf},
    programs::{TracePoint, UProbe},
};
use memtrace_common::{
    Allowance, Meter,
    settings::{PythonTarget, Settings, Target},
};
use thiserror::Error;

use super::{
    counters::KernelCounters, fs_base, multi::MultiPrograms, requirements, targets::Targets, tracefs,
};

/// The object, built by `cargo xtask build-ebpf` and committed, so that building memtrace needs no BPF toolchain.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../memtrace-ebpf/prebuilt/memtrace.bpf.o");

/// How probes are attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Backend {
    /// `Multi` where the kernel has it, else `Single`.
    #[default]
    Auto,
    /// One link a file and process (`uprobe_multi`, Linux 6.10 on): cheap to attach, nothing at context switches. From
    /// 6.12 on it does not see the calls that a vfork child makes before its exec.
    Multi,
    /// One perf event a probe and process: every kernel, every call, a cost at every context switch of the target.
    Single,
}

/// What can be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Size of the ring; a power of two of at least a page, or rounded up to one.
    pub ring_bytes: u32,
    /// Debug messages of the BPF programs.
    pub log: bool,
    /// How to attach.
    pub backend: Backend,
}

/// Why the kernel side could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The kernel said no.
    #[error(
        "this process may not load BPF programs: {0}\n  memtrace needs root, or CAP_SYS_ADMIN, CAP_SYS_PTRACE and \
         CAP_DAC_READ_SEARCH (with CAP_BPF and CAP_PERFMON for the first: no Python stacks). Try:\n    \
         sudo memtrace ...\n  sudo does not find it? sudo env \"PATH=$PATH\" memtrace ..."
    )]
    NotPermitted(String),
    /// The kernel is too old, or built without something.
    #[error(
        "this kernel cannot run memtrace's BPF programs: {0}\n  memtrace needs Linux 5.10 or later; see: memtrace doctor"
    )]
    Unsupported(String),
    /// BPF programs see pids as the initial namespace numbers them; `/proc` and attaching do as this process' own.
    #[error(
        "this is not the initial pid namespace: memtrace sees other pids than its BPF programs do, so nothing would \
         be counted\n  Run it on the host, or in a container with --pid=host"
    )]
    PidNamespace,
    /// The object lacks something: it was built from other sources.
    #[error("the built-in BPF object has no {0}\n  rebuild it: cargo xtask build-ebpf")]
    Incomplete(&'static str),
}

/// The loaded BPF side.
pub struct Kernel {
    pub(super) ebpf: Ebpf,
    /// Set on kernels with `uprobe_multi` and its pid filter (6.10 on, and stable kernels that took the fix).
    pub(super) multi: Option<MultiPrograms>,
    /// The settings as written.
    pub settings: Settings,
    /// Why `multi` is not set.
    without_multi: Option<String>,
    /// What this kernel lacks.
    pub weaker: Vec<Weakness>,
    log: Option<FlushLog>,
}

/// What works less well than it could.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Area {
    /// Walking Python stacks.
    PythonStacks,
    /// Noticing processes that start, exec, change their name or end.
    Lifecycle,
}

/// Something that this kernel lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weakness {
    /// What suffers from it.
    pub area: Area,
    /// What that means, and why.
    pub sentence: String,
}

/// Prints what the BPF programs have said since the last call.
pub type FlushLog = Box<dyn FnMut() + Send>;

impl Kernel {
    /// Loads everything and attaches the lifecycle tracepoints.
    ///
    /// # Errors
    /// When the kernel refuses; what it merely lacks ends up in [`Kernel::weaker`].
    pub fn load(options: Options) -> Result<Self, LoadError> {
        requirements::check_loading()?;
        raise_locked_memory_limit();
        let log_level: u8 = if options.log { 4 } else { 0 };
        let ebpf = EbpfLoader::new()
            .map_max_entries("EVENTS", options.ring_bytes)
            .override_global(aya_log::LEVEL, &log_level, true)
            .load(OBJECT)
            .map_err(|error| LoadError::from_kernel(&error))?;
        let mut kernel = Self {
            ebpf,
            multi: None,
            settings: Settings::default(),
            without_multi: None,
            weaker: Vec::new(),
            log: None,
        };
        kernel.load_probe_programs(options.backend)?;
        kernel.find_fs_base();
        kernel.settings.hash_seed = random_seed();
        kernel.settings.wake_bytes = u64::from(options.ring_bytes) / 8;
        kernel.attach_tracepoints();
        kernel.write_settings()?;
        if options.log {
            kernel.start_log();
        }
        Ok(kernel)
    }

    /// Takes the map of the BPF programs' messages out of the object, so all programs must be loaded.
    fn start_log(&mut self) {
        match aya_log::EbpfLogger::init(&mut self.ebpf) {
            Ok(mut logger) => self.log = Some(Box::new(move || logger.flush())),
            Err(error) => tracing::warn!("no messages of the BPF programs: {error}"),
        }
    }

    /// Takes out what prints the BPF programs' messages, to be called now and then.
    pub fn take_log(&mut self) -> Option<FlushLog> {
        self.log.take()
    }

    /// Why a perf event is opened for each probe, instead of one link (`uprobe_multi`) for all probes of a file;
    /// `None` when the link is used.
    #[must_use]
    pub fn without_multi(&self) -> Option<&str> {
        self.without_multi.as_deref()
    }

    fn weaken(&mut self, area: Area, sentence: String) {
        self.weaker.push(Weakness { area, sentence });
    }

    fn load_probe_programs(&mut self, backend: Backend) -> Result<(), LoadError> {
        if backend == Backend::Single {
            self.without_multi = Some("it was asked for".to_owned());
            return self.load_single_programs();
        }
        match MultiPrograms::load(&self.ebpf, OBJECT) {
            Ok(multi) => {
                self.multi = Some(multi);
                return Ok(());
            }
            Err(error) if backend == Backend::Multi => {
                return Err(LoadError::Unsupported(error.to_string()));
            }
            Err(error) => self.without_multi = Some(error.to_string()),
        }
        self.load_single_programs()
    }

    /// Those for one event a probe; those that are loaded already stay so.
    pub(super) fn load_single_programs(&mut self) -> Result<(), LoadError> {
        for (name, program) in self.ebpf.programs_mut() {
            let is_probe = name == "leave" || (name.starts_with("enter_") && name != "enter_any");
            if !is_probe {
                continue;
            }
            let program: &mut UProbe = program.try_into().map_err(|_| LoadError::Incomplete("uprobes"))?;
            if program.fd().is_err() {
                program.load().map_err(|error| LoadError::from_kernel(&error))?;
            }
        }
        Ok(())
    }

    fn find_fs_base(&mut self) {
        match fs_base::find(&mut self.ebpf) {
            Ok(offset) => self.settings.fs_base_offset = offset,
            Err(error) => self.weaken(Area::PythonStacks, format!("no Python stacks: {error}")),
        }
    }

    fn attach_tracepoints(&mut self) {
        match tracefs::lifecycle_offsets() {
            Ok(offsets) => {
                self.settings.newtask_pid_offset = offsets.newtask_pid;
                self.settings.newtask_flags_offset = offsets.newtask_flags;
                self.settings.rename_pid_offset = offsets.rename_pid;
                self.settings.exec_old_pid_offset = offsets.exec_old_pid;
            }
            Err(error) => {
                let sentence = format!(
                    "processes that start or change their name are found by looking every two seconds: {error}"
                );
                self.weaken(Area::Lifecycle, sentence);
                return;
            }
        }
        for (category, name) in tracefs::LIFECYCLE {
            if let Err(error) = self.attach_tracepoint(category, name) {
                let sentence = format!("tracepoint {category}:{name} is not attached: {error}");
                self.weaken(Area::Lifecycle, sentence);
            }
        }
    }

    fn attach_tracepoint(&mut self, category: &str, name: &str) -> Result<(), String> {
        let program = self.ebpf.program_mut(name).ok_or("not in the object")?;
        let program: &mut TracePoint = program.try_into().map_err(|_| "not a tracepoint program")?;
        program.load().map_err(|error| chain(&error))?;
        program.attach(category, name).map_err(|error| chain(&error))?;
        Ok(())
    }

    fn write_settings(&mut self) -> Result<(), LoadError> {
        let map = self.ebpf.map_mut("SETTINGS").ok_or(LoadError::Incomplete("map SETTINGS"))?;
        let mut map: Array<&mut MapData, PodSettings> =
            Array::try_from(map).map_err(|_| LoadError::Incomplete("map SETTINGS"))?;
        map.set(0, PodSettings(self.settings), 0).map_err(|error| LoadError::from_kernel(&error))
    }

    /// Takes the ring out: it is read in one place.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_ring(&mut self) -> Result<RingBuf<MapData>, LoadError> {
        let map = self.ebpf.take_map("EVENTS").ok_or(LoadError::Incomplete("map EVENTS"))?;
        RingBuf::try_from(map).map_err(|_| LoadError::Incomplete("map EVENTS"))
    }

    /// Takes the counters out: a reader of its own.
    ///
    /// # Errors
    /// When they were taken before.
    pub fn take_counters(&mut self) -> Result<KernelCounters, LoadError> {
        let map = self.ebpf.take_map("COUNTERS").ok_or(LoadError::Incomplete("map COUNTERS"))?;
        KernelCounters::new(map).ok_or(LoadError::Incomplete("map COUNTERS"))
    }

    /// Takes the list of followed processes out: it is the session's to write.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_targets(&mut self) -> Result<Targets, LoadError> {
        let map = self.ebpf.take_map("TARGETS").ok_or(LoadError::Incomplete("map TARGETS"))?;
        Targets::new(map).ok_or(LoadError::Incomplete("map TARGETS"))
    }

    /// Says how to walk a target's Python stack.
    ///
    /// # Errors
    /// When the map is full.
    pub fn set_python(&mut self, target: u32, python: PythonTarget) -> io::Result<()> {
        let mut map: HashMap<&mut MapData, u32, PodPythonTarget> = self.hash("PYTHON")?;
        map.insert(target, PodPythonTarget(python), 0).map_err(io::Error::other)
    }

    /// Forgets how to walk a target's Python stack: its image was replaced, or it is gone.
    pub fn clear_python(&mut self, target: u32) {
        if let Ok(mut map) = self.hash::<u32, PodPythonTarget>("PYTHON") {
            let _absent = map.remove(&target);
        }
    }

    fn hash<K: aya::Pod, V: aya::Pod>(&mut self, name: &str) -> io::Result<HashMap<&mut MapData, K, V>> {
        let map = self.ebpf.map_mut(name).ok_or_else(|| io::Error::other("no such map"))?;
        HashMap::try_from(map).map_err(io::Error::other)
    }
}

/// Declares a map value type of the contract as plain old data for aya.
macro_rules! pod {
    ($name:ident, $inner:ty) => {
        #[repr(transparent)]
        #[derive(Clone, Copy)]
        pub(super) struct $name(pub(super) $inner);
        // SAFETY: the wrapped type is `repr(C)`, all integers, without padding (its size is asserted where it is
        // declared), so any bytes are a value and every byte is initialised.
        unsafe impl aya::Pod for $name {}
    };
}

pod!(PodAllowance, Allowance);
pod!(PodMeter, Meter);
pod!(PodSettings, Settings);
pod!(PodTarget, Target);
pod!(PodPythonTarget, PythonTarget);

impl LoadError {
    pub(super) fn from_kernel(error: &(dyn std::error::Error + 'static)) -> Self {
        let text = chain(error);
        let denied = ["Operation not permitted", "Permission denied"].iter().any(|word| text.contains(word));
        if denied { Self::NotPermitted(text) } else { Self::Unsupported(text) }
    }
}

/// An error and its sources, on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    shorten(text)
}

/// A refusal by the verifier carries its whole log: its last lines say why.
fn shorten(text: String) -> String {
    const LINES: usize = 6;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() <= 2 * LINES {
        return text;
    }
    format!("{}\n  ...\n{}", lines[0], lines[lines.len() - LINES..].join("\n"))
}

/// Before 5.11 maps count as locked memory, of which a user has 64 KiB to 8 MiB by default: less than the ring.
fn raise_locked_memory_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let unlimited = Rlimit { current: None, maximum: None };
    let as_allowed = || {
        let maximum = getrlimit(Resource::Memlock).maximum;
        setrlimit(Resource::Memlock, Rlimit { current: maximum, maximum })
    };
    if let Err(error) = setrlimit(Resource::Memlock, unlimited).or_else(|_| as_allowed()) {
        tracing::debug!("the limit of locked memory stays: {error}");
    }
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0_u8)
}
