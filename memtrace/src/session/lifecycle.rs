//! Processes that start, change and end.

use memtrace_common::DropReason;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{pipeline::Pipeline, report::monotonic_ns, send, watch::watch};
use crate::{attach::Command, cli::args::Settings, follow::State, host::process};

/// Tasks whose new names are looked at every ten milliseconds; one takes about ten microseconds.
const NEW_NAMES: usize = 256;

impl Pipeline {
    /// Follows what is wanted and runs already. Returns where ends of processes are told.
    ///
    /// The lifecycle tracepoints are attached by now, so a process is found here or by them, or both.
    pub(super) fn find_targets(&mut self, settings: &Settings) -> UnboundedReceiver<u32> {
        let (sender, receiver) = unbounded_channel();
        self.exits = Some(sender);
        self.look_for_processes();
        if self.processes.is_empty() && !settings.selection.names.is_empty() {
            let names = settings.selection.describe_names();
            self.reporter.tell(&format!("waiting for a process named {names}"));
        }
        receiver
    }

    /// Looks through `/proc` for what is wanted and not followed.
    pub(super) fn look_for_processes(&mut self) {
        for pid in process::all() {
            if !self.processes.follows(pid)
                && process::comm(pid).is_some_and(|comm| self.selection.wants(pid, &comm))
            {
                self.follow(pid, false);
            }
        }
    }

    /// A child that borrows its parent's memory works for its parent, until its exec.
    pub(super) fn forked(&mut self, process: u32, shares_memory: bool, comm: &[u8]) {
        if !shares_memory && self.selection.wants(process, &String::from_utf8_lossy(comm)) {
            self.follow(process, true);
        }
    }

    pub(super) fn executed(&mut self, process: u32, by_other_thread: bool, comm: &[u8]) {
        self.retire_replaced(process);
        let comm = String::from_utf8_lossy(comm);
        let is_wanted = self.selection.wants(process, &comm);
        let followed = self.processes.running_mut(process);
        let Some(followed) = followed else {
            if is_wanted {
                self.follow(process, true);
            }
            return;
        };
        let target = followed.target;
        if !is_wanted {
            followed.take_back_name();
            // What the new program does until the kernel side stops reporting is in the ring already.
            self.aggregator.close(target);
            self.exited(target);
            return;
        }
        followed.executed();
        if let Ok(info) = process::info(process) {
            followed.info = info;
        }
        self.aggregator.clear(target, monotonic_ns());
        send(&self.commands, Command::Executed { target, by_other_thread });
        self.restart_tier(target);
    }

    /// A task changed its name. Any process of the machine can do that a million times a second, so names are looked at
    /// with the next chores, once a task; and by the census alone when there are too many.
    pub(super) fn renamed(&mut self, task: u32) {
        if self.new_names.len() < NEW_NAMES {
            self.new_names.insert(task);
        }
    }

    /// The name is read anew: the record has the one that the task had when it asked for the change.
    pub(super) fn see_new_name(&mut self, task: u32) {
        let Some(comm) = process::comm(task) else { return };
        if let Some(followed) = self.processes.running_mut(task) {
            followed.renamed(comm);
        } else if self.selection.wants(task, &comm) && process::process_of(task) == Some(task) {
            self.follow(task, false);
        }
    }

    /// A pid can be another process' before the end of the one before is told of.
    fn retire_replaced(&mut self, pid: u32) {
        let Some(followed) = self.processes.running_mut(pid) else { return };
        let (target, start_time_ticks) = (followed.target, followed.info.start_time_ticks);
        if process::stat(pid).is_ok_and(|stat| stat.start_time_ticks != start_time_ticks) {
            self.exited(target);
        }
    }

    /// Follows a process from now on.
    fn follow(&mut self, pid: u32, is_from_start: bool) {
        self.retire_replaced(pid);
        if self.processes.follows(pid) {
            return;
        }
        let Ok(info) = process::info(pid) else { return };
        if !process::has_memory(pid) {
            return;
        }
        let start_time_ticks = info.start_time_ticks;
        let followed = self.processes.add(info);
        let target = followed.target;
        if !self.aggregator.add_process(target, monotonic_ns()) {
            self.processes.remove(target);
            return;
        }
        self.counts.processes_seen += 1;
        if let Err(error) = self.kernel.targets.follow(pid, target) {
            tracing::warn!("process {pid} cannot be followed: {error}");
            self.drops.count(DropReason::ProcessesFull);
        }
        let watched = self.exits.as_ref().is_some_and(|exits| watch(pid, target, exits).is_ok());
        // The pid can have been given to another process before the watch began.
        let is_same = process::stat(pid).is_ok_and(|stat| stat.start_time_ticks == start_time_ticks);
        if !watched || !is_same {
            self.exited(target);
            return;
        }
        let is_exact = self.begin_tier(target, pid, is_from_start);
        send(&self.commands, Command::Follow { target, pid, is_exact });
    }

    /// A process has ended, or is no longer wanted. Its figures stay for one more report.
    pub(super) fn exited(&mut self, target: u32) {
        if let Some(process) = self.processes.get_mut(target)
            && process.state == State::Running
        {
            self.kernel.targets.unfollow(process.info.pid);
        }
        self.processes.exited(target);
        self.looks.forget(target);
        self.end_tier(target);
        send(&self.commands, Command::Unfollow { target });
    }

    /// True when the target is the running process with this pid.
    pub(super) fn is_process(&mut self, target: u32, pid: u32) -> bool {
        self.processes.running_mut(pid).is_some_and(|process| process.target == target)
    }

    /// True when there is nothing left to wait for: processes were named by number only, and all have ended.
    pub(super) fn is_done(&self) -> bool {
        self.selection.names.is_empty() && self.processes.iter().all(|process| process.state == State::Exited)
    }
}
