//! All followed processes, by target number and by pid.

use std::collections::{BTreeMap, HashMap};

use memtrace_core::model::ProcessInfo;

use super::process::{Followed, State};

/// The table. A pid stands for at most one running process; the number of an exited one stays until it is reported.
#[derive(Debug, Default)]
pub struct Processes {
    by_target: BTreeMap<u32, Followed>,
    by_pid: HashMap<u32, u32>,
    last_target: u32,
}

impl Processes {
    /// Follows a process under a new number.
    pub fn add(&mut self, info: ProcessInfo) -> &mut Followed {
        self.last_target += 1;
        let target = self.last_target;
        self.by_pid.insert(info.pid, target);
        self.by_target.entry(target).or_insert_with(|| Followed::new(target, info))
    }

    /// The process with this number.
    pub fn get_mut(&mut self, target: u32) -> Option<&mut Followed> {
        self.by_target.get_mut(&target)
    }

    /// The running process with this pid.
    pub fn running_mut(&mut self, pid: u32) -> Option<&mut Followed> {
        self.by_target.get_mut(self.by_pid.get(&pid)?)
    }

    /// True when a running process with this pid is followed.
    #[must_use]
    pub fn follows(&self, pid: u32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// It exited: its pid may be another's from now on.
    pub fn exited(&mut self, target: u32) {
        let Some(process) = self.by_target.get_mut(&target) else { return };
        process.state = State::Exited;
        if self.by_pid.get(&process.info.pid) == Some(&target) {
            self.by_pid.remove(&process.info.pid);
        }
    }

    /// Forgets a process.
    pub fn remove(&mut self, target: u32) -> Option<Followed> {
        let process = self.by_target.remove(&target)?;
        if self.by_pid.get(&process.info.pid) == Some(&target) {
            self.by_pid.remove(&process.info.pid);
        }
        Some(process)
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Followed> {
        self.by_target.values()
    }

    /// All of them, by number.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Followed> {
        self.by_target.values_mut()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_target.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_target.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(pid: u32, start_time_ticks: u64) -> ProcessInfo {
        ProcessInfo { pid, start_time_ticks, ..ProcessInfo::default() }
    }

    #[test]
    fn a_reused_pid_is_another_process_and_the_old_one_keeps_its_number() {
        let mut processes = Processes::default();
        let first = processes.add(info(7, 1)).target;
        processes.exited(first);
        assert!(!processes.follows(7));
        let second = processes.add(info(7, 2)).target;
        assert_ne!(first, second);
        assert_eq!(processes.running_mut(7).map(|process| process.target), Some(second));
        assert!(processes.remove(first).is_some());
        assert!(processes.follows(7), "removing the old one must not touch the new one's pid");
    }
}
