//! How fast a site's blocks die at each age, or are lost from sight, to judge the time since a sample was last seen alive.
//!
//! A sample is looked at again after a sixteenth of its age or so, and counts as alive until then. Where blocks die,
//! some of those already have. The share that still lives is taken as `(age then / age now)^rate`: the same share dies
//! each time the age doubles, which is how lifetimes spread over many orders of magnitude, and for the short time
//! between two looks it is as good as any. The rate is what was seen: deaths by the logarithm of the age lived through.
//!
//! Invariant: the share is in 0..=1; where nobody was seen to die among many, it is near 1.

use hashbrown::HashMap;

use crate::aggregate::sites::SiteNumber;

/// Ages that have a rate of their own: under 0.1 s, under 1 s, and so on.
const CLASSES: usize = 5;

/// Younger than this, all are of one age: the logarithm has to start somewhere.
const AGE_MIN_NS: u64 = 1_000_000;

/// Of a site or process without any experience: one in four is gone when the age has doubled.
const RATE_UNSEEN: f32 = 0.4;

/// Experience beyond this counts half from then on: a site may change its ways, and sums must not grow for ever.
const REMEMBERED: f32 = 4_096.0;

/// Deaths and lifetime, which is in units of the age's logarithm.
#[derive(Clone, Copy, Debug, Default)]
struct Toll {
    deaths: f32,
    lived: f32,
}

impl Toll {
    const fn add(&mut self, deaths: f32, lived: f32) {
        self.deaths += deaths;
        self.lived += lived;
        if self.deaths + self.lived > REMEMBERED {
            self.deaths /= 2.0;
            self.lived /= 2.0;
        }
    }

    /// As if one unit more had been lived through, at the usual rate.
    fn rate(self, usual: f32) -> f32 {
        (self.deaths + usual) / (self.lived + 1.0)
    }
}

/// The rates of all sites of a process.
#[derive(Debug, Default)]
pub(super) struct Declines {
    sites: HashMap<SiteNumber, [Toll; CLASSES]>,
    process: [Toll; CLASSES],
}

impl Declines {
    /// A block of this site was alive at one age and at a later one.
    pub(super) fn survived(&mut self, site: SiteNumber, from_ns: u64, to_ns: u64) {
        self.add(site, from_ns, 0.0, growth(from_ns, to_ns));
    }

    /// It was alive at one age, and dead or not to be recognized when it would have been of another.
    pub(super) fn died(&mut self, site: SiteNumber, from_ns: u64, to_ns: u64) {
        let growth = growth(from_ns, to_ns);
        let class = class(from_ns);
        let lived = lived_by_the_dead(self.rate(site, class), growth);
        self.add(site, from_ns, 1.0, lived);
    }

    /// The age at which a block has died, as likely before as after, that was alive at one age and dead at a later one.
    pub(super) fn death_age_ns(&self, site: SiteNumber, from_ns: u64, to_ns: u64) -> u64 {
        let growth = growth(from_ns, to_ns);
        if growth <= 0.0 {
            return u64::midpoint(from_ns, to_ns);
        }
        let rate = self.rate(site, class(from_ns)).max(1e-3);
        let median = (f64::midpoint(1.0, f64::from(-rate * growth).exp())).powf(-1.0 / f64::from(rate));
        let age_ns = from_ns.max(AGE_MIN_NS) as f64 * median;
        (age_ns as u64).clamp(from_ns, to_ns)
    }

    fn add(&mut self, site: SiteNumber, from_ns: u64, deaths: f32, lived: f32) {
        let class = class(from_ns);
        self.process[class].add(deaths, lived);
        self.sites.entry(site).or_default()[class].add(deaths, lived);
    }

    /// The share that lives at one age of those that did at an earlier one.
    pub(super) fn share(&self, site: SiteNumber, from_ns: u64, to_ns: u64) -> f64 {
        let growth = growth(from_ns, to_ns);
        if growth <= 0.0 {
            return 1.0;
        }
        f64::from(-self.rate(site, class(from_ns)) * growth).exp()
    }

    fn rate(&self, site: SiteNumber, class: usize) -> f32 {
        let usual = self.process[class].rate(RATE_UNSEEN);
        self.sites.get(&site).map_or(usual, |tolls| tolls[class].rate(usual))
    }
}

/// How much of a growth in age those have lived through, on average, who died in it: the mean of an exponential
/// distribution that is cut off. Half of it, were the rate 0; the rate follows from this in turn (an EM step for each
/// death), so that where all die at once the rate rises beyond what the time between two looks could tell.
fn lived_by_the_dead(rate: f32, growth: f32) -> f32 {
    let turns = rate * growth;
    if turns < 0.01 {
        return growth / 2.0;
    }
    (1.0 / rate - growth / turns.exp_m1()).max(0.0)
}

/// Natural logarithm of how often an age is contained in a later one.
fn growth(from_ns: u64, to_ns: u64) -> f32 {
    let ratio = to_ns.max(AGE_MIN_NS) as f64 / from_ns.max(AGE_MIN_NS) as f64;
    ratio.ln().max(0.0) as f32
}

const fn class(age_ns: u64) -> usize {
    match age_ns {
        0..100_000_000 => 0,
        100_000_000..1_000_000_000 => 1,
        1_000_000_000..10_000_000_000 => 2,
        10_000_000_000..100_000_000_000 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_site_whose_blocks_stay_is_trusted_and_one_whose_blocks_go_is_not() {
        let mut declines = Declines::default();
        for _ in 0..50 {
            declines.survived(1, 3 * MS, 100 * MS);
            declines.died(2, 3 * MS, 100 * MS);
        }
        assert!(declines.share(1, 3 * MS, 100 * MS) > 0.97);
        assert!(declines.share(2, 3 * MS, 100 * MS) < 0.2);
        let unseen = declines.share(3, 3 * MS, 100 * MS);
        assert!((0.1..0.9).contains(&unseen), "like the process: {unseen}");
    }

    #[test]
    fn no_time_kills_nobody_and_shares_stay_shares() {
        let declines = Declines::default();
        assert!((declines.share(1, 0, 0) - 1.0).abs() < 1e-12);
        assert!((declines.share(1, 9 * MS, 5 * MS) - 1.0).abs() < 1e-12);
        let mut declines = declines;
        for _ in 0..1_000_000 {
            declines.survived(1, 0, u64::MAX);
        }
        let share = declines.share(1, 0, u64::MAX);
        assert!((0.0..1.0).contains(&share), "{share}");
    }
}
