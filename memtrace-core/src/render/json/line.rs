//! The keys of every line but the snapshot's. The order of fields is the order of keys.

use std::collections::BTreeMap;

use memtrace_common::{DropReason, StackEnd};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What every line has.
#[derive(serde::Serialize)]
pub(super) struct Line<Data> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) schema: u32,
    pub(super) data: Data,
}

#[derive(serde::Serialize)]
pub(super) struct BeginData<'a> {
    pub(super) version: &'a str,
    pub(super) kernel: &'a str,
    pub(super) argv: &'a [String],
}

#[derive(serde::Serialize)]
pub(super) struct WarningData<'a> {
    pub(super) elapsed_ns: u64,
    pub(super) pid: Option<u32>,
    pub(super) message: &'a str,
}

#[derive(serde::Serialize)]
pub(super) struct EndData<'a> {
    pub(super) elapsed_ns: u64,
    pub(super) snapshots: u64,
    pub(super) processes_seen: u64,
    pub(super) events: u64,
    pub(super) dropped: DroppedCounts<'a>,
}

/// Every reason, in the order of its number, 0 included: a reader need not know which ones exist.
pub(super) struct DroppedCounts<'a>(pub(super) &'a BTreeMap<DropReason, u64>);

impl Serialize for DroppedCounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(DropReason::ALL.len()))?;
        for reason in DropReason::ALL {
            map.serialize_entry(reason.name(), &self.0.get(&reason).copied().unwrap_or(0))?;
        }
        map.end()
    }
}

/// Every reason for which a walk along a stack ends, in the order of its number, 0 included.
pub(super) struct StackEndCounts<'a>(pub(super) &'a BTreeMap<StackEnd, u64>);

impl Serialize for StackEndCounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(StackEnd::ALL.len()))?;
        for end in StackEnd::ALL {
            map.serialize_entry(end.name(), &self.0.get(&end).copied().unwrap_or(0))?;
        }
        map.end()
    }
}
