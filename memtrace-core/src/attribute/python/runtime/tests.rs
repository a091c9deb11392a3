use super::super::image::Image;
use super::{PythonError, inspect};
use crate::attribute::python::version::PythonVersion;

const RUNTIME: u64 = 0x5000_0000;
const INTERPRETER: u64 = 0x5100_0000;
const STATE: u64 = 0x5200_0000;
const BASE: u64 = 0x5300_0000;
const VERSION: PythonVersion = PythonVersion { major: 3, minor: 9 };

/// A running 3.9: one thread, in Python, under key 2.
fn image() -> Image {
    let mut image = Image::default();
    image.put_zeros(RUNTIME, 656);
    image.put_word(RUNTIME + 32, INTERPRETER);
    image.put_word(RUNTIME + 584, 2 << 32 | 1);
    image.put_zeros(INTERPRETER, 16);
    image.put_word(INTERPRETER + 8, STATE);
    image.put_zeros(STATE, 264);
    image.put_word(STATE + 24, 0x5400_0000);
    image.put_word(STATE + 176, BASE);
    image.put_zeros(BASE, 2368);
    image.put_word(BASE, BASE);
    image.put_zeros(BASE + 2368, 1728);
    image.put_word(BASE + 0x338, STATE);
    image
}

#[test]
fn a_running_interpreter_gives_what_the_bpf_program_needs() {
    let target = inspect(&image(), RUNTIME, VERSION).unwrap().target;
    assert_eq!((target.thread_state_offset, target.thread_state_indirect), (0x338, 0));
    assert_eq!((target.frame_offset, target.cframe_offset, target.window.instruction), (24, u16::MAX, 80));
}

#[test]
fn a_starting_interpreter_is_not_ready() {
    for (at, word) in [(RUNTIME + 32, 0), (INTERPRETER + 8, 0), (STATE + 176, 0)] {
        let mut image = image();
        image.put_word(at, word);
        image.put_word(STATE + 24, 0);
        assert_eq!(inspect(&image, RUNTIME, VERSION), Err(PythonError::NotReady), "{at:#x}");
    }
    let mut image = image();
    image.put_word(BASE + 0x338, 0);
    image.put_word(RUNTIME + 584, 0);
    assert_eq!(inspect(&image, RUNTIME, VERSION), Err(PythonError::NotReady));
}

#[test]
fn a_running_interpreter_without_the_pointer_is_refused_for_good() {
    let mut image = image();
    image.put_word(BASE + 0x338, 0);
    let error = inspect(&image, RUNTIME, VERSION).unwrap_err();
    assert_eq!(error, PythonError::ThreadStateNotFound { threads: 1 });
    assert!(!error.is_temporary());
}

#[test]
fn lists_that_turn_in_circles_end() {
    let mut image = image();
    image.put_word(INTERPRETER, INTERPRETER);
    image.put_word(STATE + 8, STATE);
    assert!(inspect(&image, RUNTIME, VERSION).is_ok());
}

#[test]
fn an_address_that_is_not_mapped_is_unreadable() {
    assert!(matches!(inspect(&Image::default(), RUNTIME, VERSION), Err(PythonError::Unreadable(_))));
}
