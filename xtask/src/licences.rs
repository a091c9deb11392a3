//! The licences of everything that memtrace is linked with.
//!
//! In: `cargo metadata` of the workspace and of memtrace-ebpf. Out: success, or each package whose licence the list
//! below does not allow. Refuses a package that states none, and an expression that it cannot read.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command;
use crate::workspace::Workspace;

/// Licences that a program under "MIT or Apache-2.0" can be distributed with, by SPDX identifier.
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const MANIFESTS: [&str; 2] = ["Cargo.toml", "memtrace-ebpf/Cargo.toml"];

/// Checks every package that a build for this system takes in.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    command::announce("checking the licences of all dependencies");
    let mut complaints = Vec::new();
    for manifest in MANIFESTS {
        let mut cargo = Command::new("cargo");
        cargo.args(["metadata", "--format-version", "1", "--locked"]);
        cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu", "--manifest-path", manifest]);
        let text = command::capture(cargo.current_dir(workspace.root()))?;
        let metadata: Value = serde_json::from_str(&text)?;
        let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
        complaints.extend(packages.iter().filter_map(complaint));
    }
    if !complaints.is_empty() {
        bail!("{}; allowed are those that xtask/src/licences.rs lists", complaints.join("; "));
    }
    Ok(())
}

fn complaint(package: &Value) -> Option<String> {
    let name = package["name"].as_str().unwrap_or("a package without a name");
    let Some(licence) = package["license"].as_str() else { return Some(format!("{name} states no licence")) };
    (!is_allowed(licence)).then(|| format!("{name} is under \"{licence}\""))
}

/// Whether an SPDX expression leaves a choice that is allowed. OR binds less than AND; `/` is an old form of OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let verdict = any_of(&mut words);
    verdict == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>) -> Option<bool> {
    let mut allowed = all_of(words)?;
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all_of(words)?;
    }
    Some(allowed)
}

fn all_of(words: &mut Words<'_>) -> Option<bool> {
    let mut allowed = one(words)?;
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words)?;
    }
    Some(allowed)
}

fn one(words: &mut Words<'_>) -> Option<bool> {
    let first = words.next()?;
    if first == "(" {
        let allowed = any_of(words)?;
        return (words.next()? == ")").then_some(allowed);
    }
    if words.next_if_eq(&"WITH").is_none() {
        return Some(ALLOWED.contains(&first));
    }
    let exception = words.next()?;
    Some(ALLOWED.contains(&format!("{first} WITH {exception}").as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_choice_is_enough() {
        assert!(is_allowed("GPL-3.0-only OR MIT"));
        assert!(is_allowed("Apache-2.0/MIT"));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only"));
    }

    #[test]
    fn every_part_of_a_combination_must_be_allowed() {
        assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!is_allowed("MIT AND GPL-3.0-only"));
        assert!(!is_allowed("(MIT OR Apache-2.0) AND CDDL-1.0"));
    }

    #[test]
    fn and_binds_more_than_or() {
        assert!(is_allowed("MIT OR GPL-3.0-only AND CDDL-1.0"));
        assert!(!is_allowed("LGPL-2.1-only OR GPL-3.0-only AND MIT"));
    }

    #[test]
    fn what_cannot_be_read_is_not_allowed() {
        for expression in
            ["", "(MIT", "MIT)", "MIT OR", "MIT Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"]
        {
            assert!(!is_allowed(expression), "{expression}");
        }
    }

    #[test]
    fn a_package_without_a_licence_is_named() {
        let package = serde_json::json!({"name": "mystery", "license": null});
        assert_eq!(complaint(&package).expect("a complaint"), "mystery states no licence");
    }
}
