//! A target of known behaviour, and everything that holds windows on it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Mutex, MutexGuard, Once, PoisonError},
    time::{Duration, Instant},
};

use aya::maps::{MapData, RingBuf};
use memtrace::{
    attach::{Objects, inspect},
    host::mappings,
    kernel::{Backend, Kernel, Meters, Options, Targets, attach::Probe},
    windows::{Conductor, Instruments, ProbedFile, WindowEvent, WindowOrder},
};
use memtrace_common::record::Header;
use tokio::sync::mpsc::{UnboundedReceiver, error::TryRecvError, unbounded_channel};

/// A sweep takes what other tests of this process have just defined for what a killed memtrace has left.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn kernel() -> Kernel {
    let options = Options { ring_bytes: 1 << 24, log: false, backend: Backend::Auto };
    Kernel::load(options).expect("this test traces processes and so needs root: run `cargo xtask test`")
}

/// A running program.
pub(crate) struct Target {
    child: Child,
    /// Where its block of 64 bytes is that it never frees.
    pub(crate) kept: u64,
    _output: BufReader<ChildStdout>,
}

impl Target {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let program = compiled(name);
        let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let kept = u64::from_str_radix(line.trim().trim_start_matches("0x"), 16).unwrap();
        Self { child, kept, _output: output }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The first byte of each probed instruction, as the process has it.
    pub(crate) fn probed_bytes(&self, files: &[ProbedFile]) -> Vec<u8> {
        let memory = File::open(format!("/proc/{}/mem", self.pid())).unwrap();
        let mappings = mappings::of_process(self.pid()).unwrap();
        let mut bytes = Vec::new();
        for file in files {
            for probe in &file.probes {
                let mapping = mappings.iter().find(|mapping| {
                    let within = probe.file_offset.checked_sub(mapping.file_offset);
                    mapping.file == file.object.file.id
                        && mapping.executable
                        && within.is_some_and(|within| within < mapping.end - mapping.start)
                });
                let mapping = mapping.expect("probed code is mapped");
                let mut byte = [0];
                memory
                    .read_exact_at(&mut byte, probe.file_offset - mapping.file_offset + mapping.start)
                    .unwrap();
                bytes.push(byte[0]);
            }
        }
        assert!(!bytes.is_empty());
        bytes
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn compiled(name: &str) -> PathBuf {
    static ONCE: Once = Once::new();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    ONCE.call_once(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(format!("{name}.c"));
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-g", "-pthread", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&path).arg(&source);
        assert!(cc.status().expect("there is a C compiler").success());
    });
    path
}

/// What is probed in a process.
pub(crate) fn files(pid: u32) -> Vec<ProbedFile> {
    let inspection = inspect(&mut Objects::default(), pid).unwrap();
    let files = inspection.objects.into_iter().map(|object| {
        let sites = object.libc.iter().flat_map(|sites| &sites.sites);
        let probes = sites.map(|site| Probe { file_offset: site.file_offset, call: site.call }).collect();
        ProbedFile { object, probes }
    });
    files.collect()
}

/// Everything that holds windows, and one target.
pub(crate) struct Bench {
    pub(crate) files: Vec<ProbedFile>,
    pub(crate) meters: Meters,
    targets: Targets,
    ring: RingBuf<MapData>,
    conductor: Conductor,
    events: UnboundedReceiver<WindowEvent>,
    pid: u32,
    _kernel: Kernel,
}

impl Bench {
    pub(crate) fn new(target: &Target) -> Self {
        let mut kernel = kernel();
        let programs = kernel.anchor_programs().unwrap();
        let meters = kernel.take_meters().unwrap();
        let instruments =
            Instruments { allowances: kernel.take_allowances().unwrap(), meters: meters.clone() };
        let (sender, events) = unbounded_channel();
        let conductor = Conductor::start(programs, instruments, sender, None).unwrap();
        let (targets, ring) = (kernel.take_targets().unwrap(), kernel.take_ring().unwrap());
        let mut bench =
            Self { files: Vec::new(), meters, targets, ring, conductor, events, pid: 0, _kernel: kernel };
        bench.follow(target);
        bench
    }

    /// Makes it the target number 1.
    pub(crate) fn follow(&mut self, target: &Target) {
        self.targets.unfollow(self.pid);
        self.pid = target.pid();
        self.files = files(self.pid);
        self.targets.follow(self.pid, 1).unwrap();
        self.meters.follow(1).unwrap();
    }

    pub(crate) fn order(&self, window: u32, change: impl FnOnce(&mut WindowOrder)) {
        let mut order = WindowOrder {
            target: 1,
            pid: self.pid,
            window,
            files: self.files.clone().into(),
            not_before: Instant::now() + Duration::from_millis(5),
            length: Duration::from_millis(3),
            mean_bytes: 1000,
            entries_max: 1_000_000,
            sampled_max: 1000,
        };
        change(&mut order);
        self.conductor.order(order);
    }

    pub(crate) fn next_event(&mut self) -> WindowEvent {
        let begun = Instant::now();
        loop {
            match self.events.try_recv() {
                Ok(event) => return event,
                Err(TryRecvError::Empty) if begun.elapsed() < Duration::from_secs(20) => {
                    std::thread::sleep(Duration::from_micros(100));
                }
                Err(error) => panic!("no event of the conductor: {error}"),
            }
        }
    }

    /// The headers of the target's records since the last call.
    pub(crate) fn records(&mut self) -> Vec<Header> {
        let mut headers = Vec::new();
        while let Some(record) = self.ring.next() {
            let word = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().unwrap());
            let (kinds, thread, target, window) = (word(0), word(4), word(8), word(12));
            let header = Header {
                kind: kinds as u8,
                domain: (kinds >> 8) as u8,
                flags: (kinds >> 16) as u16,
                thread,
                target,
                window,
            };
            if target == 1 {
                headers.push(header);
            }
        }
        headers
    }
}
