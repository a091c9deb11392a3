//! What a process has loaded into the kernel: its BPF programs and maps, by name.
//!
//! Descriptors say which are its own (`/proc/PID/fdinfo`), bpftool what they are called and what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command::capture;

/// A loaded program.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Program {
    pub(super) run_ns: u64,
    pub(super) runs: u64,
    pub(super) verified_instructions: u64,
}

/// The programs of a process by name, of which the kernel keeps 15 letters.
pub(super) fn programs_of(pid: u32) -> Result<BTreeMap<String, Program>> {
    let names = names(&bpftool(&["prog", "show", "--json"])?);
    let mut programs = BTreeMap::new();
    for info in descriptor_infos(pid)? {
        let Some(name) = field(&info, "prog_id:").and_then(|id| names.get(&id)) else { continue };
        // A link names its program too, but has not its figures.
        let Some(verified_instructions) = field(&info, "verified_insns:") else { continue };
        let program = Program {
            run_ns: field(&info, "run_time_ns:").unwrap_or(0),
            runs: field(&info, "run_cnt:").unwrap_or(0),
            verified_instructions,
        };
        programs.insert(name.clone(), program);
    }
    Ok(programs)
}

/// The maps of a process: id by name.
pub(super) fn maps_of(pid: u32) -> Result<BTreeMap<String, u64>> {
    let names = names(&bpftool(&["map", "show", "--json"])?);
    let ids = descriptor_infos(pid)?.into_iter().filter_map(|info| field(&info, "map_id:"));
    Ok(ids.filter_map(|id| Some((names.get(&id)?.clone(), id))).collect())
}

/// How many entries a map has.
pub(super) fn entries(id: u64) -> Result<usize> {
    let dump = bpftool(&["map", "dump", "id", &id.to_string(), "--json"])?;
    dump.as_array().map(Vec::len).context("bpftool prints no list")
}

fn bpftool(arguments: &[&str]) -> Result<Value> {
    let program = "/usr/sbin/bpftool";
    let output = capture(Command::new(program).args(arguments))
        .context("bpftool is needed here; try: apt-get install bpftool")?;
    serde_json::from_str(&output).context("bpftool prints something other than JSON")
}

fn names(listing: &Value) -> BTreeMap<u64, String> {
    let objects = listing.as_array().into_iter().flatten();
    objects.filter_map(|object| Some((object["id"].as_u64()?, object["name"].as_str()?.to_owned()))).collect()
}

fn descriptor_infos(pid: u32) -> Result<Vec<String>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo"))?;
    // A descriptor may be closed meanwhile.
    Ok(entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect())
}

fn field(info: &str, name: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}
