//! `cargo xtask tidy`: rules about the source that no compiler knows.
//!
//! In: every .rs file of the checkout. Out: success, or a line per breach with file and line. The rules:
//! a stage of memtrace-core imports nothing to its right (it names it by `crate::`, the house's form), tests and their
//! fixtures apart; no file is longer than 400 lines, tables marked `@generated` apart; nothing is left unwritten and
//! no test is left out.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::command;
use crate::workspace::Workspace;

const LINES_MAX: usize = 400;

/// The stages in the order in which data flows. Those in one group may not see each other either.
const STAGES: [&[&str]; 5] =
    [&["decode"], &["attribute"], &["aggregate"], &["detect"], &["render", "export"]];

/// Shared by all stages, so they may not depend on any.
const FOUNDATIONS: [&str; 3] = ["model", "limits", "world"];

/// In pieces, so that this file passes its own check.
const UNFINISHED: [&str; 3] =
    [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("#[", "ignore")];

/// Checks every source file.
pub(crate) fn tidy(workspace: &Workspace) -> Result<()> {
    command::announce("checking layers, file lengths and unfinished code");
    let mut breaches = Vec::new();
    let mut files_read = 0;
    visit(workspace.root(), &mut |path, text| {
        let relative = path.strip_prefix(workspace.root()).unwrap_or(path);
        breaches.extend(breaches_in(&relative.to_string_lossy(), text));
        files_read += 1;
    })?;
    if files_read == 0 {
        bail!("found no source files in {}", workspace.root().display());
    }
    if !breaches.is_empty() {
        bail!("{} breaches:\n  {}", breaches.len(), breaches.join("\n  "));
    }
    Ok(())
}

/// Calls `look` with every .rs file below `directory`, build output and hidden directories left out.
fn visit(directory: &Path, look: &mut impl FnMut(&Path, &str)) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if entry.file_type()?.is_dir() {
            if !is_hidden && name != "target" {
                visit(&path, look)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path, &fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

fn breaches_in(path: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let lines = text.lines().count();
    let is_generated = text.lines().take(5).any(|line| line.starts_with("//") && line.contains("@generated"));
    if lines > LINES_MAX && !is_generated {
        breaches.push(format!("{path}: {lines} lines, {LINES_MAX} are the most"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        for word in UNFINISHED {
            if line.contains(word) {
                breaches.push(format!("{path}:{number}: `{word}`: finish it, or leave it out"));
            }
        }
    }
    if let Some(stage) = stage_of(path) {
        for (offset, import) in crate_imports(shipped_part(path, text)) {
            if !may_import(stage, import) {
                let number = text[..offset].lines().count().max(1);
                breaches
                    .push(format!("{path}:{number}: `{stage}` imports `{import}`, which is not to its left"));
            }
        }
    }
    breaches
}

/// The stage or foundation that a file of memtrace-core belongs to.
fn stage_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("memtrace-core/src/")?;
    let name = inside.split(['/', '.']).next()?;
    (place_of(name).is_some() || FOUNDATIONS.contains(&name)).then_some(name)
}

/// What goes into the program: tests may use other stages, to make their input or to read their output.
fn shipped_part<'a>(path: &str, text: &'a str) -> &'a str {
    if path.split('/').any(|part| ["tests", "tests.rs", "fixtures.rs"].contains(&part)) {
        return "";
    }
    text.find("#[cfg(test)]\nmod tests {").map_or(text, |tests| &text[..tests])
}

fn place_of(name: &str) -> Option<usize> {
    STAGES.iter().position(|group| group.contains(&name))
}

fn may_import(stage: &str, import: &str) -> bool {
    match (place_of(stage), place_of(import)) {
        _ if stage == import => true,
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(own), Some(other)) => other < own,
    }
}

/// Every module that the text names through `crate::`, also in braces, with its byte offset.
fn crate_imports(text: &str) -> Vec<(usize, &str)> {
    let mut imports = Vec::new();
    for (offset, path) in text.match_indices("crate::") {
        let start = offset + path.len();
        match text[start..].strip_prefix('{') {
            Some(group) => imports.extend(heads_of_group(group).into_iter().map(|name| (offset, name))),
            None => imports.push((offset, identifier(&text[start..]))),
        }
    }
    imports
}

/// The first names of the paths in `a::{b, c}, d}`: `a` and `d`.
fn heads_of_group(group: &str) -> Vec<&str> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut expects_head = true;
    for (offset, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_head = true,
            _ if expects_head && depth == 0 && !character.is_whitespace() => {
                heads.push(identifier(&group[offset..]));
                expects_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_may_look_left_and_at_the_foundations() {
        let text =
            "use crate::decode::Event;\nuse crate::{attribute::Site, limits, model::{Frame, Snapshot}};\n";
        assert!(breaches_in("memtrace-core/src/aggregate/ledger.rs", text).is_empty());
    }

    #[test]
    fn a_stage_that_looks_right_is_named_with_the_line() {
        let text = "//! Decodes.\nuse std::fmt;\n\nuse crate::aggregate::Ledger;\n";
        let breaches = breaches_in("memtrace-core/src/decode/mod.rs", text);
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        assert!(breaches[0].starts_with("memtrace-core/src/decode/mod.rs:4: `decode` imports `aggregate`"));
    }

    #[test]
    fn an_import_hidden_in_braces_is_found() {
        let text = "use crate::{\n    model::{self, render},\n    render::table,\n};\n";
        let breaches = breaches_in("memtrace-core/src/attribute/site.rs", text);
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        assert!(breaches[0].contains("`render`"));
    }

    #[test]
    fn tests_may_use_any_stage() {
        let text = "#[cfg(test)]\nmod tests {\n    use crate::render::fixtures::native;\n}\n";
        assert!(breaches_in("memtrace-core/src/export/site_id.rs", text).is_empty());
        assert!(breaches_in("memtrace-core/src/export/metrics/tests.rs", "use crate::render::x;").is_empty());
        assert_eq!(breaches_in("memtrace-core/src/export/site_id.rs", "use crate::render::x;").len(), 1);
    }

    #[test]
    fn the_last_two_stages_do_not_see_each_other() {
        assert!(!may_import("render", "export"));
        assert!(!may_import("export", "render"));
        assert!(may_import("export", "detect"));
    }

    #[test]
    fn foundations_depend_on_no_stage() {
        assert!(!may_import("model", "decode"));
        assert!(may_import("world", "model"));
    }

    #[test]
    fn other_crates_have_no_stages() {
        assert!(breaches_in("memtrace/src/decode.rs", "use crate::render::x;").is_empty());
    }

    #[test]
    fn only_generated_files_may_be_long() {
        let long = "//\n".repeat(LINES_MAX + 1);
        assert_eq!(breaches_in("xtask/src/a.rs", &long).len(), 1);
        assert!(breaches_in("xtask/src/a.rs", &format!("// @generated by a script\n{long}")).is_empty());
        assert!(breaches_in("xtask/src/a.rs", &"//\n".repeat(LINES_MAX)).is_empty());
    }

    #[test]
    fn unfinished_code_and_tests_left_out_are_found() {
        for word in UNFINISHED {
            assert_eq!(breaches_in("memtrace/src/a.rs", word).len(), 1, "{word}");
        }
    }
}
