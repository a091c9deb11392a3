//! Learns at which offset of its `task_struct` the kernel keeps a thread's FS base, which is where thread-local
//! data and so Python's thread state are found. No BTF is needed: a probe on a function of this very process looks
//! for the value that this thread knows to be its own. Two threads must agree.

use std::{path::PathBuf, thread};

use aya::{
    Ebpf,
    maps::{Array, MapData},
    programs::{
        UProbe,
        uprobe::{UProbeAttachLocation, UProbeScope},
    },
};
use thiserror::Error;

use super::load::chain;
use crate::host::mappings;

#[derive(Debug, Error)]
pub(super) enum FsBaseError {
    #[error("the probe that looks for the thread's FS base failed: {0}")]
    Probe(String),
    #[error("the kernel does not keep the thread's FS base where it can be read")]
    NotFound,
}

/// The offset in `task_struct`.
pub(super) fn find(ebpf: &mut Ebpf) -> Result<u32, FsBaseError> {
    let failed = |error: &dyn std::fmt::Display| FsBaseError::Probe(error.to_string());
    let (path, file_offset) = mappings::own_file_offset(landmark as *const () as usize)
        .ok_or_else(|| failed(&"this program's own file is not mapped"))?;
    attach(ebpf, path, file_offset)?;
    let map = ebpf.map_mut("FS_BASE").ok_or_else(|| failed(&"no map FS_BASE"))?;
    let mut map: Array<&mut MapData, [u64; 2]> = Array::try_from(map).map_err(|error| failed(&error))?;

    let mut search = || {
        map.set(0, [own_fs_base(), 0], 0).map_err(|error| failed(&error))?;
        landmark();
        map.get(&0, 0).map(|[_, offset]| offset).map_err(|error| failed(&error))
    };
    let here = search()?;
    let elsewhere =
        thread::scope(|scope| scope.spawn(search).join()).map_err(|_| failed(&"a thread panicked"))??;
    detach(ebpf)?;
    if here == 0 || here != elsewhere {
        return Err(FsBaseError::NotFound);
    }
    Ok((here - 1) as u32)
}

fn attach(ebpf: &mut Ebpf, path: PathBuf, file_offset: u64) -> Result<(), FsBaseError> {
    let program = program(ebpf)?;
    program.load().map_err(|error| FsBaseError::Probe(chain(&error)))?;
    program
        .attach(UProbeAttachLocation::AbsoluteOffset(file_offset), path, UProbeScope::CallingProcess)
        .map_err(|error| FsBaseError::Probe(chain(&error)))?;
    Ok(())
}

fn detach(ebpf: &mut Ebpf) -> Result<(), FsBaseError> {
    program(ebpf)?.unload().map_err(|error| FsBaseError::Probe(chain(&error)))
}

fn program(ebpf: &mut Ebpf) -> Result<&mut UProbe, FsBaseError> {
    let program = ebpf.program_mut("find_fs_base");
    program.and_then(|program| program.try_into().ok()).ok_or(FsBaseError::Probe("not in the object".into()))
}

/// Where the probe sits.
#[inline(never)]
extern "C" fn landmark() {
    std::hint::black_box(());
}

fn own_fs_base() -> u64 {
    /// From `arch/x86/include/uapi/asm/prctl.h`.
    const ARCH_GET_FS: libc::c_int = 0x1003;
    let mut base: u64 = 0;
    // SAFETY: ARCH_GET_FS stores the base at the address given, which is a live local.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_FS, &raw mut base) };
    base
}
