//! A process whose truth is known: it allocates and frees in steps of a millisecond, at addresses that it reuses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use memtrace_common::thinning;

use super::super::random::Random;
use super::*;

/// How long a site's blocks live.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lives {
    ForEver,
    /// Exponentially, with this mean.
    For(u64),
}

/// What a site does. Its stack is its place in the list, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habit {
    pub(super) size_bytes: u64,
    pub(super) per_second: f64,
    pub(super) lives: Lives,
    /// From then on it allocates nothing.
    pub(super) until_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    address: u64,
    habit: usize,
}

/// What an allocator did, in order.
#[derive(Clone, Copy, Debug)]
enum Act {
    Alloc(u64, usize),
    Free(u64),
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) fixture: Fixture,
    habits: Vec<Habit>,
    random: Random,
    blocks: BTreeMap<u64, Block>,
    by_address: BTreeMap<u64, u64>,
    deaths: BinaryHeap<Reverse<(u64, u64)>>,
    free_addresses: Vec<u64>,
    next_block: u64,
    /// Which block each sample is.
    samples: BTreeMap<u64, u64>,
    last_close_ns: u64,
    pub(super) live_bytes: Vec<u64>,
}

pub(super) const WINDOW_NS: u64 = 6 * MS;
const MEAN_BYTES: u64 = 100;

impl World {
    pub(super) fn new(habits: Vec<Habit>, seed: u64) -> Self {
        let mut fixture = Fixture::exact(Limits::default());
        fixture.aggregator.begin_windows(1, 0, seed);
        fixture.checks_each_record = false;
        Self {
            fixture,
            live_bytes: vec![0; habits.len()],
            habits,
            random: Random::new(!seed),
            blocks: BTreeMap::new(),
            by_address: BTreeMap::new(),
            deaths: BinaryHeap::new(),
            free_addresses: Vec::new(),
            next_block: 1,
            samples: BTreeMap::new(),
            last_close_ns: 0,
        }
    }

    /// Until this time, with windows now and then.
    pub(super) fn run(&mut self, until_ns: u64) {
        while self.fixture.now_ns < until_ns {
            let gap_ns = 20 * MS + self.random.next() % (80 * MS);
            let opens_ns = self.fixture.now_ns + gap_ns;
            while self.fixture.now_ns < opens_ns {
                self.step();
                self.look();
            }
            self.window();
        }
    }

    fn window(&mut self) {
        let opens_ns = self.fixture.now_ns;
        self.fixture.open(MEAN_BYTES);
        while self.fixture.now_ns < opens_ns + WINDOW_NS {
            for act in self.step() {
                self.record(act);
            }
        }
        let candidates = self.fixture.candidates();
        let numbers: Vec<_> = candidates.iter().map(|candidate| candidate.sample).collect();
        for candidate in candidates {
            self.samples.insert(candidate.sample, self.by_address[&candidate.address]);
        }
        let (window, closed_ns) = (self.fixture.window, self.fixture.now_ns);
        self.fixture.aggregator.fingerprinted(1, window, &numbers);
        let share = WINDOW_NS as f64 / (closed_ns - self.last_close_ns) as f64;
        let share =
            WindowShare { share, share_low: share, share_high: share, armed_ns: WINDOW_NS, closed_ns };
        self.fixture.aggregator.close_window(1, window, &share);
        self.fixture.window = 0;
        self.last_close_ns = closed_ns;
    }

    /// Every record of a window; which allocations are sampled is drawn as in the kernel.
    fn record(&mut self, act: Act) {
        match act {
            Act::Free(address) => self.fixture.free(LIBC, address),
            Act::Alloc(address, habit) => {
                let size_bytes = self.habits[habit].size_bytes;
                let chance = thinning::chance(size_bytes, MEAN_BYTES, 0) as f64 / thinning::CERTAIN as f64;
                if self.random.happens(chance) {
                    self.fixture.alloc(LIBC, address, size_bytes, habit as u64 + 1);
                } else {
                    self.fixture.hand_out(address);
                }
            }
        }
    }

    /// What a perfect look at memory would show.
    fn look(&mut self) {
        let now_ns = self.fixture.now_ns;
        for due in self.fixture.aggregator.due(1, now_ns, usize::MAX) {
            let is_alive = self.blocks.contains_key(&self.samples[&due.sample]);
            let verdict = if is_alive { Verdict::Alive } else { Verdict::Dead };
            self.fixture.aggregator.judged(1, due.sample, verdict, now_ns);
        }
    }

    /// A millisecond.
    fn step(&mut self) -> Vec<Act> {
        self.fixture.now_ns += MS;
        let now_ns = self.fixture.now_ns;
        let mut acts = Vec::new();
        while let Some(&Reverse((dies_ns, block))) = self.deaths.peek()
            && dies_ns <= now_ns
        {
            self.deaths.pop();
            acts.push(self.free(block));
        }
        for habit in 0..self.habits.len() {
            let Habit { per_second, until_ns, .. } = self.habits[habit];
            let mean = if now_ns < until_ns { per_second / 1_000.0 } else { 0.0 };
            for _ in 0..self.poisson(mean) {
                self.allocate(habit, now_ns, &mut acts);
            }
        }
        acts
    }

    fn allocate(&mut self, habit: usize, now_ns: u64, acts: &mut Vec<Act>) {
        let block = self.next_block;
        self.next_block += 1;
        let address = self.free_addresses.pop().unwrap_or(block * 4_096);
        self.blocks.insert(block, Block { address, habit });
        self.by_address.insert(address, block);
        self.live_bytes[habit] += self.habits[habit].size_bytes;
        acts.push(Act::Alloc(address, habit));
        if let Lives::For(mean_ns) = self.habits[habit].lives {
            let dies_ns = now_ns + self.random.gap_ns(mean_ns);
            if dies_ns / MS == now_ns / MS {
                acts.push(self.free(block));
            } else {
                self.deaths.push(Reverse((dies_ns, block)));
            }
        }
    }

    fn free(&mut self, block: u64) -> Act {
        let Block { address, habit } = self.blocks.remove(&block).expect("it lives");
        self.by_address.remove(&address);
        self.free_addresses.push(address);
        self.live_bytes[habit] -= self.habits[habit].size_bytes;
        Act::Free(address)
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let (limit, mut product, mut count) = ((-mean).exp(), self.random.unit(), 0);
        while product > limit {
            product *= self.random.unit();
            count += 1;
        }
        count
    }
}
