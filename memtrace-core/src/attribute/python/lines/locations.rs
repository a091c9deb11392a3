//! `co_linetable` from Python 3.11 on: the location table (Objects/locations.md, `get_line_delta` and `advance` in
//! Objects/codeobject.c).
//!
//! An entry is a byte `1cccclll` and bytes with the top bit clear. `lll + 1` is how many code units it covers, `cccc`
//! what it holds. Columns and end lines are skipped: like CPython, the decoder goes to the next byte with the top bit
//! set.

use super::Builder;

const ENTRY_START: u8 = 0x80;
const ONE_LINE_FIRST: u8 = 10;
const ONE_LINE_LAST: u8 = 12;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;
const NO_LINE: u8 = 15;

/// A variable-length integer has 6 bits a byte. Five bytes hold every `int` delta of line numbers.
const VARINT_BYTES: usize = 5;

/// Decodes into `lines`.
pub(super) fn decode(table: &[u8], first_line: i64, lines: &mut Builder) {
    let mut line = first_line;
    let mut end_units: u32 = 0;
    let mut rest = table;
    while let Some((&head, after)) = rest.split_first() {
        let payload_length = after.iter().take_while(|byte| **byte & ENTRY_START == 0).count();
        let (payload, next) = after.split_at(payload_length);
        rest = next;
        if head & ENTRY_START == 0 {
            continue; // Only before the first entry of a malformed table.
        }
        end_units = end_units.saturating_add(u32::from(head & 7) + 1);
        let code = (head >> 3) & 15;
        line += line_delta(code, payload);
        lines.cover_to(end_units, (code != NO_LINE).then_some(line));
    }
}

/// Lines forward. Short forms (0 to 9) stay on the line.
fn line_delta(code: u8, payload: &[u8]) -> i64 {
    match code {
        ONE_LINE_FIRST..=ONE_LINE_LAST => i64::from(code - ONE_LINE_FIRST),
        NO_COLUMNS | LONG => signed(varint(payload)),
        _ => 0,
    }
}

/// Little end first, bit 6 says that more follows.
fn varint(bytes: &[u8]) -> u32 {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(VARINT_BYTES).enumerate() {
        value |= u32::from(byte & 0x3F) << (6 * index);
        if byte & 0x40 == 0 {
            break;
        }
    }
    value
}

/// The sign is the lowest bit.
fn signed(value: u32) -> i64 {
    let magnitude = i64::from(value >> 1);
    if value & 1 == 0 { magnitude } else { -magnitude }
}
