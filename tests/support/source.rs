//! The sources of the programs of known truth, and the lines that they mark.

use std::fs;
use std::path::{Path, PathBuf};

/// `tests/programs/NAME`.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name)
}

/// The number of the one line of `name` that ends with `marker`.
pub(crate) fn line_of(name: &str, marker: &str) -> u32 {
    let path = path(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut marked = (1..).zip(text.lines()).filter(|(_, line)| line.ends_with(marker));
    let (line, _) = marked.next().unwrap_or_else(|| panic!("{name} marks no line `{marker}`"));
    assert!(marked.next().is_none(), "{name} marks two lines `{marker}`");
    line
}
