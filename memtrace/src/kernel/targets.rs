//! Which processes the BPF programs report on: map `TARGETS`. Written by the session itself, so that a process is
//! followed from the moment it is found, and no longer from the moment it is not wanted.

use std::io;

use aya::maps::{HashMap, Map, MapData};
use memtrace_common::settings::Target;

use super::load::PodTarget;

/// The map.
pub struct Targets {
    map: HashMap<MapData, u32, PodTarget>,
}

impl Targets {
    pub(super) fn new(map: Map) -> Option<Self> {
        Some(Self { map: HashMap::try_from(map).ok()? })
    }

    /// Has the BPF programs report on a process, under this number.
    ///
    /// # Errors
    /// When the map is full.
    pub fn follow(&mut self, pid: u32, target: u32) -> io::Result<()> {
        self.map.insert(pid, PodTarget(Target { target, flags: 0 }), 0).map_err(io::Error::other)
    }

    /// Ends what [`Targets::follow`] began. A process that is not followed is no error.
    pub fn unfollow(&mut self, pid: u32) {
        let _absent = self.map.remove(&pid);
    }
}
