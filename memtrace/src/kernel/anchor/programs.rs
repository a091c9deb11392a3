//! The programs that probes run: one for each shape of call, and one for returns.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::programs::UProbe;
use memtrace_common::Call;

use super::AnchorError;
use crate::kernel::{Kernel, LoadError, attach::program_name};

/// Programs, loaded for one event a probe.
#[derive(Debug)]
pub struct AnchorPrograms {
    entries: Vec<(Call, OwnedFd)>,
    pub(super) leave: OwnedFd,
}

impl AnchorPrograms {
    pub(super) fn of(&self, call: Call) -> Result<&OwnedFd, AnchorError> {
        let program = self.entries.iter().find(|(other, _)| *other == call);
        program.map(|(_, program)| program).ok_or(AnchorError::NoProgram(program_name(call)))
    }
}

impl Kernel {
    /// Loads the programs that anchors run, if need be, and lends them: for [`super::Anchors`].
    ///
    /// # Errors
    /// When the kernel refuses one of them.
    pub fn anchor_programs(&mut self) -> Result<AnchorPrograms, LoadError> {
        self.load_single_programs()?;
        let entries = Call::ALL.map(|call| Ok((call, self.program(program_name(call))?)));
        let entries = entries.into_iter().collect::<Result<_, LoadError>>()?;
        Ok(AnchorPrograms { entries, leave: self.program("leave")? })
    }

    fn program(&mut self, name: &'static str) -> Result<OwnedFd, LoadError> {
        let program = self.ebpf.program_mut(name).and_then(|program| <&mut UProbe>::try_from(program).ok());
        let program = program.ok_or(LoadError::Incomplete(name))?;
        let program = program.fd().map_err(|error| LoadError::from_kernel(&error))?;
        program.as_fd().try_clone_to_owned().map_err(|error| LoadError::from_kernel(&error))
    }
}
