//! A running `memtrace --json`: its lines are read as they come, and it is stopped by Ctrl-C's signal.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::report::{Report, Said};
use super::snapshot::{Process, Snapshot, State};
use super::target::Target;
use super::{binary, poll, root};

/// One run. It is killed, by its own handle, when dropped.
pub(crate) struct Memtrace {
    child: Child,
    said: Arc<Mutex<Said>>,
    readers: Vec<JoinHandle<()>>,
}

impl Memtrace {
    /// With these arguments besides `--json`, `--exact`, a short interval and every site.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_plain(&[&["--exact"], arguments].concat())
    }

    /// The same within a budget: the default one, or as the arguments say.
    pub(crate) fn start_within_budget(arguments: &[&str]) -> Self {
        Self::start_plain(arguments)
    }

    /// Follows one process within a budget, and returns when its probes are in place.
    pub(crate) fn follow_within_budget(program: &Target, arguments: &[&str]) -> Self {
        let pid = program.pid().to_string();
        let memtrace = Self::start_within_budget(&[&["--pid", &pid], arguments].concat());
        memtrace.wait_attached(program.pid());
        memtrace
    }

    fn start_plain(arguments: &[&str]) -> Self {
        root::require();
        let mut child = Command::new(binary::path())
            .args(["--json", "--interval", "200ms", "-n", "100000"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("memtrace starts");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let stderr = child.stderr.take().expect("stderr is a pipe");
        let said = Arc::new(Mutex::new(Said::default()));
        let readers = vec![read_lines(stdout, &said, Said::take), read_lines(stderr, &said, take_stderr)];
        Self { child, said, readers }
    }

    /// Follows one process, and returns when its probes are in place.
    pub(crate) fn follow(program: &Target) -> Self {
        Self::follow_with(program, &[])
    }

    /// The same with more arguments.
    pub(crate) fn follow_with(program: &Target, arguments: &[&str]) -> Self {
        let pid = program.pid().to_string();
        let memtrace = Self::start(&[&["--pid", &pid], arguments].concat());
        memtrace.wait_attached(program.pid());
        memtrace
    }

    /// Follows everything with this comm; returns when memtrace has begun, which is before anything matches.
    pub(crate) fn follow_comm(comm: &str) -> Self {
        let memtrace = Self::start(&["--comm", comm]);
        memtrace.wait_for_snapshot("memtrace has begun", |_| Some(()));
        memtrace
    }

    /// Waits until the probes are in place in a process that runs.
    pub(crate) fn wait_attached(&self, pid: u32) {
        self.wait_for_process(pid, "the process is traced", |process| {
            process.state == State::Running && process.probes > 0
        });
    }

    /// Waits until a snapshot that was begun after this call has the process in this state.
    pub(crate) fn wait_for_process(&self, pid: u32, what: &str, holds: impl Fn(&Process) -> bool) -> Process {
        self.wait_for_snapshot(&format!("{what} (pid {pid})"), |snapshot| {
            snapshot.process(pid).filter(|process| holds(process)).cloned()
        })
    }

    /// Waits until a snapshot that was begun after this call has an answer. The next one may be half written, so it
    /// is the one after that.
    pub(crate) fn wait_for_snapshot<T>(&self, what: &str, ask: impl Fn(&Snapshot) -> Option<T>) -> T {
        self.wait_long_for_snapshot(poll::PATIENCE, what, ask)
    }

    /// The same for what takes long by design.
    pub(crate) fn wait_long_for_snapshot<T>(
        &self,
        patience: Duration,
        what: &str,
        ask: impl Fn(&Snapshot) -> Option<T>,
    ) -> T {
        let mut next = match self.said().snapshots.len() {
            0 => 0,
            seen => seen + 1,
        };
        let found = || {
            let said = self.said();
            let found = said.snapshots.iter().skip(next).find_map(&ask);
            next = next.max(said.snapshots.len());
            found
        };
        let found = poll::try_wait_for(patience, found);
        found.unwrap_or_else(|| panic!("waited {patience:?} in vain until {what}\n{}", self.describe()))
    }

    /// Waits until stderr has these words.
    pub(crate) fn wait_for_stderr(&self, words: &str) {
        let found = || self.said().stderr.contains(words).then_some(());
        poll::wait_until(&format!("stderr says `{words}`"), found, || self.describe());
    }

    /// Stops it as Ctrl-C does; returns what it said to the end.
    pub(crate) fn stop(self) -> Report {
        kill_process(self.kernel_pid(), Signal::INT).expect("memtrace still runs");
        self.finish()
    }

    /// Waits until it ends by itself.
    pub(crate) fn finish(mut self) -> Report {
        let status = self.wait();
        for reader in self.readers.drain(..) {
            reader.join().expect("memtrace wrote lines of its schema");
        }
        let said = self.said().clone();
        Report { said, status }
    }

    /// Kills it with a signal that it cannot handle.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("memtrace still runs");
        self.child.wait().expect("it is our child");
    }

    fn wait(&mut self) -> ExitStatus {
        let said = Arc::clone(&self.said);
        let ended = || self.child.try_wait().expect("it is our child");
        poll::wait_until("memtrace has ended", ended, || lock(&said).stderr.clone())
    }

    pub(crate) fn kernel_pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).expect("a child's id is not 0")
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        lock(&self.said)
    }

    fn describe(&self) -> String {
        let said = self.said();
        let last = said.snapshots.last().map(|snapshot| {
            let processes = snapshot.processes.iter();
            let seen: Vec<_> = processes
                .map(|it| (it.pid, it.comm.clone(), it.state, it.probes, it.overhead.clone()))
                .collect();
            (seen, snapshot.quality.clone())
        });
        let ended = self.readers.iter().any(JoinHandle::is_finished);
        format!("{} snapshots, ended: {ended}, last: {last:?}\nstderr: {}", said.snapshots.len(), said.stderr)
    }
}

impl Drop for Memtrace {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for already.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take_stderr(said: &mut Said, line: &str) {
    said.stderr.push_str(line);
    said.stderr.push('\n');
}

fn read_lines(
    from: impl Read + Send + 'static,
    said: &Arc<Mutex<Said>>,
    take: fn(&mut Said, &str),
) -> JoinHandle<()> {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            take(&mut lock(&said), &line);
        }
    })
}
