//! `co_lnotab`, Python 3.8 and 3.9 (Objects/lnotab_notes.txt, `PyCode_Addr2Line`).
//!
//! Pairs of an unsigned byte, how far the next line is, and a signed byte, how many lines it is further. The first
//! line is in force until the first pair, the last to the end of the code. A distance or a step that does not fit is
//! written as several pairs, of which one half is 0.

use super::Builder;

/// Decodes into `lines`.
pub(super) fn decode(table: &[u8], first_line: i64, lines: &mut Builder) {
    let mut line = first_line;
    let mut offset_bytes: u32 = 0;
    for pair in table.chunks_exact(2) {
        let (forward_bytes, forward_lines) = (pair[0], pair[1].cast_signed());
        offset_bytes = offset_bytes.saturating_add(u32::from(forward_bytes));
        lines.cover_to_byte(offset_bytes, Some(line));
        line += i64::from(forward_lines);
    }
    lines.cover_to(u32::MAX, Some(line));
}
