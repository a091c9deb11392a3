use memtrace_common::StackEnd;
use memtrace_common::record::{ShortStack, Stack};
use memtrace_common::settings::PythonTarget;
use proptest::prelude::*;

use super::*;
use crate::attribute::python::{Offsets, PythonRuntime, PythonVersion};
use crate::decode::{Event, decode};
use crate::world::Unreadable;

struct Nothing;

impl MemoryReader for Nothing {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        Err(Unreadable { address, length: buffer.len() })
    }
}

fn space() -> AddressSpace {
    let range = |start, module, is_interpreter| CodeRange {
        start,
        end: start + 0x1000,
        file_offset: 0,
        module,
        is_interpreter,
    };
    AddressSpace::new(vec![
        range(0x1000, 1, false),
        range(0x5000, 2, true),
        range(0x7000, CodeRange::NO_MODULE, false),
    ])
}

fn attributed(native: &[u64], native_end: StackEnd) -> Attributed {
    let bytes = crate::decode::encode::encode_stack(&crate::decode::encode::StackParts {
        target: 1,
        thread: 1,
        stack_id: 7,
        check: 7,
        python: &[],
        python_end: StackEnd::Absent,
        native,
        native_end,
    });
    assert_eq!(bytes.len(), size_of::<ShortStack>());
    let Ok(Event::Stack(view)) = decode(&bytes) else { panic!("not a stack") };
    attribute(&view, &space(), None, &Nothing, &mut FunctionNames::default(), false)
}

#[test]
fn a_return_address_is_attributed_to_the_call_before_it() {
    let stack = attributed(&[0x1001, 0x2000], StackEnd::Complete);
    let expected = [FrameRef::Native { module: 1, offset: 0 }, FrameRef::Native { module: 1, offset: 0xfff }];
    assert_eq!(&*stack.frames, &expected);
    assert!(!stack.is_truncated);
}

#[test]
fn an_address_outside_all_code_ends_the_stack_and_is_no_frame() {
    let stack = attributed(&[0x1010, 0x9999, 0x1020], StackEnd::Complete);
    let end = FrameRef::Unknown { address: 0, reason: "no_frame_pointer" };
    assert_eq!(&*stack.frames, &[FrameRef::Native { module: 1, offset: 0xf }, end]);
    assert!(stack.led_astray && stack.is_truncated);
}

#[test]
fn the_first_address_is_kept_even_when_it_is_in_no_file() {
    let stack = attributed(&[0x9999, 0x1010], StackEnd::Complete);
    assert_eq!(stack.frames[0], FrameRef::Unknown { address: 0x9999, reason: "not_in_a_file" });
    assert_eq!(stack.frames.len(), 2);
}

#[test]
fn the_interpreter_s_frames_stay_when_there_are_no_python_frames_to_stand_for_them() {
    let stack = attributed(&[0x1010, 0x5010, 0x1020], StackEnd::Complete);
    assert_eq!(stack.frames.len(), 3);
}

#[test]
fn code_of_a_file_without_a_number_is_a_frame_without_a_name_and_ends_nothing() {
    let stack = attributed(&[0x7010, 0x1010], StackEnd::Complete);
    assert_eq!(stack.frames[0], FrameRef::Unknown { address: 0x7010, reason: "modules_full" });
    assert_eq!(stack.frames[1], FrameRef::Native { module: 1, offset: 0xf });
    assert!(!stack.is_truncated);
}

#[test]
fn a_chain_without_frame_pointers_counts_as_truncated() {
    let stack = attributed(&[0x1010], StackEnd::NoFramePointer);
    assert!(stack.is_truncated);
    assert_eq!(stack.frames[1], FrameRef::Unknown { address: 0, reason: "no_frame_pointer" });
}

/// Memory in which every word is one of a few, and some addresses are unmapped: type names that are right by chance,
/// pointers that lead in circles, sizes that are absurd.
struct Pool {
    words: Vec<u64>,
    seed: u64,
}

impl MemoryReader for Pool {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        for (index, byte) in buffer.iter_mut().enumerate() {
            let at = address.wrapping_add(index as u64);
            let mixed = ((at / 8) ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            if mixed.is_multiple_of(257) {
                return Err(Unreadable { address, length: buffer.len() });
            }
            let word = self.words[mixed as usize % self.words.len()];
            *byte = word.to_le_bytes()[(at % 8) as usize];
        }
        Ok(())
    }
}

fn hostile_word() -> impl Strategy<Value = u64> {
    let text = |text: &[u8; 8]| u64::from_le_bytes(*text);
    prop_oneof![
        Just(text(b"code\0\0\0\0")),
        Just(text(b"str\0\0\0\0\0")),
        Just(text(b"bytes\0\0\0")),
        Just(1_u64 << 28 | 1 << 27),
        0_u64..64,
        (0x1000_u64..0x6000).prop_map(|address| address & !7),
        Just(u64::MAX),
        any::<u64>(),
    ]
}

fn hostile_range() -> impl Strategy<Value = CodeRange> {
    let address = || prop_oneof![0x1000_u64..0x6000, any::<u64>()];
    (address(), address(), any::<u64>(), any::<u32>(), any::<bool>()).prop_map(
        |(start, end, file_offset, module, is_interpreter)| CodeRange {
            start,
            end,
            file_offset,
            module,
            is_interpreter,
        },
    )
}

fn interpreter(minor: u8) -> PythonCode {
    let version = PythonVersion { major: 3, minor };
    // Their offsets are in a table; 3.13 and later are read from the process.
    let offsets = Offsets::find(&Nothing, 0, version).expect("the table has this version");
    let target = PythonTarget { window: offsets.frame, ..PythonTarget::default() };
    PythonCode::new(PythonRuntime { version, address: 0x5000, target, offsets })
}

proptest! {
    /// Whatever the ring, the mappings and the target's memory hold: frames come out, and no more than went in.
    #[test]
    fn any_stack_of_any_memory_is_attributed(
        frames in proptest::collection::vec((hostile_word(), hostile_word()), 0..200),
        native in proptest::collection::vec(hostile_word(), 0..140),
        ends in (0_u8..9, 0_u8..9),
        ranges in proptest::collection::vec(hostile_range(), 0..6),
        words in proptest::collection::vec(hostile_word(), 1..8),
        (seed, minor, keeps_internal) in (any::<u64>(), 8_u8..13, any::<bool>()),
    ) {
        let mut bytes = vec![5_u8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([7_u64, 7].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend((frames.len() as u16).to_le_bytes());
        bytes.extend((native.len() as u16).to_le_bytes());
        bytes.extend([ends.0, ends.1, 0, 0]);
        bytes.extend(frames.iter().flat_map(|(code, at)| [code.to_le_bytes(), at.to_le_bytes()].concat()));
        bytes.resize(core::mem::offset_of!(Stack, native), 0);
        bytes.extend(native.iter().flat_map(|word| word.to_le_bytes()));
        bytes.resize(size_of::<Stack>(), 0xff);
        // Too many frames and ends that do not exist are decode's to refuse.
        let Ok(Event::Stack(view)) = decode(&bytes) else { return Ok(()) };
        let mut python = interpreter(minor);
        let memory = Pool { words, seed };
        let space = AddressSpace::new(ranges);
        let stack = attribute(
            &view, &space, Some(&mut python), &memory, &mut FunctionNames::default(), keeps_internal,
        );
        prop_assert!(!stack.frames.is_empty());
        prop_assert!(stack.frames.len() <= frames.len() + native.len() + 1);
        prop_assert!(stack.is_truncated || !view.python_end.is_truncated());
        python.forget_replaced(&memory);
    }
}
