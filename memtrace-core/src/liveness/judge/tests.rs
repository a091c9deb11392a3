//! The judge on images of memory, made as the allocators make them.

use proptest::prelude::*;

use super::*;
use crate::liveness::ranges;

const HEAP: u64 = 0x5555_5675_0000;
const POOL: u64 = 0x7f12_3456_8000;
const KEY: u64 = 0x9abc_def0_1234_5678;

fn allocators(libc: Libc) -> Allocators {
    Allocators { libc, pool_bytes: 16 << 10 }
}

fn glibc(minor: u32) -> Allocators {
    allocators(Libc::Glibc { version: Some((2, minor)) })
}

/// Memory from an address on.
#[derive(Clone)]
struct Image {
    address: u64,
    bytes: Vec<u8>,
}

impl Image {
    fn new(address: u64, length: usize) -> Self {
        Self { address, bytes: vec![0; length] }
    }

    fn put(&mut self, address: u64, word: u64) {
        let offset = (address - self.address) as usize;
        self.bytes[offset..offset + 8].copy_from_slice(&word.to_le_bytes());
    }

    fn put_all(&mut self, address: u64, words: &[u64]) {
        for (place, word) in (address..).step_by(8).zip(words) {
            self.put(place, *word);
        }
    }

    fn get(&self, range: Range) -> Option<&[u8]> {
        let offset = range.address.checked_sub(self.address)? as usize;
        self.bytes.get(offset..offset + range.length as usize)
    }

    fn parts(&self, block: &Block, allocators: &Allocators) -> Parts<'_> {
        let ranges = ranges(block, allocators);
        std::array::from_fn(|index| self.get(*ranges.as_slice().get(index)?))
    }

    fn print(&self, block: Block, judge: &mut Judge) -> Fingerprint {
        let parts = self.parts(&block, judge.allocators());
        let print = Fingerprint::from_bytes(block, judge.allocators(), &parts).unwrap();
        judge.remember(&print);
        print
    }

    fn verdict(&self, judge: &mut Judge, print: &mut Fingerprint) -> Verdict {
        let parts = self.parts(print.block(), judge.allocators());
        match judge.judge(print, &parts) {
            Opinion::Settled(verdict) => verdict,
            Opinion::Look(range) => judge.settle(print, &parts, self.get(range)),
        }
    }
}

/// Chunks of 80 bytes, and in each a block of 72.
const CHUNK: u64 = 80;

fn heap_of(chunks: u64) -> Image {
    let mut heap = Image::new(HEAP, (CHUNK * (chunks + 1)) as usize);
    for number in 0..=chunks {
        heap.put(HEAP + number * CHUNK + 8, CHUNK | 1);
    }
    heap
}

fn block(number: u64) -> Block {
    Block { address: HEAP + number * CHUNK + 16, size_bytes: 72, domain: Domain::Libc }
}

fn words_of(number: u64) -> Vec<u64> {
    (1..10).map(|index| (number * 64 + index).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

/// A judge, a heap with three blocks in use and the middle one's fingerprint.
fn glibc_heap(minor: u32) -> (Judge, Image, Fingerprint) {
    let mut judge = Judge::new(glibc(minor));
    let mut heap = heap_of(3);
    for number in 0..3 {
        heap.put_all(block(number).address, &words_of(number));
    }
    let print = heap.print(block(1), &mut judge);
    (judge, heap, print)
}

fn learn_key(judge: &mut Judge, key: u64) {
    for page in 1..4 {
        let address = HEAP + (page << 12);
        let mut freed = Image::new(address - 16, 32);
        freed.put_all(address, &[address >> 12, key]);
        let asked = judge.learn_freed(address, Domain::Libc, &[Some(&freed.bytes), None]);
        assert_eq!(asked, None);
    }
}

#[test]
fn an_unchanged_block_in_use_is_alive() {
    for minor in [32, 36, 43] {
        let (mut judge, heap, mut print) = glibc_heap(minor);
        assert_eq!(heap.verdict(&mut judge, &mut print), Verdict::Alive);
    }
}

#[test]
fn a_block_in_a_thread_cache_is_dead() {
    let (mut judge, mut heap, mut print) = glibc_heap(36);
    learn_key(&mut judge, KEY);
    heap.put_all(block(1).address, &[(block(1).address >> 12) ^ 0x7f00_0000_0990, KEY]);
    assert_eq!(heap.verdict(&mut judge, &mut print), Verdict::Dead(DeathProof::InThreadCache));
}

#[test]
fn a_link_to_another_chunk_is_the_death_of_a_block_and_a_look_alike_is_not() {
    let (mut judge, mut heap, print) = glibc_heap(36);
    let protect = |link: u64| (block(1).address >> 12) ^ link;
    // A fastbin links chunks, a thread's cache blocks.
    for link in [block(2).address, block(2).address - 16, 0] {
        heap.put(block(1).address, protect(link));
        assert_eq!(
            heap.verdict(&mut judge, &mut print.clone()),
            Verdict::Dead(DeathProof::Linked),
            "{link:x}"
        );
    }
    for link in [block(2).address + 32, 0x7f00_0000_0990] {
        heap.put(block(1).address, protect(link));
        assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Alive, "{link:x}");
    }
}

#[test]
fn before_2_32_a_pointer_to_the_next_block_is_no_link_of_a_fastbin() {
    let (mut judge, mut heap, print) = glibc_heap(31);
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Unknown(Doubt::MayBeFree));
    judge.learn_cache(
        Range { address: HEAP - 16, length: 16 },
        Some(&[[0; 8], 0x291_u64.to_le_bytes()].concat()),
    );
    heap.put(block(1).address, block(2).address);
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Alive);
    heap.put(block(1).address, block(2).address - 16);
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Dead(DeathProof::Linked));
}

#[test]
fn the_chunks_around_a_freed_one_tell() {
    let (mut judge, mut heap, print) = glibc_heap(36);
    heap.put(HEAP + 2 * CHUNK + 8, CHUNK);
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Dead(DeathProof::Coalesced));
    heap.put(HEAP + CHUNK + 8, (2 * CHUNK) | 1);
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Dead(DeathProof::SlotChanged));
}

#[test]
fn a_header_left_over_in_another_chunk_is_not_believed() {
    let (mut judge, mut heap, print) = glibc_heap(36);
    // The chunk before is free, and ends where this one begins.
    heap.put_all(HEAP + CHUNK, &[CHUNK, CHUNK]);
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Alive);
    // It has swallowed this one, and is in use again.
    heap.put(HEAP + 8, (2 * CHUNK) | 1);
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Unknown(Doubt::MayBeFree));
}

#[test]
fn another_owner_of_the_slot_is_not_the_block() {
    let (mut judge, mut heap, print) = glibc_heap(36);
    heap.put_all(block(1).address, &words_of(7));
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Unknown(Doubt::Changed));
    // A short one leaves the end as it was.
    heap.put_all(block(1).address, &words_of(1));
    heap.put_all(block(1).address, &words_of(7)[..2]);
    assert_eq!(heap.verdict(&mut judge, &mut print.clone()), Verdict::Unknown(Doubt::Changed));
}

#[test]
fn a_node_whose_links_change_one_after_the_other_stays_known() {
    let (mut judge, mut heap, mut print) = glibc_heap(36);
    for change in 1..9 {
        heap.put(block(1).address + change % 2 * 8, HEAP + change * 0x1008 + 4);
        assert_eq!(heap.verdict(&mut judge, &mut print), Verdict::Alive, "change {change}");
    }
}

#[test]
fn twins_are_told_from_one_another_only_while_no_slot_changes_hands() {
    let mut judge = Judge::new(glibc(36));
    let mut heap = heap_of(20);
    for number in 0..20 {
        heap.put_all(block(number).address, &words_of(0));
    }
    let mut prints: Vec<_> = (0..20).map(|number| heap.print(block(number), &mut judge)).collect();
    assert_eq!(heap.verdict(&mut judge, &mut prints[3]), Verdict::Alive);
    learn_key(&mut judge, KEY);
    heap.put_all(block(7).address, &[(block(7).address >> 12) ^ 0x10, KEY]);
    assert_eq!(heap.verdict(&mut judge, &mut prints[7]), Verdict::Dead(DeathProof::InThreadCache));
    assert_eq!(heap.verdict(&mut judge, &mut prints[3]), Verdict::Unknown(Doubt::NothingTells));
}

#[test]
fn memory_that_is_not_there_any_more_holds_no_block() {
    let (mut judge, _, mut print) = glibc_heap(36);
    let opinion = judge.judge(&mut print, &[None, None]);
    assert_eq!(opinion, Opinion::Settled(Verdict::Dead(DeathProof::Unmapped)));
}

/// Slots of 64 bytes in a pool.
fn slot(number: u64) -> u64 {
    POOL + 48 + number * 64
}

/// A pool of which three slots have been handed out; `free` are free again, the first of them first.
fn pool(free: &[u64]) -> Image {
    let mut pool = Image::new(POOL, 16 << 10);
    pool.put(POOL, 3 - free.len() as u64);
    pool.put(POOL + 8, free.first().map_or(0, |number| slot(*number)));
    pool.put(POOL + 32, 3 << 32);
    pool.put(POOL + 40, 48 + 3 * 64);
    for number in 0..3 {
        pool.put_all(slot(number), &[1, 0x7f77_0000_1230]);
        pool.put_all(slot(number) + 16, &words_of(number)[..6]);
    }
    for (index, number) in free.iter().enumerate() {
        pool.put(slot(*number), free.get(index + 1).map_or(0, |next| slot(*next)));
    }
    pool
}

const OBJECT: Block = Block { address: POOL + 48 + 64, size_bytes: 60, domain: Domain::Pymalloc };

#[test]
fn a_python_block_is_dead_when_its_pool_lists_it_as_free() {
    let mut judge = Judge::new(glibc(36));
    let print = pool(&[0]).print(OBJECT, &mut judge);
    let mut verdict = |image: &Image| image.verdict(&mut judge, &mut print.clone());
    assert_eq!(verdict(&pool(&[0])), Verdict::Alive);
    assert_eq!(verdict(&pool(&[1, 0])), Verdict::Dead(DeathProof::InFreeList));
    assert_eq!(verdict(&pool(&[0, 1])), Verdict::Dead(DeathProof::InFreeList));
    let mut other = pool(&[0]);
    other.put(POOL + 32, 5 << 32);
    assert_eq!(verdict(&other), Verdict::Dead(DeathProof::PoolChanged));
}

#[test]
fn a_live_object_may_point_to_its_neighbour_with_its_first_word() {
    let mut judge = Judge::new(glibc(36));
    let mut linked = pool(&[0]);
    linked.put(slot(1), slot(2));
    let mut print = linked.print(OBJECT, &mut judge);
    assert_eq!(linked.verdict(&mut judge, &mut print), Verdict::Alive);
    // The list is longer than the count says: it was read while it changed.
    linked.put(slot(0), slot(1));
    assert_eq!(linked.verdict(&mut judge, &mut print), Verdict::Unknown(Doubt::Torn));
}

#[test]
fn an_object_of_another_type_is_another_object() {
    let mut judge = Judge::new(glibc(36));
    let mut print = pool(&[]).print(OBJECT, &mut judge);
    for number in [0, 2] {
        pool(&[]).print(Block { address: slot(number), ..OBJECT }, &mut judge);
    }
    let mut other = pool(&[]);
    other.put(slot(1) + 8, 0x7f77_0000_4560);
    assert_eq!(other.verdict(&mut judge, &mut print), Verdict::Dead(DeathProof::OtherType));
}

#[test]
fn musl_marks_what_it_frees_and_numbers_anew_what_it_hands_out() {
    let mut judge = Judge::new(allocators(Libc::Musl));
    let block = Block { address: HEAP + 16, size_bytes: 40, domain: Domain::Libc };
    let mut group = Image::new(HEAP, 64);
    group.put(HEAP + 8, 0x0003_0500_0000_0000);
    group.put_all(HEAP + 16, &words_of(1)[..5]);
    let print = group.print(block, &mut judge);
    let mut verdict = |header: u64| {
        group.put(HEAP + 8, header);
        group.verdict(&mut judge, &mut print.clone())
    };
    assert_eq!(verdict(0x0003_0500_ffff_ffff), Verdict::Alive);
    assert_eq!(verdict(0x0000_ff00_0000_0000), Verdict::Dead(DeathProof::MarkedFree));
    assert_eq!(verdict(0x0007_0500_0000_0000), Verdict::Dead(DeathProof::SlotChanged));
}

#[test]
fn an_older_musl_keeps_notes_that_are_not_understood() {
    let mut judge = Judge::new(allocators(Libc::Musl));
    let block = Block { address: HEAP + 16, size_bytes: 40, domain: Domain::Libc };
    let mut heap = Image::new(HEAP, 64);
    heap.put_all(HEAP + 16, &words_of(1)[..5]);
    // The first slot of a group has a header of zeros, after the group's count of slots.
    heap.put(HEAP + 8, 9);
    let mut print = heap.print(block, &mut judge);
    assert_eq!(heap.verdict(&mut judge, &mut print), Verdict::Alive);
    // A chunk of the allocator before 1.2.1 has its size there, and a bit that says that it is in use.
    heap.put(HEAP + 8, 64 | 1);
    let mut print = heap.print(block, &mut judge);
    assert_eq!(heap.verdict(&mut judge, &mut print), Verdict::Unknown(Doubt::NoNotes));
}

fn any_allocators() -> impl Strategy<Value = Allocators> {
    let libc = prop_oneof![
        Just(Libc::Musl),
        Just(Libc::Other),
        prop::option::of((2..3_u32, 20..50_u32)).prop_map(|version| Libc::Glibc { version }),
    ];
    (libc, prop::sample::select(vec![0_u32, 1, 4096, 16 << 10]))
        .prop_map(|(libc, pool_bytes)| Allocators { libc, pool_bytes })
}

fn any_word() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..600_u64, POOL..POOL + 0x4000, HEAP..HEAP + 0x1000]
}

fn any_part() -> impl Strategy<Value = Option<Vec<u8>>> {
    let words = prop::collection::vec(any_word(), 0..40);
    let bytes = words.prop_map(|words| words.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>());
    let cut = (bytes, 0..8_usize).prop_map(|(mut bytes, cut)| {
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes
    });
    prop::option::weighted(0.9, cut)
}

proptest! {
    #[test]
    fn no_bytes_make_the_judge_panic(
        allocators in any_allocators(),
        address in any_word(),
        size_bytes in any_word(),
        is_pymalloc in any::<bool>(),
        readings in prop::collection::vec((any_part(), any_part(), any_part()), 1..6),
    ) {
        let domain = if is_pymalloc { Domain::Pymalloc } else { Domain::Libc };
        let block = Block { address, size_bytes, domain };
        for range in ranges(&block, &allocators).as_slice() {
            prop_assert!((1..=256).contains(&range.length));
        }
        let mut judge = Judge::new(allocators);
        for (first, second, looked) in &readings {
            let parts = [first.as_deref(), second.as_deref()];
            let Some(mut print) = Fingerprint::from_bytes(block, &allocators, &parts) else { continue };
            judge.remember(&print);
            for (first, second, _) in &readings {
                let parts = [first.as_deref(), second.as_deref()];
                if let Opinion::Look(range) = judge.judge(&mut print, &parts) {
                    prop_assert!(range.length <= 16 << 10);
                    judge.settle(&mut print, &parts, looked.as_deref());
                }
                if let Some(asked) = judge.learn_freed(address, domain, &parts) {
                    judge.learn_cache(asked, looked.as_deref());
                }
            }
        }
    }
}
