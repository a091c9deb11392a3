//! Known truths, many seeds: do the intervals hold them, do they shrink, and is the leak found?

use super::world::{Habit, Lives, World};
use super::*;
use crate::estimate::Interval;

const LEAK: usize = 0;
const CACHE: usize = 1;
const CHURN: usize = 2;
const FLOOD: usize = 3;
const CACHE_FULL_NS: u64 = 15 * SECOND;

fn habits() -> Vec<Habit> {
    let habit = |size_bytes, per_second, lives| Habit { size_bytes, per_second, lives, until_ns: u64::MAX };
    vec![
        habit(150, 40.0, Lives::ForEver),
        Habit { until_ns: CACHE_FULL_NS, ..habit(400, 100.0, Lives::ForEver) },
        habit(100, 200.0, Lives::For(1_500 * MS)),
        habit(60, 1_500.0, Lives::For(4 * MS)),
    ]
}

/// How often an interval held the truth.
#[derive(Clone, Copy, Debug, Default)]
struct Hits {
    hits: u32,
    of: u32,
    /// Sums, to compare means: the estimates are to be right on average.
    estimated: f64,
    truth: f64,
}

impl Hits {
    fn add(&mut self, interval: Interval, truth: f64) {
        self.hits += u32::from(interval.low <= truth && truth <= interval.high);
        self.of += 1;
        self.estimated += interval.value;
        self.truth += truth;
    }

    fn share(&self) -> f64 {
        f64::from(self.hits) / f64::from(self.of)
    }

    fn bias(&self) -> f64 {
        self.estimated / self.truth - 1.0
    }
}

fn estimate(figures: &ProcessFigures, habit: usize) -> Option<&crate::model::Estimate> {
    figures.sites.iter().find(|site| line(site) == habit as u32 + 1).map(|site| &site.estimate)
}

/// A report every 2.1 s, over this many seeds.
fn reports(seeds: u64, mut look: impl FnMut(u64, &World, &ProcessFigures)) {
    for seed in 1..=seeds {
        let mut world = World::new(habits(), seed);
        for report in 1..=16 {
            world.run(3 * SECOND + report * 2_100 * MS);
            let figures = world.fixture.figures(Sort::Growth);
            assert_adds_up(&figures);
            look(report, &world, &figures);
            world.fixture.aggregator.end_interval(1, world.fixture.now_ns);
        }
    }
}

#[test]
fn the_truth_lies_in_the_interval_and_the_estimates_are_right_on_average() {
    let mut sites = [Hits::default(); 4];
    let mut process = Hits::default();
    reports(12, |_, world, figures| {
        for (habit, hits) in sites.iter_mut().enumerate() {
            if let Some(estimate) = estimate(figures, habit) {
                hits.add(estimate.live_bytes, world.live_bytes[habit] as f64);
            }
        }
        process.add(figures.estimate.live_bytes, world.live_bytes.iter().sum::<u64>() as f64);
    });
    for (hits, name) in sites.iter().chain([&process]).zip(["leak", "cache", "churn", "flood", "process"]) {
        assert!(hits.share() >= 0.9, "{name}: {hits:?}, {} held, bias {}", hits.share(), hits.bias());
    }
    for (hits, bias_max) in [(sites[LEAK], 0.1), (sites[CACHE], 0.1), (sites[CHURN], 0.1), (process, 0.1)] {
        assert!(hits.bias().abs() < bias_max, "{hits:?}: bias {}", hits.bias());
    }
    // Each window sees some of these, which stand for a stretch of sixty milliseconds and live for four.
    let flood = sites[FLOOD];
    assert!(
        flood.estimated < flood.truth * 5.0,
        "blocks of milliseconds do not count as if they stayed: {flood:?}"
    );
}

#[test]
fn intervals_shrink_as_windows_add_up() {
    let width = |interval: Interval| (interval.high - interval.low) / interval.value;
    let (mut early, mut late) = (0.0, 0.0);
    reports(6, |report, _, figures| {
        let leak = estimate(figures, LEAK).map_or(f64::INFINITY, |leak| width(leak.live_bytes));
        early += if report == 2 { leak } else { 0.0 };
        late += if report == 16 { leak } else { 0.0 };
    });
    assert!(late < early / 1.5, "{early} {late}");
}

#[test]
fn the_leak_ranks_first_by_growth_and_the_filled_cache_does_not() {
    let mut growth = Hits::default();
    for seed in 1..=6 {
        let mut world = World::new(habits(), seed);
        for second in 1..=90 {
            world.run(second * SECOND);
            world.fixture.aggregator.end_interval(1, world.fixture.now_ns);
        }
        let figures = world.fixture.figures(Sort::Growth);
        assert_eq!(line(&figures.sites[0]), LEAK as u32 + 1, "seed {seed}");
        let rate = |habit| estimate(&figures, habit).and_then(|known| known.growth_bytes_per_minute);
        let (leak, cache) = (rate(LEAK).expect("listed"), rate(CACHE).expect("listed"));
        assert!(leak.low > 0.0, "seed {seed}: {leak:?}");
        assert!(cache.low <= 0.0 && cache.value.abs() < leak.value / 10.0, "seed {seed}: {cache:?}");
        growth.add(leak, 40.0 * 150.0 * 60.0);
        let [ten, minute, _] = estimate(&figures, LEAK).expect("listed").survival;
        let (ten, minute) = (ten.expect("old enough"), minute.expect("old enough"));
        assert!(ten.value > 0.95 && minute.value > 0.95, "seed {seed}: {ten:?} {minute:?}");
        let churn = estimate(&figures, CHURN).expect("listed").survival[0].expect("old enough");
        assert!(churn.low < 0.01 && churn.value < 0.1, "seed {seed}: {churn:?}");
        let flood = estimate(&figures, FLOOD).map_or(0.0, |flood| flood.live_bytes.value);
        assert!(flood < 10_000.0, "seed {seed}: {flood}");
    }
    assert!(growth.hits >= 5 && growth.bias().abs() < 0.15, "{growth:?}");
}
