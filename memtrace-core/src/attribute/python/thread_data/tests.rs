use super::super::image::Image;
use super::{PythonError, Slot, ThreadState, find};

const MAIN: u64 = 0x7100_0000;
/// Near the end of a page, and its mapping ends with the control block.
const SECOND: u64 = 0x7200_0700;
const STATES: [u64; 2] = [0x7300_0000, 0x7300_1000];

fn state(address: u64, thread_id: u64) -> ThreadState {
    ThreadState { address, thread_id, native_thread_id: None }
}

fn states() -> [ThreadState; 2] {
    [state(STATES[0], MAIN), state(STATES[1], SECOND)]
}

fn image() -> Image {
    let mut image = Image::default();
    image.put_zeros(MAIN, 4096);
    image.put_zeros(SECOND, 2304);
    image.put_word(MAIN, MAIN);
    image.put_word(SECOND, SECOND);
    image
}

#[test]
fn glibc_keeps_the_first_keys_in_the_control_block() {
    let mut image = image();
    image.put_word(MAIN + 0x310 + 24, STATES[0]);
    image.put_word(SECOND + 0x310 + 24, STATES[1]);
    assert_eq!(find(&image, &states(), Some(1)), Ok(Slot::Direct { offset: 0x328 }));
    assert_eq!(find(&image, &states(), None), Ok(Slot::Direct { offset: 0x328 }));
}

#[test]
fn the_key_decides_between_pythons_slot_and_an_extensions() {
    let mut image = image();
    for slot in [0x328, 0x348] {
        image.put_word(MAIN + slot, STATES[0]);
        image.put_word(SECOND + slot, STATES[1]);
    }
    assert_eq!(find(&image, &states(), Some(3)), Ok(Slot::Direct { offset: 0x348 }));
    assert_eq!(find(&image, &states(), None), Err(PythonError::ThreadStateAmbiguous { places: 2 }));
}

#[test]
fn glibc_keeps_later_keys_in_blocks() {
    let mut image = image();
    for (base, block, state) in [(MAIN, 0x7400_0000, STATES[0]), (SECOND, 0x7500_0000, STATES[1])] {
        image.put_word(base + 0x510 + 8, block);
        image.put_word(block + 16 + 8, state);
    }
    assert_eq!(find(&image, &states(), Some(33)), Ok(Slot::Indirect { offset: 0x518, index_offset: 24 }));
}

#[test]
fn musl_keeps_keys_in_an_array() {
    let mut image = image();
    // The array of a thread that is not the main one lies right behind its control block.
    for (base, array, state) in [(MAIN, 0x7400_0000, STATES[0]), (SECOND, SECOND + 0x100, STATES[1])] {
        image.put_word(base + 0x80, array);
        image.put_word(array + 8, state);
    }
    assert_eq!(find(&image, &states(), Some(1)), Ok(Slot::Indirect { offset: 0x80, index_offset: 8 }));
}

#[test]
fn a_thread_that_has_not_started_does_not_hide_the_others() {
    let mut image = image();
    image.put_word(MAIN + 0x318, STATES[0]);
    let states = [state(STATES[0], MAIN), state(STATES[1], 0), state(0x7300_2000, MAIN)];
    assert_eq!(find(&image, &states, Some(0)), Ok(Slot::Direct { offset: 0x318 }));
}

#[test]
fn absence_is_told_with_the_number_of_threads() {
    assert_eq!(find(&image(), &states(), Some(0)), Err(PythonError::ThreadStateNotFound { threads: 2 }));
    let forged = [state(STATES[0], u64::MAX), state(STATES[0], MAIN + 8)];
    assert_eq!(find(&image(), &forged, Some(1023)), Err(PythonError::ThreadStateNotFound { threads: 0 }));
}
