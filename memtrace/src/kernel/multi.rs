//! `uprobe_multi` (6.6 on): one link attaches any number of probes of a file, for one process.
//!
//! aya 0.14 knows neither the section nor the link. aya makes the maps; a second copy of the programs is relocated
//! to them with aya_obj, and loaded and linked here. Per-process perf uprobes, the alternative, cost the target at
//! every context switch and take up to 90 ms each to detach (6.12 on).

use std::{
    collections::{HashMap, HashSet},
    ffi::CString,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use aya::{
    Ebpf,
    maps::{Map, MapData},
};
use aya_obj::{
    Object,
    generated::{bpf_attach_type, bpf_cmd, bpf_prog_type},
};
use thiserror::Error;

use super::sys::{bpf, zeroed};

/// From `include/uapi/linux/bpf.h`.
const BPF_F_UPROBE_MULTI_RETURN: u32 = 1;

/// Bytes of verifier log kept when a program is refused.
const LOG_BYTES: usize = 64 * 1024;

/// Why `uprobe_multi` is not used.
#[derive(Debug, Error)]
pub(super) enum MultiError {
    /// The object could not be parsed or relocated.
    #[error("the BPF object cannot be relocated: {0}")]
    Object(String),
    /// A program was refused.
    #[error("program {name} was refused: {error}: {log}")]
    Refused { name: &'static str, error: io::Error, log: String },
    /// Linux before 6.6.
    #[error("the kernel has no uprobe_multi links")]
    NoLinkType,
    /// The kernel's pid filter is per thread (6.6 to 6.9), so it would miss all but the main thread.
    #[error("the kernel's uprobe_multi filters by thread, not by process")]
    ThreadFilter,
}

/// The programs, loaded for multi links.
#[derive(Debug)]
pub(super) struct MultiPrograms {
    enter: OwnedFd,
    leave: OwnedFd,
}

/// One probe: a file offset and the cookie its program sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) file_offset: u64,
    pub(super) cookie: u64,
}

impl MultiPrograms {
    /// Loads the programs against the maps that aya made.
    pub(super) fn load(ebpf: &Ebpf, object: &[u8]) -> Result<Self, MultiError> {
        let object = relocated(ebpf, object).map_err(MultiError::Object)?;
        let programs =
            Self { enter: load_program(&object, "enter_any")?, leave: load_program(&object, "leave")? };
        if !programs.has_link_type() {
            return Err(MultiError::NoLinkType);
        }
        if programs.filters_by_process() { Ok(programs) } else { Err(MultiError::ThreadFilter) }
    }

    /// Attaches entry probes at every point of a file, in one process.
    pub(super) fn link_entries(&self, path: &Path, points: &[Point], pid: u32) -> io::Result<OwnedFd> {
        link(&self.enter, path, points, pid as i32, 0)
    }

    /// Attaches return probes at every point of a file, in one process.
    pub(super) fn link_returns(&self, path: &Path, points: &[Point], pid: u32) -> io::Result<OwnedFd> {
        link(&self.leave, path, points, pid as i32, BPF_F_UPROBE_MULTI_RETURN)
    }

    /// A kernel with the link type fails on a directory as the file with EBADF; one without it knows no such link and
    /// says EINVAL.
    fn has_link_type(&self) -> bool {
        self.refusal(0) == Some(libc::EBADF)
    }

    /// A kernel whose filter is by process refuses pid -1 with EINVAL before it looks at the path; one without the
    /// fix (kernel commit 46ba0e49b642) goes on and fails on the path. libbpf tells them apart so too.
    fn filters_by_process(&self) -> bool {
        self.refusal(-1) == Some(libc::EINVAL)
    }

    fn refusal(&self, pid: i32) -> Option<i32> {
        let point = Point { file_offset: 0, cookie: 0 };
        link(&self.enter, Path::new("/"), &[point], pid, 0).err()?.raw_os_error()
    }
}

fn relocated(ebpf: &Ebpf, object: &[u8]) -> Result<Object, String> {
    let mut object = Object::parse(object).map_err(|error| error.to_string())?;
    let text: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let descriptors: HashMap<&str, RawFd> =
        ebpf.maps().filter_map(|(name, map)| Some((name, descriptor(map)?))).collect();
    let maps: Vec<_> = object.maps.iter().map(|(name, map)| (name.clone(), map.clone())).collect();
    let maps = maps
        .iter()
        .map(|(name, map)| {
            let descriptor = descriptors.get(name.as_str()).ok_or(format!("map {name} was not made"))?;
            Ok((name.as_str(), *descriptor, map))
        })
        .collect::<Result<Vec<_>, String>>()?;
    object.relocate_maps(maps.into_iter(), &text).map_err(|error| error.to_string())?;
    object.relocate_calls(&text).map_err(|error| error.to_string())?;
    Ok(object)
}

fn descriptor(map: &Map) -> Option<RawFd> {
    let data: &MapData = match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::RingBuf(data) => data,
        _ => return None,
    };
    Some(data.fd().as_fd().as_raw_fd())
}

fn load_program(object: &Object, name: &'static str) -> Result<OwnedFd, MultiError> {
    let missing = || MultiError::Object(format!("no program {name}"));
    let program = object.programs.get(name).ok_or_else(missing)?;
    let function = object.functions.get(&program.function_key()).ok_or_else(missing)?;
    let mut log = vec![0_u8; LOG_BYTES];
    let mut attributes = zeroed();
    // SAFETY: the union is zeroed, so this member is initialised; it is the one that BPF_PROG_LOAD reads.
    let load = unsafe { &mut attributes.__bindgen_anon_3 };
    load.prog_type = bpf_prog_type::BPF_PROG_TYPE_KPROBE as u32;
    load.expected_attach_type = bpf_attach_type::BPF_TRACE_UPROBE_MULTI as u32;
    load.insns = function.instructions.as_ptr() as u64;
    load.insn_cnt = function.instructions.len() as u32;
    load.license = object.license.as_ptr() as u64;
    for (to, from) in load.prog_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from.cast_signed();
    }
    if let Ok(fd) = bpf(bpf_cmd::BPF_PROG_LOAD, &mut attributes) {
        return Ok(fd);
    }
    // Once more, for the verifier's reasons.
    // SAFETY: as above.
    let load = unsafe { &mut attributes.__bindgen_anon_3 };
    load.log_buf = log.as_mut_ptr() as u64;
    load.log_size = log.len() as u32;
    load.log_level = 1;
    bpf(bpf_cmd::BPF_PROG_LOAD, &mut attributes).map_err(|error| {
        let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
        let log = String::from_utf8_lossy(&log[..end]);
        let last: Vec<&str> = log.lines().rev().take(4).collect();
        MultiError::Refused { name, error, log: last.into_iter().rev().collect::<Vec<_>>().join(" | ") }
    })
}

fn link(program: &OwnedFd, path: &Path, points: &[Point], pid: i32, flags: u32) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let offsets: Vec<u64> = points.iter().map(|point| point.file_offset).collect();
    let cookies: Vec<u64> = points.iter().map(|point| point.cookie).collect();
    let mut attributes = zeroed();
    // SAFETY: the union is zeroed, so this member is initialised; it is the one that BPF_LINK_CREATE reads.
    let create = unsafe { &mut attributes.link_create };
    create.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
    create.attach_type = bpf_attach_type::BPF_TRACE_UPROBE_MULTI as u32;
    // SAFETY: as above; this member is the one for this attach type.
    let multi = unsafe { &mut create.__bindgen_anon_3.uprobe_multi };
    multi.path = path.as_ptr() as u64;
    multi.offsets = offsets.as_ptr() as u64;
    multi.cookies = cookies.as_ptr() as u64;
    multi.cnt = points.len() as u32;
    multi.flags = flags;
    multi.pid = pid as u32;
    bpf(bpf_cmd::BPF_LINK_CREATE, &mut attributes)
}
