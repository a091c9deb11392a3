//! Hand-assembled functions, each with the reason for every verdict; the beginnings of real ones; and any bytes.

use proptest::prelude::*;

use super::*;
use Rejection::{ArgumentOverwritten, InLoop, NotAlwaysReached, StackChanged, Stepped, Undecodable};

const ENTRY: u64 = 0x4_0000;

fn choose_in(bytes: &[u8], call: Call) -> Result<Choice, NoSite> {
    choose(&Body { bytes, vaddr: ENTRY, is_whole: true }, call)
}

type Verdicts = (Option<(u64, Execution)>, Vec<(u64, Rejection)>);

/// What was chosen, and the reasons in the order of the instructions.
fn verdicts(bytes: &[u8], call: Call) -> Verdicts {
    let reasons = |rejected: Vec<Rejected>| rejected.into_iter().map(|it| (it.offset, it.reason)).collect();
    match choose_in(bytes, call) {
        Ok(choice) => (Some((choice.offset, choice.execution)), reasons(choice.rejected)),
        Err(no_site) => (None, reasons(no_site.rejected)),
    }
}

fn emulated(offset: u64) -> Option<(u64, Execution)> {
    Some((offset, Execution::Emulated))
}

fn stepped(offset: u64) -> Option<(u64, Execution)> {
    Some((offset, Execution::Stepped))
}

#[test]
fn an_emulated_entry_is_taken_at_once() {
    assert_eq!(verdicts(&[0x41, 0x54, 0x55], Call::Malloc), (emulated(0), vec![]));
}

#[test]
fn endbr64_is_passed_over_for_the_push_behind_it() {
    let bytes = [0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x57];
    assert_eq!(verdicts(&bytes, Call::Malloc), (emulated(4), vec![(0, Stepped)]));
}

#[test]
fn a_five_byte_nop_is_never_taken_not_even_as_a_fallback() {
    let nop = (0, Rejection::Hazard(Hazard::RewrittenNop));
    let push = [0x0f, 0x1f, 0x44, 0x00, 0x00, 0x55];
    assert_eq!(verdicts(&push, Call::Malloc), (emulated(5), vec![nop]));
    let test = [0x0f, 0x1f, 0x44, 0x00, 0x00, 0x48, 0x85, 0xff, 0xc3];
    assert_eq!(
        verdicts(&test, Call::Malloc),
        (stepped(5), vec![nop, (5, Stepped), (8, Stepped), (9, NotAlwaysReached)])
    );
    let alone = [0x0f, 0x1f, 0x44, 0x00, 0x00];
    assert_eq!(verdicts(&alone, Call::Malloc), (None, vec![nop]));
}

#[test]
fn a_push_behind_an_overwritten_argument_is_too_late() {
    let overwritten = (stepped(0), vec![(0, Stepped), (3, ArgumentOverwritten)]);
    let mov_rdi_rsi = [0x48, 0x89, 0xf7, 0x55];
    assert_eq!(verdicts(&mov_rdi_rsi, Call::Malloc), overwritten);
    let mov_dil = [0x40, 0xb7, 0x01, 0x55];
    assert_eq!(verdicts(&mov_dil, Call::Malloc), overwritten);
}

#[test]
fn only_the_arguments_of_the_call_matter() {
    let xor_esi = [0x31, 0xf6, 0x55];
    assert_eq!(verdicts(&xor_esi, Call::Malloc), (emulated(2), vec![(0, Stepped)]));
    assert_eq!(verdicts(&xor_esi, Call::Calloc), (stepped(0), vec![(0, Stepped), (2, ArgumentOverwritten)]));
    let xor_edx = [0x31, 0xd2, 0x55];
    assert_eq!(verdicts(&xor_edx, Call::Realloc), (emulated(2), vec![(0, Stepped)]));
    assert_eq!(
        verdicts(&xor_edx, Call::Reallocarray),
        (stepped(0), vec![(0, Stepped), (2, ArgumentOverwritten)])
    );
}

#[test]
fn a_conditional_jump_is_taken_itself_but_nothing_behind_it() {
    let test_je_push = [0x48, 0x85, 0xff, 0x74, 0x10, 0x55];
    assert_eq!(verdicts(&test_je_push, Call::Free), (emulated(3), vec![(0, Stepped)]));
    let jrcxz_push = [0xe3, 0x10, 0x55];
    assert_eq!(verdicts(&jrcxz_push, Call::Free), (stepped(0), vec![(0, Stepped), (2, NotAlwaysReached)]));
    let hinted_je_push = [0x3e, 0x74, 0x10, 0x55];
    assert_eq!(
        verdicts(&hinted_je_push, Call::Free),
        (None, vec![(0, Rejection::Hazard(Hazard::Prefix(0x3e))), (3, NotAlwaysReached)])
    );
}

#[test]
fn a_call_is_never_taken_and_nothing_behind_it() {
    let direct = [0xe8, 1, 0, 0, 0, 0x55];
    assert_eq!(
        verdicts(&direct, Call::Free),
        (None, vec![(0, Rejection::Hazard(Hazard::Call)), (5, NotAlwaysReached)])
    );
    let indirect = [0xff, 0xd0, 0x55];
    assert_eq!(
        verdicts(&indirect, Call::Free),
        (None, vec![(0, Rejection::Hazard(Hazard::Call)), (2, NotAlwaysReached)])
    );
}

#[test]
fn a_nop_with_an_operand_size_prefix_is_passed_over() {
    let bytes = [0x66, 0x90, 0x55];
    let prefix = Rejection::Hazard(Hazard::Prefix(0x66));
    assert_eq!(verdicts(&bytes, Call::Malloc), (emulated(2), vec![(0, prefix)]));
}

#[test]
fn a_push_moves_the_stack_which_matters_only_to_calls_with_a_result() {
    let rex_w_push_push = [0x48, 0x50, 0x55];
    assert_eq!(verdicts(&rex_w_push_push, Call::Malloc), (stepped(0), vec![(0, Stepped), (2, StackChanged)]));
    assert_eq!(verdicts(&rex_w_push_push, Call::Free), (emulated(2), vec![(0, Stepped)]));
    let sub_rsp_push = [0x48, 0x83, 0xec, 0x18, 0x55];
    assert_eq!(
        verdicts(&sub_rsp_push, Call::PythonMalloc),
        (stepped(0), vec![(0, Stepped), (4, StackChanged)])
    );
    assert_eq!(verdicts(&sub_rsp_push, Call::PythonFree), (emulated(4), vec![(0, Stepped)]));
}

#[test]
fn a_store_over_the_return_address_ends_the_search_and_one_into_the_red_zone_does_not() {
    let over = [0x48, 0x89, 0x04, 0x24, 0x55];
    assert_eq!(verdicts(&over, Call::Malloc), (stepped(0), vec![(0, Stepped), (4, StackChanged)]));
    let into_its_first_byte = [0x48, 0x89, 0x44, 0x24, 0xf9, 0x55];
    assert_eq!(
        verdicts(&into_its_first_byte, Call::Malloc),
        (stepped(0), vec![(0, Stepped), (5, StackChanged)])
    );
    let below = [0x48, 0x89, 0x44, 0x24, 0xf8, 0x55];
    assert_eq!(verdicts(&below, Call::Malloc), (emulated(5), vec![(0, Stepped)]));
}

#[test]
fn a_site_inside_a_loop_is_refused_but_a_jump_to_the_entry_is_a_new_call() {
    // test rdi, rdi; push rbp; jmp to the push
    let to_the_push = [0x48, 0x85, 0xff, 0x55, 0xeb, 0xfd];
    assert_eq!(
        verdicts(&to_the_push, Call::Malloc),
        (stepped(0), vec![(0, Stepped), (3, InLoop), (4, StackChanged)])
    );
    // test rdi, rdi; je to itself
    let to_itself = [0x48, 0x85, 0xff, 0x74, 0xfe];
    assert_eq!(
        verdicts(&to_itself, Call::Free),
        (stepped(0), vec![(0, Stepped), (3, InLoop), (5, NotAlwaysReached)])
    );
    let to_the_entry = [0x48, 0x85, 0xff, 0x55, 0xeb, 0xfa];
    assert_eq!(verdicts(&to_the_entry, Call::Malloc), (emulated(3), vec![(0, Stepped)]));
}

#[test]
fn a_far_jump_back_counts_only_where_it_is_known_to_be_the_functions_own() {
    let mut bytes = vec![0x48, 0x85, 0xff, 0x55];
    bytes.resize(80, 0x90);
    bytes.extend([0xe9, 0xae, 0xff, 0xff, 0xff]); // from +85 to +3
    let choose_with = |is_whole| choose(&Body { bytes: &bytes, vaddr: ENTRY, is_whole }, Call::Malloc);
    assert_eq!(choose_with(true).map(|choice| choice.offset), Ok(0));
    assert_eq!(choose_with(false).map(|choice| choice.offset), Ok(3));
}

#[test]
fn a_function_without_usable_bytes_has_no_site() {
    assert_eq!(verdicts(&[], Call::Malloc), (None, vec![]));
    assert_eq!(verdicts(&[0x48], Call::Malloc), (None, vec![(0, Undecodable)]));
    let ud2 = (0, Rejection::Hazard(Hazard::Unsupported));
    assert_eq!(verdicts(&[0x0f, 0x0b], Call::Malloc), (None, vec![ud2, (2, NotAlwaysReached)]));
    let message = choose_in(&[0x0f, 0x0b], Call::Malloc).map_err(|error| error.to_string());
    assert!(message.is_err_and(|message| message.contains("at +0: an instruction that the kernel does not")));
}

#[test]
fn the_search_ends_after_sixteen_instructions() {
    let mut bytes = [0x48, 0x85, 0xff].repeat(16);
    bytes.push(0x55);
    let (chosen, rejected) = verdicts(&bytes, Call::Malloc);
    assert_eq!((chosen, rejected.len()), (stepped(0), 16));
    assert_eq!(verdicts(&bytes[3..], Call::Malloc).0, emulated(45));
}

#[test]
fn the_beginnings_of_real_allocators_get_the_expected_sites() {
    type Expected = (u64, Execution, &'static str);
    let cases: [(&str, &[u8], Call, Expected); 9] = [
        ("glibc 2.36 malloc", b"\x41\x54\x55\x53", Call::Malloc, (0, Execution::Emulated, "push r12")),
        (
            "glibc 2.36 free",
            b"\x48\x85\xff\x0f\x84\xbc\x00\x00\x00\x55",
            Call::Free,
            (3, Execution::Emulated, "je 0x400c5")),
        (
            "glibc 2.36 posix_memalign",
            b"\x80\x3d\x01\x02\x14\x00\x00\x41\x54\x49\x89\xd4\x55",
            Call::PosixMemalign,
            (7, Execution::Emulated, "push r12")),
        (
            "glibc 2.36 reallocarray",
            b"\x48\x89\xf0\x48\xf7\xe2\x70\x07",
            Call::Reallocarray,
            (0, Execution::Stepped, "mov rax, rsi")),
        ("musl 1.2.3 malloc", b"\xe9\x6b\x19\x00\x00", Call::Malloc, (0, Execution::Emulated, "jmp 0x41970")),
        (
            "CPython 3.11 PyObject_Malloc",
            b"\x48\x89\xfe\x48\x85\xff\x78\x10\x48\x8b\x3d\x71\xd0\x2a\x00",
            Call::PythonMalloc,
            (6, Execution::Emulated, "js 0x40018")),
        (
            "CPython 3.11 PyObject_Free",
            b"\x48\x89\xfe\x48\x8b\x3d\xe6\xcf\x2a\x00\xff\x25\x00\xd0\x2a\x00",
            Call::PythonFree,
            (0, Execution::Stepped, "mov rsi, rdi")),
        (
            "Debian's python3.11 PyObject_Malloc",
            b"\x48\x83\xec\x18\x48\x85\xff\x0f\x88\xff\x43\xf5\xff",
            Call::PythonMalloc,
            (0, Execution::Stepped, "sub rsp, 0x18")),
        (
            "Debian's python3.11 PyObject_Free",
            b"\x48\x8b\x05\xb9\xeb\x47\x00\x48\x8b\x15\x92\xeb\x47\x00\x48\x3d\x50\x6a\x4d\x00\x0f\x85\xb7\x01\x00\x00",
            Call::PythonFree,
            (20, Execution::Emulated, "jne 0x401d1")),
    ];
    for (name, bytes, call, expected) in cases {
        let choice = choose_in(bytes, call).expect(name);
        assert_eq!((choice.offset, choice.execution, choice.instruction.as_str()), expected, "{name}");
    }
}

/// Instructions that prologues are made of, so that random functions get further than random bytes do.
const PIECES: [&[u8]; 14] = [
    b"\xf3\x0f\x1e\xfa",
    b"\x0f\x1f\x44\x00\x00",
    b"\x48\x85\xff",
    b"\x48\x89\xfe",
    b"\x48\x89\xf7",
    b"\x31\xd2",
    b"\x48\x83\xec\x18",
    b"\x55",
    b"\x41\x54",
    b"\x66\x90",
    b"\x74\x10",
    b"\xeb\xf8",
    b"\xe8\x01\x00\x00\x00",
    b"\x80\x3d\x01\x02\x14\x00\x00",
];

fn code() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..20);
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..128), pieces.prop_map(|pieces| pieces.concat())]
}

proptest! {
    #[test]
    fn whatever_the_bytes_a_choice_is_an_instruction_of_the_stated_kind(
        bytes in code(),
        call in proptest::sample::select(Call::ALL.to_vec()),
        vaddr in any::<u64>(),
        is_whole in any::<bool>(),
    ) {
        if let Ok(choice) = choose(&Body { bytes: &bytes, vaddr, is_whole }, call) {
            prop_assert!(choice.offset < WINDOW_BYTES);
            let site = &bytes[choice.offset as usize..];
            prop_assert!(!site.starts_with(b"\x0f\x1f\x44\x00\x00") && !site.starts_with(b"\xe8"));
            if choice.execution == Execution::Emulated {
                prop_assert!(choice.rejected.iter().all(|rejected| rejected.offset < choice.offset));
            } else {
                prop_assert!(choice.rejected.iter().any(|it| (it.offset, it.reason) == (choice.offset, Stepped)));
            }
        }
    }
}
