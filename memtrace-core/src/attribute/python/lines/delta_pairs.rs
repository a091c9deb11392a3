//! `co_linetable` of Python 3.10 (Objects/lnotab_notes.txt there, `advance` in Objects/codeobject.c).
//!
//! Pairs of an unsigned byte, how many bytes of code the entry covers, and a signed byte, how many lines it is after
//! the last entry that had one; -128 means that this entry has none, and leaves the running line alone.

use super::Builder;

const NO_LINE: i8 = -128;

/// Decodes into `lines`.
pub(super) fn decode(table: &[u8], first_line: i64, lines: &mut Builder) {
    let mut line = first_line;
    let mut end_bytes: u32 = 0;
    for pair in table.chunks_exact(2) {
        let (covered_bytes, forward_lines) = (pair[0], pair[1].cast_signed());
        end_bytes = end_bytes.saturating_add(u32::from(covered_bytes));
        if forward_lines == NO_LINE {
            lines.cover_to_byte(end_bytes, None);
        } else {
            line += i64::from(forward_lines);
            lines.cover_to_byte(end_bytes, Some(line));
        }
    }
}
