use memtrace_common::settings::PythonTarget;
use proptest::prelude::*;

use super::super::image::{CODE_TYPE, Image, STRING_TYPE, TEXT_OFFSETS};
use super::super::version::PythonVersion;
use super::{CodeError, PythonRuntime, read_code};

const CODE: u64 = 0x7000_0000;
const FUNCTION: u64 = 0x7000_1000;
const FILE: u64 = 0x7000_2000;
const LINES: u64 = 0x7000_3000;
const RUNTIME: PythonRuntime = PythonRuntime {
    version: PythonVersion { major: 3, minor: 12 },
    address: 0x5000_0000,
    target: PythonTarget {
        thread_state_offset: 0,
        thread_state_index_offset: 0,
        thread_state_indirect: 0,
        window: memtrace_common::settings::FrameWindow::interpreter_3_12(70),
        reserved: 0,
        frame_offset: 56,
        cframe_offset: 0,
        generation: 0,
    },
    offsets: TEXT_OFFSETS,
};

/// `def помощь` at line 10 of three units: two on line 11, one on line 12.
fn image() -> Image {
    let mut image = Image::default();
    image.put_zeros(CODE, 200);
    image.put_word(CODE + 8, CODE_TYPE);
    image.put_word(CODE + 16, 3);
    image.put(CODE + 68, &10_u32.to_le_bytes());
    image.put(CODE + 92, &77_u32.to_le_bytes());
    image.put_word(CODE + 112, FILE);
    image.put_word(CODE + 128, FUNCTION);
    image.put_word(CODE + 136, LINES);
    image.put_string(FUNCTION, "Shop.помощь");
    image.put_string(FILE, "/srv/app.py");
    image.put_bytes(LINES, &[0x80 | 13 << 3 | 1, 2, 0x80 | 13 << 3, 2]);
    image
}

#[test]
fn a_code_object_gives_its_names_and_lines() {
    let code = read_code(&image(), &RUNTIME, CODE).unwrap();
    assert_eq!((&*code.function, &*code.file, code.first_line), ("Shop.помощь", "/srv/app.py", 10));
    let start = CODE + 192;
    let lines = [start - 2, start, start + 2, start + 4, start + 6].map(|at| code.line_of(at));
    assert_eq!(lines, [Some(10), Some(11), Some(11), Some(12), None]);
    assert_eq!([0, start - 4, u64::MAX].map(|at| code.line_of(at)), [None; 3]);
}

#[test]
fn frame_objects_count_bytes_and_then_units() {
    let mut image = image();
    image.put_bytes(LINES + 0x1000, &[0; 8]);
    image.put_bytes(LINES, &[4, 1]);
    image.put_word(CODE + 48, LINES + 0x1000);
    let mut runtime = RUNTIME;
    runtime.offsets.code.instructions = super::Instructions::Bytes(48);
    for (minor, last_units) in [(9, 6), (10, 3)] {
        runtime.version.minor = minor;
        let code = read_code(&image, &runtime, CODE).unwrap();
        let lines = [-1, 0, last_units, last_units + 2, -3].map(|at: i64| code.line_of(at.cast_unsigned()));
        let last = if minor == 9 { Some(11) } else { None };
        let first = if minor == 9 { Some(10) } else { Some(11) };
        assert_eq!(lines, [Some(10), first, last, None, None], "3.{minor}");
    }
}

#[test]
fn another_object_at_the_address_is_not_a_code_object() {
    let mut image = image();
    image.put_word(CODE + 8, STRING_TYPE);
    assert_eq!(read_code(&image, &RUNTIME, CODE), Err(CodeError::NotCode { address: CODE }));
    image.put_word(CODE + 8, 3);
    assert_eq!(read_code(&image, &RUNTIME, CODE), Err(CodeError::NotCode { address: CODE }));
}

#[test]
fn an_address_that_is_none_is_unreadable() {
    for address in [0, 1, CODE + 1, 1 << 47, u64::MAX, CODE - 0x1000] {
        assert!(matches!(read_code(&image(), &RUNTIME, address), Err(CodeError::Unreadable(_))));
    }
}

#[test]
fn a_name_that_is_no_string_is_refused() {
    let mut image = image();
    image.put_word(CODE + 128, LINES);
    assert_eq!(
        read_code(&image, &RUNTIME, CODE),
        Err(CodeError::WrongType { address: LINES, expected: "str" })
    );
}

#[test]
fn a_line_table_over_the_limit_costs_the_lines_only() {
    let mut image = image();
    image.put_word(LINES + 16, 1 << 40);
    let code = read_code(&image, &RUNTIME, CODE).unwrap();
    assert_eq!((&*code.function, code.line_of(CODE + 192)), ("Shop.помощь", None));
}

#[test]
fn a_code_object_that_took_the_place_of_another_is_noticed() {
    let mut image = image();
    let identity = read_code(&image, &RUNTIME, CODE).unwrap().identity;
    assert!(identity.still_same(&image, &RUNTIME));
    for (at, word) in [(CODE + 16, 4), (CODE + 92, 78), (CODE + 112, LINES), (FUNCTION + 24, 1)] {
        let old = crate::world::MemoryReader::read_u64(&image, at).unwrap();
        image.put_word(at, word);
        assert!(!identity.still_same(&image, &RUNTIME), "{at:#x}");
        image.put_word(at, old);
    }
    assert!(!identity.still_same(&Image::default(), &RUNTIME));
}

proptest! {
    #[test]
    fn no_bytes_of_a_code_object_panic(words in any::<[u64; 25]>(), keep in any::<u32>(), instruction in any::<u64>()) {
        let mut image = image();
        for (index, word) in words.iter().enumerate() {
            if keep >> index & 1 == 0 {
                image.put_word(CODE + 8 * index as u64, *word);
            }
        }
        if let Ok(code) = read_code(&image, &RUNTIME, CODE) {
            let _ = code.line_of(instruction);
        }
    }
}
