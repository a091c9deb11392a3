//! Attaches the allocator probes of one file to one process, by whichever way the kernel has.

use std::{io, os::fd::OwnedFd, path::Path};

use aya::programs::{
    UProbe,
    uprobe::{UProbeAttachLocation, UProbeLink, UProbeScope},
};
use memtrace_common::Call;
use thiserror::Error;

use super::{
    load::{Kernel, chain},
    multi::Point,
};
use crate::host::process;

/// Where a probe goes and which call it sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Offset in the file.
    pub file_offset: u64,
    /// Shape of the call.
    pub call: Call,
}

/// Why probes could not be attached.
#[derive(Debug, Error)]
pub enum AttachError {
    /// The kernel refused.
    #[error("the kernel refused the probes: {0}")]
    Refused(String),
    /// The object lacks a program.
    #[error("the built-in BPF object has no program {0}; rebuild it: cargo xtask build-ebpf")]
    NoProgram(&'static str),
}

impl AttachError {
    fn refused(error: &io::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Attached probes. Dropping it detaches them, which can take the kernel 90 ms: drop it off the hot path.
pub struct Attachment {
    probes: usize,
    _hold: Hold,
}

enum Hold {
    Multi { _links: [Option<OwnedFd>; 2] },
    Single { _links: Vec<UProbeLink> },
}

impl Attachment {
    /// How many sites.
    #[must_use]
    pub const fn probes(&self) -> usize {
        self.probes
    }
}

impl Kernel {
    /// Attaches entry probes at all of `probes`, and return probes where the call has a result.
    ///
    /// Return probes replace return addresses on the stack, which Go's runtime would find when it moves a stack. A Go
    /// program is safe all the same: without cgo it is static and has no allocator of C's to attach to, and with cgo C
    /// functions run on a thread's own stack (`g0`), which is never moved.
    ///
    /// Returns before entries: an entry without its return would be counted as a lost return. Of the entries frees come
    /// first: the kernel puts probes in place one after the other while the process runs, and a block whose allocation
    /// was seen and whose free was not would count as live.
    ///
    /// # Errors
    /// When the kernel refuses any of them; then none is left attached.
    pub fn attach(&mut self, path: &Path, probes: &[Probe], pid: u32) -> Result<Attachment, AttachError> {
        let probes = frees_first(probes);
        // The kernel knows a process' memory by the thread that it is given, and a link takes only the first
        // (uprobe_multi_link_filter, kernel/trace/bpf_trace.c). When that has ended, events take another.
        let thread = process::live_thread(pid);
        let hold = if self.multi.is_some() && thread == pid {
            self.attach_multi(path, &probes, pid)?
        } else {
            self.load_single_programs().map_err(|error| AttachError::Refused(error.to_string()))?;
            self.attach_single(path, &probes, thread)?
        };
        Ok(Attachment { probes: probes.len(), _hold: hold })
    }

    fn attach_multi(&self, path: &Path, probes: &[Probe], pid: u32) -> Result<Hold, AttachError> {
        let programs = self.multi.as_ref().ok_or(AttachError::NoProgram("enter_any"))?;
        let points = |keep: fn(Call) -> bool| -> Vec<Point> {
            let kept = probes.iter().filter(|probe| keep(probe.call));
            kept.map(|probe| Point { file_offset: probe.file_offset, cookie: probe.call as u64 }).collect()
        };
        let returns = points(Call::has_result);
        let returns = if returns.is_empty() {
            None
        } else {
            Some(programs.link_returns(path, &returns, pid).map_err(|error| AttachError::refused(&error))?)
        };
        let entries = programs.link_entries(path, &points(|_| true), pid);
        let entries = entries.map_err(|error| AttachError::refused(&error))?;
        Ok(Hold::Multi { _links: [Some(entries), returns] })
    }

    fn attach_single(&mut self, path: &Path, probes: &[Probe], pid: u32) -> Result<Hold, AttachError> {
        let mut links = Vec::with_capacity(probes.len() * 2);
        for probe in probes.iter().filter(|probe| probe.call.has_result()) {
            links.push(self.attach_one("leave", path, probe.file_offset, pid)?);
        }
        for probe in probes {
            links.push(self.attach_one(program_name(probe.call), path, probe.file_offset, pid)?);
        }
        Ok(Hold::Single { _links: links })
    }

    fn attach_one(
        &mut self,
        name: &'static str,
        path: &Path,
        file_offset: u64,
        pid: u32,
    ) -> Result<UProbeLink, AttachError> {
        let program = self.ebpf.program_mut(name).and_then(|program| <&mut UProbe>::try_from(program).ok());
        let program = program.ok_or(AttachError::NoProgram(name))?;
        let scope = std::num::NonZeroU32::new(pid).map_or(UProbeScope::AllProcesses, UProbeScope::OneProcess);
        let link = program.attach(UProbeAttachLocation::AbsoluteOffset(file_offset), path, scope);
        let link = link.map_err(|error| AttachError::Refused(chain(&error)))?;
        program.take_link(link).map_err(|error| AttachError::Refused(chain(&error)))
    }
}

/// Frees first, then reallocs, then what only allocates.
fn frees_first(probes: &[Probe]) -> Vec<Probe> {
    let mut probes = probes.to_vec();
    probes.sort_by_key(|probe| match probe.call {
        Call::Free | Call::PythonFree => 0,
        Call::Realloc | Call::Reallocarray | Call::PythonRealloc => 1,
        _ => 2,
    });
    probes
}

pub(super) const fn program_name(call: Call) -> &'static str {
    match call {
        Call::Malloc => "enter_malloc",
        Call::Calloc => "enter_calloc",
        Call::Realloc => "enter_realloc",
        Call::Reallocarray => "enter_reallocarray",
        Call::Free => "enter_free",
        Call::PosixMemalign => "enter_posix_memalign",
        Call::AlignedAlloc => "enter_aligned_alloc",
        Call::PythonMalloc => "enter_python_malloc",
        Call::PythonCalloc => "enter_python_calloc",
        Call::PythonRealloc => "enter_python_realloc",
        Call::PythonFree => "enter_python_free",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frees_are_probed_before_what_allocates() {
        let probe = |call| Probe { file_offset: 16 * call as u64, call };
        let calls = [Call::Malloc, Call::Free, Call::Realloc, Call::PythonMalloc, Call::PythonFree];
        let ordered: Vec<Call> = frees_first(&calls.map(probe)).into_iter().map(|probe| probe.call).collect();
        assert_eq!(ordered, [Call::Free, Call::PythonFree, Call::Realloc, Call::Malloc, Call::PythonMalloc]);
    }
}
