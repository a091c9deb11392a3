//! `--pid` and `--comm`: in, what the user typed; out, whether a process is wanted.
//!
//! A name is matched against the main thread's comm, which the kernel cuts to 15 bytes. A plain word is a prefix, so
//! `python` finds `python3.11`; with `*`, `?` or `[` it is a glob over the whole comm.

use std::{collections::BTreeSet, str::FromStr};

use globset::{GlobBuilder, GlobMatcher};
use thiserror::Error;

/// `TASK_COMM_LEN` less the NUL.
const COMM_BYTES: usize = 15;

/// A name that cannot be matched.
#[derive(Debug, Error)]
pub enum NameError {
    /// Nothing in it.
    #[error("a name cannot be empty; to trace every process give '*'")]
    Empty,
    /// Not a glob.
    #[error("{0}")]
    Glob(#[from] globset::Error),
}

/// One `--comm`.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    matcher: GlobMatcher,
}

impl FromStr for NamePattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let is_glob = text.contains(['*', '?', '[']);
        let glob = if is_glob { text.to_owned() } else { format!("{}*", globset::escape(cut(text))) };
        let matcher = GlobBuilder::new(&glob).literal_separator(false).build()?.compile_matcher();
        Ok(Self { text: text.to_owned(), matcher })
    }
}

/// A comm is never longer, so a longer word is matched by what the kernel keeps of it.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(COMM_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl NamePattern {
    /// As the user typed it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True when a comm matches.
    #[must_use]
    pub fn matches(&self, comm: &str) -> bool {
        self.matcher.is_match(comm)
    }
}

/// Everything asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `--pid`.
    pub pids: BTreeSet<u32>,
    /// `--comm`.
    pub names: Vec<NamePattern>,
}

impl Selection {
    /// True for a process that is wanted, whatever its name was before. memtrace itself never is.
    #[must_use]
    pub fn wants(&self, pid: u32, comm: &str) -> bool {
        pid != std::process::id() && (self.pids.contains(&pid) || self.wants_name(comm))
    }

    /// True for a name that is wanted.
    #[must_use]
    pub fn wants_name(&self, comm: &str) -> bool {
        self.names.iter().any(|name| name.matches(comm))
    }

    /// What is waited for, for people: `'python', 'gunicorn*'`.
    #[must_use]
    pub fn describe_names(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("'{}'", name.text())).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, comm: &str) -> bool {
        pattern.parse::<NamePattern>().expect("a pattern").matches(comm)
    }

    #[test]
    fn a_plain_word_is_a_prefix() {
        assert!(matches("python", "python3.11") && matches("python", "python"));
        assert!(!matches("python", "mypython"));
    }

    #[test]
    fn a_glob_is_matched_against_the_whole_comm() {
        assert!(matches("*worker?", "my-worker1") && !matches("worker", "my-worker1"));
        assert!(matches("[ab]c", "bc") && !matches("[ab]c", "bcd"));
    }

    #[test]
    fn a_word_longer_than_a_comm_is_cut_as_the_kernel_cuts_it() {
        assert!(matches("a-very-long-service-name", "a-very-long-ser"));
    }

    #[test]
    fn characters_of_a_plain_word_mean_themselves() {
        assert!(matches("a{b}", "a{b}c") && !matches("a{b}", "ab"));
        assert!(matches("kworker/0", "kworker/0:1"));
    }

    #[test]
    fn an_empty_name_and_a_broken_glob_are_refused() {
        assert!("".parse::<NamePattern>().is_err());
        assert!("[".parse::<NamePattern>().is_err());
    }

    #[test]
    fn memtrace_never_wants_itself() {
        let selection = Selection { pids: BTreeSet::new(), names: vec!["*".parse().expect("a glob")] };
        assert!(!selection.wants(std::process::id(), "memtrace"));
        assert!(selection.wants(1, "init"));
    }
}
