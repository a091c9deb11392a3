//! The fingerprints and the judge of every target that is followed.

use std::collections::HashMap;

use memtrace_common::Domain;
use memtrace_core::liveness::{
    Block, Fingerprint, Judge, Opinion, Parts, Range, Ranges, Verdict, freed_ranges, ranges,
};

use super::orders::{Order, SampleNumber};
use super::reader::{BatchReader, Gone, Readings};

/// Blocks read in one go: two ranges each, and a call takes 1,024. So a reading is as old as what it is judged by.
const BLOCKS_A_BATCH: usize = 512;

/// Samples followed of one target at most.
const SAMPLES_MAX: usize = 1 << 18;

/// What is known of every target.
#[derive(Debug, Default)]
pub(super) struct Book {
    targets: HashMap<u32, Target>,
    reader: BatchReader,
    closer_reader: BatchReader,
}

/// What an order has led to.
#[derive(Debug)]
pub(super) enum Found {
    /// A check.
    Check(Check),
    /// A meeting: each sample, and whether it has a fingerprint.
    Meeting { target: u32, samples: Vec<(SampleNumber, bool)> },
}

/// What a check found.
#[derive(Debug, Default)]
pub(super) struct Check {
    pub(super) target: u32,
    pub(super) verdicts: Vec<(SampleNumber, Verdict)>,
    pub(super) strangers: Vec<SampleNumber>,
    pub(super) is_gone: bool,
}

#[derive(Debug)]
struct Target {
    pid: u32,
    judge: Judge,
    fingerprints: HashMap<SampleNumber, Fingerprint>,
}

impl Book {
    /// Carries out an order; a check and a meeting have an answer.
    pub(super) fn carry_out(&mut self, order: Order) -> Option<Found> {
        match order {
            Order::Begin { target, pid, allocators } => {
                let known = Target { pid, judge: Judge::new(allocators), fingerprints: HashMap::new() };
                self.targets.insert(target, known);
            }
            Order::Remember { target, samples } => self.remember(target, samples),
            Order::Learn { target, freed } => self.learn(target, &freed),
            Order::Check { target, samples } => return Some(Found::Check(self.check(target, samples))),
            Order::Meet { target, blocks } => {
                return Some(Found::Meeting { target, samples: self.meet(target, &blocks) });
            }
            Order::Forget { target, samples } => {
                if let Some(known) = self.targets.get_mut(&target) {
                    for sample in samples {
                        known.fingerprints.remove(&sample);
                    }
                }
            }
            Order::End { target } => {
                self.targets.remove(&target);
            }
        }
        None
    }

    fn remember(&mut self, target: u32, samples: Vec<(SampleNumber, Fingerprint)>) {
        let Some(known) = self.targets.get_mut(&target) else { return };
        for (sample, fingerprint) in samples {
            if known.fingerprints.len() < SAMPLES_MAX {
                known.judge.remember(&fingerprint);
                known.fingerprints.insert(sample, fingerprint);
            }
        }
    }

    fn meet(&mut self, target: u32, blocks: &[(SampleNumber, Block)]) -> Vec<(SampleNumber, bool)> {
        let strangers = || blocks.iter().map(|(sample, _)| (*sample, false)).collect();
        let Some(known) = self.targets.get(&target) else { return strangers() };
        let (pid, allocators) = (known.pid, *known.judge.allocators());
        let mut fingerprints = Vec::with_capacity(blocks.len());
        for batch in blocks.chunks(BLOCKS_A_BATCH) {
            let every = batch.iter().map(|(_, block)| ranges(block, &allocators));
            let places: Vec<_> = every.scan(0, Place::next).collect();
            let Ok(readings) = self.reader.read(pid, Place::ranges(&places)) else { return strangers() };
            for ((sample, block), place) in batch.iter().zip(&places) {
                let fingerprint = Fingerprint::from_bytes(*block, &allocators, &place.parts(readings));
                fingerprints.push((*sample, fingerprint));
            }
        }
        let met = fingerprints.iter().map(|(sample, fingerprint)| (*sample, fingerprint.is_some())).collect();
        let known = fingerprints.into_iter().filter_map(|(sample, fingerprint)| Some((sample, fingerprint?)));
        self.remember(target, known.collect());
        met
    }

    fn learn(&mut self, target: u32, freed: &[(u64, Domain)]) {
        let Some(known) = self.targets.get_mut(&target) else { return };
        let allocators = *known.judge.allocators();
        for batch in freed.chunks(BLOCKS_A_BATCH) {
            let every = batch.iter().map(|(address, domain)| freed_ranges(*address, *domain, &allocators));
            let places: Vec<_> = every.scan(0, Place::next).collect();
            let Ok(readings) = self.reader.read(known.pid, Place::ranges(&places)) else { return };
            let every = batch.iter().zip(&places);
            let asked: Vec<Range> = every
                .filter_map(|((address, domain), place)| {
                    known.judge.learn_freed(*address, *domain, &place.parts(readings))
                })
                .collect();
            let Ok(looked) = self.closer_reader.read(known.pid, asked.iter().copied()) else { return };
            for (index, range) in asked.iter().enumerate() {
                known.judge.learn_cache(*range, looked.get(index));
            }
        }
    }

    fn check(&mut self, target: u32, samples: Vec<SampleNumber>) -> Check {
        let Some(known) = self.targets.get_mut(&target) else {
            return Check { target, strangers: samples, ..Check::default() };
        };
        let mut check = Check { target, ..Check::default() };
        let mut prints = Vec::with_capacity(samples.len());
        for sample in samples {
            match known.fingerprints.get(&sample) {
                Some(fingerprint) => prints.push((sample, *fingerprint)),
                None => check.strangers.push(sample),
            }
        }
        for batch in prints.chunks_mut(BLOCKS_A_BATCH) {
            match judge_batch(known, batch, &mut self.reader, &mut self.closer_reader) {
                Ok(verdicts) => check.verdicts.extend(verdicts),
                Err(Gone { .. }) => {
                    // What was judged before may have been read from a process that was ending.
                    return Check { target, strangers: check.strangers, is_gone: true, verdicts: Vec::new() };
                }
            }
        }
        known.fingerprints.extend(prints);
        for (sample, verdict) in &check.verdicts {
            if matches!(verdict, Verdict::Dead(_)) {
                known.fingerprints.remove(sample);
            }
        }
        check
    }
}

fn judge_batch(
    target: &mut Target,
    batch: &mut [(SampleNumber, Fingerprint)],
    reader: &mut BatchReader,
    closer_reader: &mut BatchReader,
) -> Result<Vec<(SampleNumber, Verdict)>, Gone> {
    let allocators = *target.judge.allocators();
    let every = batch.iter().map(|(_, fingerprint)| ranges(fingerprint.block(), &allocators));
    let places: Vec<_> = every.scan(0, Place::next).collect();
    let readings = reader.read(target.pid, Place::ranges(&places))?;
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut unsettled = Vec::new();
    for ((sample, fingerprint), place) in batch.iter_mut().zip(&places) {
        let parts = place.parts(readings);
        match target.judge.judge(fingerprint, &parts) {
            Opinion::Settled(verdict) => verdicts.push((*sample, verdict)),
            Opinion::Look(range) => unsettled.push((*sample, fingerprint, parts, range)),
        }
    }
    let looks: Vec<Range> = unsettled.iter().map(|(.., range)| *range).collect();
    let looked = closer_reader.read(target.pid, looks)?;
    for (index, (sample, fingerprint, parts, _)) in unsettled.into_iter().enumerate() {
        verdicts.push((sample, target.judge.settle(fingerprint, &parts, looked.get(index))));
    }
    Ok(verdicts)
}

/// Where a block's ranges are among those of a batch.
struct Place {
    first: usize,
    ranges: Ranges,
}

impl Place {
    fn next(first: &mut usize, ranges: Ranges) -> Option<Self> {
        let place = Self { first: *first, ranges };
        *first += ranges.as_slice().len();
        Some(place)
    }

    fn ranges(places: &[Self]) -> impl Iterator<Item = Range> {
        places.iter().flat_map(|place| place.ranges.as_slice().iter().copied())
    }

    fn parts<'a>(&self, readings: Readings<'a>) -> Parts<'a> {
        let count = self.ranges.as_slice().len();
        std::array::from_fn(|index| if index < count { readings.get(self.first + index) } else { None })
    }
}
