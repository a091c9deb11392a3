use memtrace_common::limits::{NATIVE_FRAMES, PYTHON_FRAMES};
use memtrace_common::record::{PythonFrame, Stack};
use memtrace_common::{Domain, StackEnd};
use proptest::prelude::*;

use super::encode::{StackParts, encode, encode_stack};
use super::*;

const ORIGIN: Origin = Origin { target: 7, thread: 4_000_000_000, domain: Domain::Pymalloc, window: 3 };

fn small_stack() -> Vec<u8> {
    encode_stack(&StackParts {
        target: 7,
        thread: 8,
        stack_id: 9,
        check: 10,
        python: &[PythonFrame { code: 11, instruction: u64::MAX }, PythonFrame { code: 13, instruction: 14 }],
        python_end: StackEnd::Truncated,
        native: &[15, 16, 17],
        native_end: StackEnd::Complete,
    })
}

#[test]
fn a_record_is_read_at_the_offsets_that_the_kernel_side_writes() {
    // Written out by hand: kind, domain, flags, thread, target, window, then five words.
    let mut bytes = vec![4, 2, 1, 0, 0xdd, 0xcc, 0xbb, 0xaa, 7, 0, 0, 0, 5, 0, 0, 0];
    for word in [0x10_u64, 0x20, 48, 99, 1_000] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    let expected = ReallocEnd {
        origin: Origin { target: 7, thread: 0xaabb_ccdd, domain: Domain::Pymalloc, window: 5 },
        old_address: 0x10,
        new_address: 0x20,
        size_bytes: 48,
        stack_id: 99,
        time_ns: 1_000,
        new_block_is_libc: true,
        rarity_log2: 0,
        is_unsampled: false,
    };
    assert_eq!(decode(&bytes), Ok(Event::ReallocEnded(expected)));
}

#[test]
fn a_stack_gives_the_frames_in_use_and_no_others() {
    let bytes = small_stack();
    let Ok(Event::Stack(stack)) = decode(&bytes) else { panic!("not a stack") };
    assert_eq!((stack.target, stack.thread, stack.stack_id, stack.check), (7, 8, 9, 10));
    assert_eq!(
        stack.python_frames().collect::<Vec<_>>(),
        [PythonFrame { code: 11, instruction: u64::MAX }, PythonFrame { code: 13, instruction: 14 }]
    );
    assert_eq!(stack.native_addresses().collect::<Vec<_>>(), [15, 16, 17]);
    assert!(stack.is_truncated());
}

#[test]
fn a_stack_that_claims_more_frames_than_a_record_holds_is_refused() {
    let mut bytes = small_stack();
    let at = core::mem::offset_of!(Stack, native_len);
    bytes[at..at + 2].copy_from_slice(&(NATIVE_FRAMES as u16 + 1).to_le_bytes());
    assert_eq!(decode(&bytes), Err(Malformed::FrameCount { python_frames: 2, native_frames: 129 }));
}

#[test]
fn a_stack_with_an_unknown_end_or_without_an_id_is_refused() {
    let mut bytes = small_stack();
    bytes[core::mem::offset_of!(Stack, native_end)] = 200;
    assert_eq!(decode(&bytes), Err(Malformed::StackEnd { end: 200 }));
    let mut bytes = small_stack();
    bytes[core::mem::offset_of!(Stack, stack_id)] = 0;
    assert_eq!(decode(&bytes), Err(Malformed::StackIdZero));
}

#[test]
fn a_record_one_byte_short_or_long_is_refused() {
    let bytes = encode(&Event::Freed(Free { origin: ORIGIN, address: 1 }));
    let refused =
        |found_bytes| Err(Malformed::Length { kind: RecordKind::Freed, expected_bytes: 24, found_bytes });
    assert_eq!(decode(&bytes[..23]), refused(23));
    assert_eq!(decode(&[bytes.as_slice(), &[0]].concat()), refused(25));
}

#[test]
fn unknown_kinds_and_domains_are_refused_with_their_number() {
    assert_eq!(decode(&[]), Err(Malformed::Empty));
    assert_eq!(decode(&[0; 24]), Err(Malformed::Kind { kind: 0 }));
    let mut bytes = encode(&Event::Freed(Free { origin: ORIGIN, address: 1 }));
    bytes[1] = 3;
    assert_eq!(decode(&bytes), Err(Malformed::Domain { domain: 3 }));
}

#[test]
fn a_comm_ends_at_its_first_nul_and_may_fill_its_field() {
    for comm in [&b"python3.11"[..], b"sixteen bytes ok", b"", b"\xff\xfe"] {
        let event = Event::Renamed { target: 0, task: 3, comm };
        assert_eq!(decode(&encode(&event)), Ok(event));
    }
}

fn origins() -> impl Strategy<Value = Origin> {
    (any::<u32>(), any::<u32>(), prop_oneof![Just(Domain::Libc), Just(Domain::Pymalloc)])
        .prop_map(|(target, thread, domain)| Origin { target, thread, domain, window: target ^ thread })
}

fn events() -> impl Strategy<Value = Event<'static>> {
    let comms = prop_oneof![Just(&b"python"[..]), Just(&b""[..]), Just(&b"0123456789abcdef"[..])];
    prop_oneof![
        (origins(), any::<[u64; 4]>()).prop_map(|(origin, [address, size_bytes, stack_id, time_ns])| {
            Event::Allocated(Allocation {
                origin,
                address,
                size_bytes,
                stack_id,
                time_ns,
                rarity_log2: time_ns as u8,
            })
        }),
        (origins(), any::<u64>()).prop_map(|(origin, address)| Event::Freed(Free { origin, address })),
        (origins(), any::<u64>())
            .prop_map(|(origin, address)| Event::ReallocBegun(ReallocBegin { origin, address })),
        (origins(), any::<[u64; 5]>(), any::<bool>()).prop_map(|(origin, words, new_block_is_libc)| {
            let [old_address, new_address, size_bytes, stack_id, time_ns] = words;
            Event::ReallocEnded(ReallocEnd {
                origin,
                old_address,
                new_address,
                size_bytes,
                stack_id,
                time_ns,
                new_block_is_libc,
                rarity_log2: time_ns as u8,
                is_unsampled: time_ns & 1 == 1,
            })
        }),
        (origins(), any::<u64>()).prop_map(|(origin, address)| Event::HandedOut(Free { origin, address })),
        (any::<[u32; 2]>(), any::<u64>()).prop_map(|([target, window], entries)| Event::OverAllowance {
            target,
            window,
            entries
        }),
        (any::<[u32; 3]>(), any::<bool>(), comms.clone()).prop_map(|(numbers, shares_memory, comm)| {
            let [target, parent, process] = numbers;
            Event::Forked { target, parent, process, shares_memory, comm }
        }),
        (any::<[u32; 2]>(), any::<bool>(), comms.clone()).prop_map(
            |([target, process], by_other_thread, comm)| Event::Executed {
                by_other_thread,
                target,
                process,
                comm
            }
        ),
        any::<[u32; 3]>().prop_map(|[target, process, thread]| Event::Exited { target, process, thread }),
        (any::<[u32; 2]>(), comms).prop_map(|([target, task], comm)| Event::Renamed { target, task, comm }),
    ]
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn any_bytes_of_the_right_kind_and_length_decode_or_are_refused(
        (kind, length_bytes) in prop_oneof![
            Just((1_u8, 48_usize)), Just((2, 24)), Just((3, 24)), Just((4, 56)), Just((5, size_of::<Stack>())),
            Just((6, 40)), Just((7, 40)), Just((8, 40)), Just((9, 40)), Just((10, 24)), Just((11, 24)),
        ],
        noise in proptest::collection::vec(any::<u8>(), size_of::<Stack>()),
    ) {
        let mut bytes = noise[..length_bytes].to_vec();
        bytes[0] = kind;
        if let Ok(Event::Stack(stack)) = decode(&bytes) {
            prop_assert!(stack.python_frames().len() <= PYTHON_FRAMES);
            prop_assert!(stack.native_addresses().len() <= NATIVE_FRAMES);
        }
    }

    #[test]
    fn an_encoded_event_decodes_to_itself(event in events()) {
        let bytes = encode(&event);
        prop_assert_eq!(decode(&bytes), Ok(event));
        let is_memory = bytes.len() != size_of::<record::Lifecycle>()
            && bytes[0] != RecordKind::OverAllowance as u8;
        prop_assert_eq!(event.detached(), is_memory.then_some(event));
    }

    #[test]
    fn an_encoded_stack_decodes_to_itself(
        python in proptest::collection::vec(any::<(u64, u64)>(), 0..=PYTHON_FRAMES),
        native in proptest::collection::vec(any::<u64>(), 0..=NATIVE_FRAMES),
        stack_id in 1_u64..,
        check in any::<u64>(),
    ) {
        let python: Vec<_> =
            python.into_iter().map(|(code, instruction)| PythonFrame { code, instruction }).collect();
        let bytes = encode_stack(&StackParts {
            target: 1,
            thread: 2,
            stack_id,
            check,
            python: &python,
            python_end: StackEnd::Absent,
            native: &native,
            native_end: StackEnd::NoFramePointer,
        });
        let Ok(Event::Stack(stack)) = decode(&bytes) else { return Err(TestCaseError::fail("not a stack")) };
        prop_assert_eq!((stack.stack_id, stack.check), (stack_id, check));
        prop_assert_eq!((stack.python_end, stack.native_end), (StackEnd::Absent, StackEnd::NoFramePointer));
        prop_assert_eq!(stack.python_frames().collect::<Vec<_>>(), python);
        prop_assert_eq!(stack.native_addresses().collect::<Vec<_>>(), native);
        prop_assert_eq!(encode(&Event::Stack(stack)), bytes);
    }
}
