use proptest::prelude::*;

use super::{Instructions, PythonError, PythonVersion, TABLE_BYTES, VersionError, parse};

const VERSION: PythonVersion = PythonVersion { major: 3, minor: 13 };

/// The table of 3.13.0, as far as it is used.
fn table() -> [u8; TABLE_BYTES] {
    let mut bytes = [0; TABLE_BYTES];
    bytes[..8].copy_from_slice(b"xdebugpy");
    for (at, number) in [
        (8, 0x030D_00F0_u64),
        (40, 632),
        (64, 7264),
        (72, 7344),
        (152, 304),
        (168, 8),
        (184, 72),
        (192, 152),
        (200, 160),
        (224, 88),
        (232, 8),
        (240, 0),
        (248, 56),
        (264, 70),
        (272, 208),
        (280, 112),
        (296, 128),
        (304, 136),
        (312, 68),
        (344, 200),
        (360, 8),
        (376, 24),
        (392, 168),
        (520, 16),
        (528, 32),
        (544, 32),
        (552, 16),
        (560, 40),
    ] {
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn table_with(at: usize, number: u64) -> [u8; TABLE_BYTES] {
    let mut bytes = table();
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn the_table_of_3_13_gives_its_offsets() {
    let offsets = parse(&table(), VERSION).unwrap();
    assert_eq!((offsets.runtime.interpreters_head, offsets.runtime.threads_head), (632, 7344));
    assert_eq!((offsets.thread.frame, offsets.thread.cframe, offsets.frame.owner), (72, None, 70));
    assert_eq!(offsets.code.instructions, Instructions::Inline(200));
    assert_eq!((offsets.ascii_text, offsets.compact_text), (40, 56));
}

#[test]
fn a_free_threaded_build_is_told_from_a_broken_table() {
    assert_eq!(parse(&table_with(16, 1), VERSION), Err(VersionError::FreeThreaded(VERSION).into()));
    assert_eq!(
        parse(&table_with(16, 2), VERSION),
        Err(PythonError::BadDebugOffsets { field: "free_threaded" })
    );
}

#[test]
fn a_table_of_another_version_is_refused() {
    assert_eq!(parse(&table_with(8, 0x030E_00F0), VERSION), Err(VersionError::Contradictory.into()));
    assert_eq!(parse(&table_with(8, 0x030D_00A3), VERSION), Err(VersionError::PreRelease(VERSION).into()));
    assert_eq!(parse(&table_with(0, 0), VERSION), Err(PythonError::BadDebugOffsets { field: "cookie" }));
}

#[test]
fn forged_offsets_are_refused_by_name() {
    for (at, number, field) in [
        (40, 1 << 40, "interpreters.head"),
        (64, 7, "interpreter.next"),
        (152, 1 << 20, "thread_state.size"),
        (184, 304, "thread_state.current_frame"),
        (192, u64::MAX, "thread_state.thread_id"),
        (232, 16, "interpreter_frame.previous"),
        (264, 3, "interpreter_frame.owner"),
        (344, 208, "code_object.co_code_adaptive"),
        (544, 0, "str.state"),
        (560, 0, "unicode_object.asciiobject_size"),
    ] {
        assert_eq!(parse(&table_with(at, number), VERSION), Err(PythonError::BadDebugOffsets { field }));
    }
}

proptest! {
    #[test]
    fn any_forged_number_gives_small_offsets_or_an_error(at in 3_usize..80, number in any::<u64>(), shift in 0_u32..64) {
        if let Ok(offsets) = parse(&table_with(8 * at, number >> shift), VERSION) {
            prop_assert!(offsets.runtime.interpreters_head < 1 << 20);
            prop_assert!(offsets.runtime.threads_head < 1 << 20);
            prop_assert!(offsets.code.header_bytes() <= 4096 + 8);
        }
    }
}
