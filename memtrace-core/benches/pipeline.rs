//! What an event costs from the bytes in the ring to the books, and what ten million live blocks take.
//!
//! `cargo bench -p memtrace-core` prints nanoseconds per event, the median of several rounds, for a steady state: half
//! of the events free a random live block, half allocate one under a random stack. `cargo test --benches` runs it
//! small, to see that it works.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use memtrace_common::{Domain, StackEnd};
use memtrace_core::aggregate::{Aggregator, Query};
use memtrace_core::attribute::{AddressSpace, CodeRange, FunctionNames, attribute};
use memtrace_core::decode::encode::{StackParts, encode, encode_stack};
use memtrace_core::decode::{Allocation, Event, Free, Origin, ReallocBegin, ReallocEnd, decode};
use memtrace_core::model::FrameRef;
use memtrace_core::world::{MemoryReader, Unreadable};

const STACKS: u64 = 10_000;
const ROUNDS: usize = 7;
const ORIGIN: Origin = Origin { target: 1, thread: 1, domain: Domain::Libc, window: 0 };

fn main() -> std::io::Result<()> {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (events, sizes, many): (usize, &[usize], usize) =
        if is_bench { (1_000_000, &[10_000, 1_000_000], 10_000_000) } else { (10_000, &[1_000], 10_000) };
    let mut out = std::io::stdout().lock();
    memory(&mut out, many)?;
    decoding(&mut out, events)?;
    for depth in [5, 30, 100] {
        attributing(&mut out, events / 100, depth)?;
    }
    for &live_blocks in sizes {
        for stacks_in_a_row in [1, 16] {
            for events_in_a_batch in [1, 256] {
                pipeline(&mut out, live_blocks, events, stacks_in_a_row, events_in_a_batch)?;
            }
        }
        figures(&mut out, live_blocks)?;
    }
    Ok(())
}

/// Decoding alone, over records that alternate between the two kinds that matter.
fn decoding(out: &mut impl Write, events: usize) -> std::io::Result<()> {
    let records = Load::new(1_000).records(events, 1);
    let ns = median((0..ROUNDS).map(|_| {
        time_ns(|| {
            for record in records.iter() {
                black_box(decode(black_box(record)).is_ok());
            }
        }) / records.len() as f64
    }));
    writeln!(out, "decode                                          {ns:7.1} ns an event")
}

/// A new stack: decoded, attributed among twenty mappings, and made known to the books. The kernel side sends one only
/// when it is new, so this is paid once a stack and not once an event.
fn attributing(out: &mut impl Write, stacks: usize, depth: u64) -> std::io::Result<()> {
    let space = AddressSpace::new((1..=MAPPINGS).map(mapping).collect());
    let records: Vec<Vec<u8>> = (1..=stacks as u64).map(|stack_id| stack_record(stack_id, depth)).collect();
    let mut names = FunctionNames::default();
    let ns = median((0..ROUNDS).map(|_| {
        let mut aggregator = empty();
        time_ns(|| {
            for record in &records {
                let Ok(Event::Stack(stack)) = decode(black_box(record)) else { continue };
                let attributed = attribute(&stack, &space, None, &NoMemory, &mut names, false);
                aggregator.define_stack(1, stack.stack_id, stack.check, attributed.frames);
            }
        }) / stacks as f64
    }));
    writeln!(out, "decode + attribute + define, a new stack of {depth:>3} native frames {ns:9.0} ns a stack")
}

const MAPPINGS: u64 = 20;
const MAPPING_BYTES: u64 = 0x10_0000;

const fn mapping(number: u64) -> CodeRange {
    CodeRange {
        start: number * MAPPING_BYTES * 2,
        end: number * MAPPING_BYTES * 2 + MAPPING_BYTES,
        file_offset: 0,
        module: number as u32,
        is_interpreter: false,
    }
}

/// A stack unlike any other, through all mappings in turn.
fn stack_record(stack_id: u64, depth: u64) -> Vec<u8> {
    let address = |frame: u64| {
        mapping(frame % MAPPINGS + 1).start + 1 + (stack_id * 7_919 + frame * 31) % (MAPPING_BYTES - 1)
    };
    encode_stack(&StackParts {
        target: 1,
        thread: 1,
        stack_id: STACKS + stack_id,
        check: stack_id,
        python: &[],
        python_end: StackEnd::Absent,
        native: &(0..depth).map(address).collect::<Vec<u64>>(),
        native_end: StackEnd::Complete,
    })
}

/// Native stacks are attributed without a look at the target.
struct NoMemory;

impl MemoryReader for NoMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        Err(Unreadable { address, length: buffer.len() })
    }
}

fn pipeline(
    out: &mut impl Write,
    live_blocks: usize,
    events: usize,
    stacks_in_a_row: u64,
    events_in_a_batch: usize,
) -> std::io::Result<()> {
    let mut load = Load::new(live_blocks);
    let mut aggregator = filled(&load);
    let ns = median((0..ROUNDS).map(|_| {
        let records = load.records(events, stacks_in_a_row);
        let mut batch = Vec::with_capacity(events_in_a_batch);
        time_ns(|| {
            for record in records.iter() {
                batch.extend(decode(record).ok().and_then(|event| event.detached()));
                if batch.len() == events_in_a_batch {
                    aggregator.apply_all(&batch);
                    batch.clear();
                }
            }
            aggregator.apply_all(&batch);
        }) / records.len() as f64
    }));
    assert_eq!(aggregator.live_blocks(), live_blocks, "the load keeps the number of blocks");
    assert_eq!(aggregator.drops().iter().map(|(_, losses)| losses).sum::<u64>(), 0, "nothing is lost");
    writeln!(
        out,
        "decode + apply, {live_blocks:>9} live, a stack {stacks_in_a_row:>2} times, batches of {events_in_a_batch:>3} {ns:7.1} ns an event"
    )
}

fn figures(out: &mut impl Write, live_blocks: usize) -> std::io::Result<()> {
    let aggregator = filled(&Load::new(live_blocks));
    let query = Query { top: 10, ..Query::default() };
    let ns = median((0..ROUNDS).map(|_| time_ns(|| drop(black_box(aggregator.figures(1, &query, 1))))));
    writeln!(out, "figures,        {live_blocks:>9} live                   {:7.1} ms", ns / 1e6)
}

/// Resident memory of many blocks, what the daemon needs while they come, and what is left after they went.
fn memory(out: &mut impl Write, live_blocks: usize) -> std::io::Result<()> {
    let mut aggregator = empty();
    let before = resident_bytes()?;
    let mut peak = before;
    let mut slowest_ns = 0.0_f64;
    for index in 0..live_blocks as u64 {
        let event = allocation(address_of(index), index % STACKS + 1);
        slowest_ns = slowest_ns.max(time_ns(|| aggregator.apply(&event)));
        if index % 65_536 == 0 {
            peak = peak.max(resident_bytes()?);
        }
    }
    let full = resident_bytes()?;
    for index in 1_000..live_blocks as u64 {
        aggregator.apply(&Event::Freed(Free { origin: ORIGIN, address: address_of(index) }));
    }
    let after = resident_bytes()?;
    let mib = |bytes: u64| bytes.saturating_sub(before) as f64 / f64::from(1 << 20);
    writeln!(
        out,
        "memory of {live_blocks} live blocks: {:.0} MiB, {:.0} at most while growing, {:.0} after all but 1000 went; \
         the slowest event took {:.1} ms",
        mib(full),
        mib(peak.max(full)),
        mib(after),
        slowest_ns / 1e6
    )
}

/// Page size times the second field of `statm`.
fn resident_bytes() -> std::io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    Ok(pages * 4096)
}

fn time_ns(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn empty() -> Aggregator {
    let mut aggregator = Aggregator::new(0);
    assert!(aggregator.add_process(1, 0));
    for stack_id in 1..=STACKS {
        let frames: Arc<[FrameRef]> =
            (0..20).map(|depth| FrameRef::Native { module: depth, offset: stack_id }).collect();
        aggregator.define_stack(1, stack_id, 0, frames);
    }
    aggregator
}

fn filled(load: &Load) -> Aggregator {
    let mut aggregator = empty();
    for &address in &load.live {
        aggregator.apply(&allocation(address, address / 16 % STACKS + 1));
    }
    aggregator
}

const fn allocation(address: u64, stack_id: u64) -> Event<'static> {
    Event::Allocated(Allocation {
        origin: ORIGIN,
        address,
        size_bytes: 48,
        stack_id,
        time_ns: 1,
        rarity_log2: 0,
    })
}

/// Addresses as a heap hands them out: in steps of 16 to 128 bytes.
const fn address_of(index: u64) -> u64 {
    0x7f00_0000_0000 + index * 64 + index % 4 * 16
}

/// A program in a steady state: it frees a random block and allocates one, and sometimes reallocates.
struct Load {
    live: Vec<u64>,
    next: u64,
    random: u64,
    stack_id: u64,
}

/// Records one after another, as in a ring.
struct Records {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Records {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let record = &self.bytes[start..end as usize];
            start = end as usize;
            record
        })
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn push(&mut self, event: &Event<'_>) {
        self.bytes.extend_from_slice(&encode(event));
        self.ends.push(self.bytes.len() as u32);
    }
}

impl Load {
    fn new(live_blocks: usize) -> Self {
        let live: Vec<u64> = (0..live_blocks as u64).map(address_of).collect();
        Self { next: live_blocks as u64, live, random: 0x9e37_79b9_7f4a_7c15, stack_id: 1 }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn records(&mut self, events: usize, stacks_in_a_row: u64) -> Records {
        let mut records =
            Records { bytes: Vec::with_capacity(events * 40), ends: Vec::with_capacity(events) };
        for turn in 0..events as u64 / 2 {
            let victim = self.random(self.live.len() as u64) as usize;
            if turn % stacks_in_a_row == 0 {
                self.stack_id = self.random(STACKS) + 1;
            }
            // An address comes back at once every other time, as from a free list.
            let old = self.live[victim];
            let new = if turn % 2 == 0 { old } else { address_of(self.next) };
            self.next += 1;
            self.live[victim] = new;
            if turn % 10 == 9 {
                records.push(&Event::ReallocBegun(ReallocBegin { origin: ORIGIN, address: old }));
                records.push(&Event::ReallocEnded(ReallocEnd {
                    origin: ORIGIN,
                    old_address: old,
                    new_address: new,
                    size_bytes: 96,
                    stack_id: self.stack_id,
                    time_ns: 1,
                    new_block_is_libc: false,
                    rarity_log2: 0,
                    is_unsampled: false,
                }));
            } else {
                records.push(&Event::Freed(Free { origin: ORIGIN, address: old }));
                records.push(&allocation(new, self.stack_id));
            }
        }
        records
    }
}
