use memtrace_common::StackEnd;
use memtrace_common::record::ShortStack;

use super::*;
use crate::attribute::CodeRange;
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
    AddressSpace::new(vec![range(0x1000, 1, false), range(0x5000, 2, true)])
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
fn a_chain_without_frame_pointers_counts_as_truncated() {
    let stack = attributed(&[0x1010], StackEnd::NoFramePointer);
    assert!(stack.is_truncated);
    assert_eq!(stack.frames[1], FrameRef::Unknown { address: 0, reason: "no_frame_pointer" });
}
