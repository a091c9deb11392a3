//! What targets may be asked to bear, and what they have borne: maps `ALLOWANCES` and `METERS`.
//!
//! In: target numbers. Out: what the BPF programs count. It refuses to decide what is allowed. Invariant: clones share
//! one map, so the session and the conductor may hold one each; an operation is one short system call.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aya::maps::{HashMap, Map, MapData, MapError};
use memtrace_common::{Allowance, Meter};

use super::{
    Kernel, LoadError,
    load::{PodAllowance, PodMeter},
};

/// The map `ALLOWANCES`.
#[derive(Clone)]
pub struct Allowances {
    map: Shared<PodAllowance>,
}

/// The map `METERS`.
#[derive(Clone)]
pub struct Meters {
    map: Shared<PodMeter>,
}

impl Allowances {
    /// Sets what a target is allowed, from its next probe hit on. The entry is replaced whole.
    ///
    /// # Errors
    /// When the map is full.
    pub fn set(&self, target: u32, allowance: Allowance) -> io::Result<()> {
        self.map.lock().insert(target, PodAllowance(allowance), 0).map_err(io::Error::other)
    }

    /// Has the target traced exactly, without an alarm: what it is before anything is set.
    pub fn clear(&self, target: u32) {
        let _absent = self.map.lock().remove(&target);
    }
}

impl Meters {
    /// Begins to meter a target, from zero.
    ///
    /// # Errors
    /// When the map is full.
    pub fn follow(&self, target: u32) -> io::Result<()> {
        self.map.lock().insert(target, PodMeter(Meter::default()), 0).map_err(io::Error::other)
    }

    /// Ends it.
    pub fn forget(&self, target: u32) {
        let _absent = self.map.lock().remove(&target);
    }

    /// What a target has borne; `None` when it is not metered.
    #[must_use]
    pub fn read(&self, target: u32) -> Option<Meter> {
        match self.map.lock().get(&target, 0) {
            Ok(meter) => Some(meter.0),
            Err(MapError::KeyNotFound) => None,
            Err(error) => {
                tracing::warn!("the meter of target {target} cannot be read: {error}");
                None
            }
        }
    }
}

impl Kernel {
    /// Takes out what targets may be asked to bear.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_allowances(&mut self) -> Result<Allowances, LoadError> {
        let map = self.ebpf.take_map("ALLOWANCES").and_then(Shared::new);
        Ok(Allowances { map: map.ok_or(LoadError::Incomplete("map ALLOWANCES"))? })
    }

    /// Takes out what targets have borne.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_meters(&mut self) -> Result<Meters, LoadError> {
        let map = self.ebpf.take_map("METERS").and_then(Shared::new);
        Ok(Meters { map: map.ok_or(LoadError::Incomplete("map METERS"))? })
    }
}

/// A map that several threads use; they wait for each other as long as a system call takes.
struct Shared<V: aya::Pod> {
    map: Arc<Mutex<HashMap<MapData, u32, V>>>,
}

impl<V: aya::Pod> Clone for Shared<V> {
    fn clone(&self) -> Self {
        Self { map: Arc::clone(&self.map) }
    }
}

impl<V: aya::Pod> Shared<V> {
    fn new(map: Map) -> Option<Self> {
        Some(Self { map: Arc::new(Mutex::new(HashMap::try_from(map).ok()?)) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MapData, u32, V>> {
        // A thread that panicked left nothing half done: the lock guards single system calls.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
