//! Looks at a process the way tracing does, and describes what it found.

use std::{collections::BTreeMap, io};

use memtrace_common::settings::PythonTarget;

use super::report::{AllocatorReport, MissingReport, ProcessReport, PythonReport, SiteReport};
use crate::{
    attach::{Inspection, Interpreter, Object, Objects, PythonObject, VersionEvidence, inspect},
    host::process,
    probe::{Missing, Site, Sites},
    targets::pid,
};

/// Looks at it.
///
/// # Errors
/// When it is gone.
pub(super) fn look(pid: u32) -> io::Result<ProcessReport> {
    let info = process::info(pid)?;
    let inspection = match inspect(&mut Objects::default(), pid) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Inspection::refused(&error),
        looked => looked?,
    };
    let objects = &inspection.objects;
    let mut notes = inspection.notes;
    if objects.is_empty() && notes.is_empty() {
        notes.push("no allocator is mapped (yet): there is nothing to trace".to_owned());
    }
    let mut allocators: Vec<AllocatorReport> = objects.iter().flat_map(|object| allocators(object)).collect();
    // The C library's first: it is always probed.
    allocators.sort_by_key(|allocator| allocator.domain);
    let python = objects.iter().find_map(|object| Some((object, object.python.as_ref()?)));
    Ok(ProcessReport {
        pid,
        comm: info.comm,
        exe: info.exe,
        is_readable: pid::check_readable(pid).is_ok(),
        allocators,
        python: python.map(|(object, python)| interpreter(object, python, inspection.interpreter.as_ref())),
        notes,
    })
}

fn allocators(object: &Object) -> Vec<AllocatorReport> {
    let libc = object.libc.as_ref().map(|sites| ("libc", sites));
    let python = object.python.as_ref().map(|python| ("pymalloc", &python.sites));
    let describe = |(domain, sites): (&'static str, &Sites)| AllocatorReport {
        domain,
        path: object.file.path.clone(),
        build_id: build_id(object),
        sites: sites.sites.iter().map(site).collect(),
        missing: missing(&sites.missing),
    };
    libc.into_iter().chain(python).map(describe).collect()
}

fn site(site: &Site) -> SiteReport {
    SiteReport {
        functions: site.names.clone(),
        offset_in_function: site.offset_in_function,
        file_offset: site.file_offset,
        instruction: site.instruction.clone(),
        execution: site.execution.to_string(),
    }
}

/// Functions with the same reason are told together.
fn missing(missing: &[Missing]) -> Vec<MissingReport> {
    let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for missing in missing {
        by_reason.entry(missing.reason.to_string()).or_default().push(missing.name.to_owned());
    }
    by_reason.into_iter().map(|(reason, functions)| MissingReport { functions, reason }).collect()
}

fn interpreter(object: &Object, python: &PythonObject, running: Option<&Interpreter>) -> PythonReport {
    let thread_state = match running.map(|interpreter| &interpreter.runtime) {
        Some(Ok(runtime)) => Ok(slot(&runtime.target)),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("where the interpreter is loaded cannot be told from the mappings".to_owned()),
    };
    PythonReport {
        path: object.file.path.clone(),
        build_id: build_id(object),
        version: python.version.ok().map(|version| version.to_string()),
        identified_by: match python.evidence {
            VersionEvidence::Symbol => "the symbol Py_Version",
            VersionEvidence::Name => "the file's name",
            VersionEvidence::Strings => "strings in the file",
        },
        thread_state,
    }
}

/// Where the pointer to a thread's state is, in the terms of the BPF program.
fn slot(target: &PythonTarget) -> String {
    // Musl keeps an array behind a pointer below the FS base, so the offset may be negative.
    let offset = target.thread_state_offset.cast_signed();
    let (sign, size) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    if target.thread_state_indirect == 1 {
        format!("[fs{sign}{size:#x}]+{:#x}", target.thread_state_index_offset)
    } else {
        format!("fs{sign}{size:#x}")
    }
}

fn build_id(object: &Object) -> Option<String> {
    let (_, id) = &object.identity;
    (!id.is_empty()).then(|| id.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::MissingReason;

    #[test]
    fn functions_without_a_site_are_told_by_reason() {
        let entry = |name, reason| Missing { name, reason };
        let listed = [
            entry("valloc", MissingReason::NotDefined),
            entry("malloc", MissingReason::LocalOnly),
            entry("cfree", MissingReason::NotDefined),
        ];
        let told: Vec<Vec<String>> = missing(&listed).into_iter().map(|it| it.functions).collect();
        assert_eq!(told, [vec!["valloc".to_owned(), "cfree".to_owned()], vec!["malloc".to_owned()]]);
    }

    #[test]
    fn a_slot_behind_a_pointer_is_shown_as_one() {
        let glibc = PythonTarget { thread_state_offset: 0x318, ..PythonTarget::default() };
        assert_eq!(slot(&glibc), "fs+0x318");
        let musl = PythonTarget {
            thread_state_offset: 0x80,
            thread_state_index_offset: 8,
            thread_state_indirect: 1,
            ..PythonTarget::default()
        };
        assert_eq!(slot(&musl), "[fs+0x80]+0x8");
    }

    #[test]
    fn this_process_has_a_libc_with_sites() {
        let report = look(std::process::id()).expect("it runs");
        assert!(report.is_readable && report.python.is_none());
        let libc =
            report.allocators.iter().find(|allocator| allocator.domain == "libc").expect("a C library");
        assert!(libc.sites.iter().any(|site| site.functions.iter().any(|name| name == "malloc")));
    }
}
