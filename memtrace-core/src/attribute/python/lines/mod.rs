//! Line tables: which source line a code unit belongs to.
//!
//! In: the bytes of `co_lnotab` or `co_linetable`, the first line and the number of code units. Out: a [`LineTable`],
//! a sorted list of runs that is searched by halving. It refuses nothing: a table that ends in the middle of an entry
//! is read up to there, and a unit that no entry covers has no line.
//!
//! Invariant: runs are sorted, never empty and never longer than the code, so memory is bounded by the table's bytes.
//!
//! CPython has had three formats. All of them describe ranges `start <= offset < end` (`PyCodeAddressRange`,
//! Objects/codeobject.c; Objects/locations.md), and in all of them an entry without a line moves the offset but leaves
//! the running line as it is.

mod delta_pairs;
mod lnotab;
mod locations;

use super::version::PythonVersion;

/// How a line table is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineFormat {
    /// `co_lnotab`, to 3.9: pairs of (bytes forward, lines forward), where the offset comes first.
    Lnotab,
    /// `co_linetable` of 3.10: pairs of (bytes covered, lines forward), -128 for no line.
    DeltaPairs,
    /// `co_linetable` from 3.11 on: the location table.
    Locations,
}

impl LineFormat {
    /// The format that a version writes.
    #[must_use]
    pub const fn of(version: PythonVersion) -> Self {
        match version.minor {
            ..=9 => Self::Lnotab,
            10 => Self::DeltaPairs,
            11.. => Self::Locations,
        }
    }
}

/// A decoded line table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LineTable {
    runs: Box<[Run]>,
    end_units: u32,
}

/// A run of code units that belong to one line; it ends where the next one starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    start_units: u32,
    /// 0 for none.
    line: u32,
}

impl LineTable {
    /// Decodes a table. `code_units` is the length of the code, beyond which nothing has a line.
    #[must_use]
    pub fn decode(format: LineFormat, table: &[u8], first_line: i32, code_units: u32) -> Self {
        let mut builder = Builder { runs: Vec::new(), end_units: 0, code_units };
        let first_line = i64::from(first_line);
        match format {
            LineFormat::Lnotab => lnotab::decode(table, first_line, &mut builder),
            LineFormat::DeltaPairs => delta_pairs::decode(table, first_line, &mut builder),
            LineFormat::Locations => locations::decode(table, first_line, &mut builder),
        }
        Self { runs: builder.runs.into_boxed_slice(), end_units: builder.end_units }
    }

    /// The line of the code unit at this index, from 1. CPython gives some units line 0 (the `RESUME` of a module, from
    /// 3.11 on), and some none at all: both are `None`.
    #[must_use]
    pub fn line_at(&self, unit: u32) -> Option<u32> {
        if unit >= self.end_units {
            return None;
        }
        let after = self.runs.partition_point(|run| run.start_units <= unit);
        let run = self.runs.get(after.checked_sub(1)?)?;
        (run.line != 0).then_some(run.line)
    }

    /// Bytes that the table takes in memory, for the caller's budget.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.runs)
    }
}

/// Collects ranges in order and merges neighbours of the same line.
struct Builder {
    runs: Vec<Run>,
    end_units: u32,
    code_units: u32,
}

impl Builder {
    /// Appends the units up to `end_units`, which start where the last ones ended.
    fn cover_to(&mut self, end_units: u32, line: Option<i64>) {
        let end_units = end_units.min(self.code_units);
        if end_units <= self.end_units {
            return;
        }
        let line = line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
        if self.runs.last().is_none_or(|last| last.line != line) {
            self.runs.push(Run { start_units: self.end_units, line });
        }
        self.end_units = end_units;
    }

    /// Appends the units that start before this byte.
    fn cover_to_byte(&mut self, end_bytes: u32, line: Option<i64>) {
        self.cover_to(end_bytes.div_ceil(2), line);
    }
}

#[cfg(test)]
mod tests;
