//! The table in which a program says which of its blocks live (`programs/c/lives.h`), and a follower of these blocks
//! that keeps account of how often the judge was right.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memtrace_common::Domain;
use memtrace_core::liveness::{
    Allocators, Block, Fingerprint, Judge, Opinion, Range, Ranges, Verdict, freed_ranges, ranges,
};
use memtrace_core::world::MemoryReader;

use super::memory::ProcessMemory;

const RECORDS: usize = 8192;
const RECORD_BYTES: usize = 32;

/// Where a record's state is.
const STATE_OFFSET: usize = 20;

const LIVES: u32 = 1;
const FREED: u32 = 3;

/// How often a dead block is looked at before its record is given back.
const LOOKS_AT_DEAD: u32 = 8;

/// A program that publishes its blocks, and what is known of them.
pub(crate) struct Lives {
    child: Child,
    table: File,
    memory: ProcessMemory,
    judge: Judge,
    followed: Vec<Option<Followed>>,
    domain_of: fn(u64) -> Domain,
    random: u64,
    account: Account,
}

#[derive(Clone, Copy)]
struct Record {
    address: u64,
    size_bytes: u64,
    kind: u32,
    state: u32,
    generation: u64,
}

struct Followed {
    fingerprint: Fingerprint,
    generation: u64,
    looks_at_dead: u32,
    is_dead: bool,
}

/// How often each verdict was given of blocks of a kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) living: BTreeMap<String, u32>,
    pub(crate) dead: BTreeMap<String, u32>,
    /// Dead blocks that were followed until they were proven dead, or long enough.
    pub(crate) ended: u32,
    /// Of these, those that were never proven dead and looked alive to the last.
    pub(crate) ended_alive: u32,
}

/// By kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account(pub(crate) BTreeMap<u32, Tally>);

impl Lives {
    pub(crate) fn start(mut command: Command, allocators: Allocators, domain_of: fn(u64) -> Domain) -> Self {
        let table = tempfile::tempfile().expect("there is room for a table");
        table.set_len((RECORDS * RECORD_BYTES) as u64).expect("there is room for a table");
        let input = table.try_clone().expect("a file can be shared");
        let child = command.stdin(Stdio::from(input)).spawn().expect("the program starts");
        let memory = ProcessMemory::open(child.id());
        Self {
            child,
            table,
            memory,
            judge: Judge::new(allocators),
            followed: (0..RECORDS).map(|_| None).collect(),
            domain_of,
            random: 0x9e37_79b9_7f4a_7c15,
            account: Account::default(),
        }
    }

    /// Follows its blocks for so long, and says how right the judge was.
    pub(crate) fn follow(mut self, time: Duration) -> Account {
        // An interpreter takes its time to start, and opens its memory anew when it is executed.
        while self.records().iter().all(|record| record.state == 0) {
            assert!(self.child.try_wait().expect("it is a child").is_none(), "the program has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.memory = ProcessMemory::open(self.child.id());
        let end = Instant::now() + time;
        while Instant::now() < end {
            for index in 0..RECORDS {
                self.visit(index);
            }
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            std::thread::sleep(Duration::from_micros(1000 + (self.random >> 33) % 20_000));
        }
        std::mem::take(&mut self.account)
    }

    fn visit(&mut self, index: usize) {
        let record = self.record(index);
        let followed = self.followed[index].take_if(|followed| followed.generation == record.generation);
        match (record.state, followed) {
            (LIVES, None) => self.begin(index, record),
            (LIVES | FREED, Some(followed)) => self.look(index, record, followed),
            (FREED, None) => self.give_back(index, record),
            (_, followed) => self.followed[index] = followed,
        }
    }

    fn begin(&mut self, index: usize, record: Record) {
        let domain = (self.domain_of)(record.size_bytes);
        let block = Block { address: record.address, size_bytes: record.size_bytes, domain };
        let allocators = *self.judge.allocators();
        let read = self.read_all(&ranges(&block, &allocators));
        let fingerprint = Fingerprint::from_bytes(block, &allocators, &parts(&read));
        // As in a window: it was certainly alive when its fingerprint was taken.
        if self.is_still(index, record) {
            let fingerprint = fingerprint.expect("a living block can be read");
            self.judge.remember(&fingerprint);
            let generation = record.generation;
            self.followed[index] =
                Some(Followed { fingerprint, generation, looks_at_dead: 0, is_dead: false });
        }
    }

    fn look(&mut self, index: usize, record: Record, mut followed: Followed) {
        let allocators = *self.judge.allocators();
        let read = self.read_all(&ranges(followed.fingerprint.block(), &allocators));
        let parts = parts(&read);
        let verdict = match self.judge.judge(&mut followed.fingerprint, &parts) {
            Opinion::Settled(verdict) => verdict,
            Opinion::Look(range) => {
                let looked = self.read(range);
                self.judge.settle(&mut followed.fingerprint, &parts, looked.as_deref())
            }
        };
        if !self.is_still(index, record) {
            self.followed[index] = Some(followed);
            return;
        }
        let tally = self.account.0.entry(record.kind).or_default();
        if record.state == LIVES {
            *tally.living.entry(name_of(verdict)).or_default() += 1;
            self.followed[index] = Some(followed);
            return;
        }
        *tally.dead.entry(name_of(verdict)).or_default() += 1;
        followed.is_dead = matches!(verdict, Verdict::Dead(_));
        followed.looks_at_dead += 1;
        if followed.is_dead || followed.looks_at_dead >= LOOKS_AT_DEAD {
            tally.ended += 1;
            tally.ended_alive += u32::from(verdict == Verdict::Alive);
            self.give_back(index, record);
        } else {
            self.followed[index] = Some(followed);
        }
    }

    /// Learns from a freed block, and lets its record be used again.
    fn give_back(&mut self, index: usize, record: Record) {
        let domain = (self.domain_of)(record.size_bytes);
        let read = self.read_all(&freed_ranges(record.address, domain, self.judge.allocators()));
        if let Some(asked) = self.judge.learn_freed(record.address, domain, &parts(&read)) {
            let header = self.read(asked);
            self.judge.learn_cache(asked, header.as_deref());
        }
        let state = (index * RECORD_BYTES + STATE_OFFSET) as u64;
        self.table.write_all_at(&0_u32.to_le_bytes(), state).expect("the table is writable");
    }

    fn record(&self, index: usize) -> Record {
        let mut bytes = [0; RECORD_BYTES];
        self.table.read_exact_at(&mut bytes, (index * RECORD_BYTES) as u64).expect("the table is readable");
        record_of(&bytes)
    }

    fn records(&self) -> Vec<Record> {
        let mut bytes = vec![0; RECORDS * RECORD_BYTES];
        self.table.read_exact_at(&mut bytes, 0).expect("the table is readable");
        bytes.chunks_exact(RECORD_BYTES).map(record_of).collect()
    }

    fn is_still(&self, index: usize, before: Record) -> bool {
        let now = self.record(index);
        now.state == before.state && now.generation == before.generation
    }

    fn read(&self, range: Range) -> Option<Vec<u8>> {
        let mut bytes = vec![0; range.length as usize];
        self.memory.read(range.address, &mut bytes).ok().map(|()| bytes)
    }

    fn read_all(&self, ranges: &Ranges) -> [Option<Vec<u8>>; 2] {
        let slice = ranges.as_slice();
        std::array::from_fn(|index| slice.get(index).and_then(|range| self.read(*range)))
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }
}

fn parts(read: &[Option<Vec<u8>>; 2]) -> [Option<&[u8]>; 2] {
    [read[0].as_deref(), read[1].as_deref()]
}

fn record_of(bytes: &[u8]) -> Record {
    let word = |offset: usize| u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap());
    Record {
        address: word(0),
        size_bytes: word(8),
        kind: word(16) as u32,
        state: (word(16) >> 32) as u32,
        generation: word(24),
    }
}

fn name_of(verdict: Verdict) -> String {
    match verdict {
        Verdict::Alive => "alive".to_owned(),
        Verdict::Dead(proof) => format!("dead {proof:?}"),
        Verdict::Unknown(doubt) => format!("unknown {doubt:?}"),
    }
}

impl Tally {
    /// Readings of living blocks, and those that were called this.
    pub(crate) fn share_of_living(&self, name: &str) -> f64 {
        share(&self.living, name)
    }

    /// Readings of dead blocks, and those that were called this.
    pub(crate) fn share_of_dead(&self, name: &str) -> f64 {
        share(&self.dead, name)
    }
}

fn share(counts: &BTreeMap<String, u32>, name: &str) -> f64 {
    let all: u32 = counts.values().sum();
    let named: u32 = counts.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, count)| count).sum();
    f64::from(named) / f64::from(all.max(1))
}

impl Account {
    /// All kinds together.
    pub(crate) fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        for tally in self.0.values() {
            for (name, count) in &tally.living {
                *sum.living.entry(name.clone()).or_default() += count;
            }
            for (name, count) in &tally.dead {
                *sum.dead.entry(name.clone()).or_default() += count;
            }
            sum.ended += tally.ended;
            sum.ended_alive += tally.ended_alive;
        }
        sum
    }

    /// A line for each kind.
    pub(crate) fn table(&self, names: &[&str]) -> String {
        let mut lines = String::new();
        for (kind, tally) in &self.0 {
            let name = names.get(*kind as usize).copied().unwrap_or("?");
            lines += &format!("{name:>14} {tally}\n");
        }
        lines + &format!("{:>14} {}\n", "all", self.sum())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "living {:7}: dead {:6.3} % unknown {:6.2} % | dead {:6}: alive {:6.3} % unknown {:6.2} % | ended {:5}, \
             alive to the last {}",
            self.living.values().sum::<u32>(),
            100.0 * self.share_of_living("dead"),
            100.0 * self.share_of_living("unknown"),
            self.dead.values().sum::<u32>(),
            100.0 * self.share_of_dead("alive"),
            100.0 * self.share_of_dead("unknown"),
            self.ended,
            self.ended_alive,
        )?;
        if std::env::var_os("MEMTRACE_LIVENESS_SECONDS").is_some() {
            write!(formatter, "\n{:16}{:?}\n{:16}{:?}", "", self.living, "", self.dead)?;
        }
        Ok(())
    }
}
