use proptest::prelude::*;

use super::{LineFormat, LineTable};

fn lines(format: LineFormat, table: &[u8], first_line: i32, units: u32) -> Vec<Option<u32>> {
    let decoded = LineTable::decode(format, table, first_line, units);
    (0..units).map(|unit| decoded.line_at(unit)).collect()
}

#[test]
fn the_example_of_lnotab_notes_gives_its_lines() {
    // Offsets 0, 6, 50, 350, 361 are lines 1, 2, 7, 207, 208: the example in lnotab_notes.txt.
    let table = [6, 1, 44, 5, 255, 0, 45, 127, 0, 73, 11, 1];
    let got = lines(LineFormat::Lnotab, &table, 1, 200);
    assert_eq!((got[0], got[2], got[3]), (Some(1), Some(1), Some(2)));
    assert_eq!((got[24], got[25], got[174]), (Some(2), Some(7), Some(7)));
    assert_eq!((got[175], got[180], got[181], got[199]), (Some(207), Some(207), Some(208), Some(208)));
}

#[test]
fn an_empty_lnotab_leaves_all_code_on_the_first_line() {
    assert_eq!(lines(LineFormat::Lnotab, &[], 7, 2), [Some(7), Some(7)]);
}

#[test]
fn delta_pairs_keep_the_running_line_across_an_entry_without_one() {
    let table = [4, 1, 2, 128, 2, 0, 2, 255];
    assert_eq!(
        lines(LineFormat::DeltaPairs, &table, 10, 6),
        [Some(11), Some(11), None, Some(11), Some(10), None]
    );
}

#[test]
fn an_empty_delta_pair_moves_the_line_only() {
    assert_eq!(lines(LineFormat::DeltaPairs, &[0, 127, 2, 127], 1, 1), [Some(255)]);
}

#[test]
fn every_form_of_location_moves_the_line_as_cpython_says() {
    let entry = |code: u8, units: u8| 0x80 | code << 3 | (units - 1);
    let mut table = vec![entry(14, 1), 4, 0, 1, 1]; // long: +2
    table.extend([entry(0, 2), 0x12]); // short: +0
    table.extend([entry(11, 1), 4, 8]); // one line: +1
    table.extend([entry(15, 1)]); // none
    table.extend([entry(12, 1), 4, 8]); // one line: +2, counted from before the gap
    table.extend([entry(13, 1), 3]); // no columns: -1
    table.extend([entry(13, 1), 0x40, 0x40, 1]); // no columns: +(4096 >> 1)
    assert_eq!(
        lines(LineFormat::Locations, &table, 1, 9),
        [Some(3), Some(3), Some(3), Some(4), None, Some(6), Some(5), Some(2053), None]
    );
}

#[test]
fn a_location_table_cut_inside_an_entry_still_gives_what_came_before() {
    assert_eq!(
        lines(LineFormat::Locations, &[0x80 | 13 << 3, 2, 0x80 | 14 << 3], 1, 3),
        [Some(2), Some(2), None]
    );
}

#[test]
fn lines_of_zero_and_below_are_no_lines() {
    assert_eq!(lines(LineFormat::DeltaPairs, &[2, 255, 2, 255], 1, 2), [None, None]);
}

#[test]
fn neighbours_of_one_line_take_one_run() {
    let table = [2_u8, 0].repeat(1000);
    let decoded = LineTable::decode(LineFormat::DeltaPairs, &table, 5, 1000);
    assert_eq!((decoded.memory_bytes(), decoded.line_at(999)), (8, Some(5)));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_memory_stays_bounded(
        table in prop::collection::vec(any::<u8>(), 0..400),
        first_line in any::<i32>(),
        units in any::<u32>(),
        unit in any::<u32>(),
    ) {
        for format in [LineFormat::Lnotab, LineFormat::DeltaPairs, LineFormat::Locations] {
            let decoded = LineTable::decode(format, &table, first_line, units);
            prop_assert!(decoded.memory_bytes() <= 8 * (table.len() + 1));
            prop_assert!(decoded.runs.is_sorted_by(|left, right| left.start_units < right.start_units));
            if unit >= units {
                prop_assert_eq!(decoded.line_at(unit), None);
            }
            let _ = decoded.line_at(unit % 500);
        }
    }
}
