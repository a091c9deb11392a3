//! How the figures are made: one pass over the ledger's blocks, and one over the samples if there are any.

use std::sync::Arc;

use super::epoch::Epoch;
use super::figures::{ProcessFigures, ReportInterval, SiteFigures};
use super::history::Moment;
use super::ledger::ProcessLedger;
use super::query::{Query, Sort};
use super::samples::{Estimates, Passes, SampleEstimate, Tier};
use super::shared::Shared;
use super::sites::SiteNumber;
use super::views::{Filter, Passing, SiteView, keep_top, sample_filter, whole};
use crate::estimate::Interval;
use crate::model::{Estimate, Totals};

const MINUTE_NS: f64 = 60e9;

/// What the samples say of each site that has any, by number.
#[derive(Debug, Default)]
struct SampledSites(Vec<Option<SampleEstimate>>);

impl SampledSites {
    fn of(estimates: Option<&Estimates<'_>>, sites: usize) -> Self {
        let mut sampled = vec![None; if estimates.is_some() { sites } else { 0 }];
        for (site, estimate) in estimates.into_iter().flat_map(Estimates::sites) {
            sampled[site as usize] = Some(estimate);
        }
        Self(sampled)
    }

    fn get(&self, site: usize) -> Option<&SampleEstimate> {
        self.0.get(site)?.as_ref()
    }

    fn live_bytes(&self) -> Vec<u64> {
        self.0
            .iter()
            .map(|estimate| estimate.as_ref().map_or(0, |sampled| whole(sampled.live_bytes)))
            .collect()
    }

    /// Live bytes and blocks of all sites: the sum of what is said of each, so that the sites add up.
    fn live(&self) -> (u64, u64) {
        self.0.iter().flatten().fold((0, 0), |(bytes, blocks), sampled| {
            (
                bytes.saturating_add(whole(sampled.live_bytes)),
                blocks.saturating_add(whole(sampled.live_blocks)),
            )
        })
    }
}

/// The moment of a report, and that which growth is measured against.
#[derive(Clone, Copy)]
struct Moments<'a> {
    now_ns: u64,
    epoch: Epoch,
    basis: Option<&'a Moment>,
}

impl Moments<'_> {
    /// Growth a minute: the ledger's, which is exact, and the samples'.
    fn growth_per_minute(
        &self,
        live_bytes: u64,
        before: impl Fn(&Moment) -> u64,
        sampled: Option<&SampleEstimate>,
    ) -> Option<Interval> {
        let basis = self.basis?;
        let exact_bytes = live_bytes.wrapping_sub(before(basis)).cast_signed() as f64;
        let minutes = self.now_ns.saturating_sub(basis.time_ns) as f64 / MINUTE_NS;
        let growth = match sampled {
            Some(sampled) => sampled.growth_bytes?,
            None => Interval::exact(0.0),
        };
        let per_minute = |bytes: f64| (bytes + exact_bytes) / minutes;
        Some(Interval {
            value: per_minute(growth.value),
            low: per_minute(growth.low),
            high: per_minute(growth.high),
        })
    }
}

impl ProcessLedger {
    pub(super) fn figures(&self, query: &Query, epoch: Epoch, now_ns: u64) -> ProcessFigures {
        let moments = Moments { now_ns, epoch, basis: self.history.basis(now_ns) };
        let then_ns = moments.basis.map(|basis| basis.time_ns);
        let estimates = self.estimates(Passes::ALL, then_ns, now_ns);
        let sampled = SampledSites::of(estimates.as_ref(), self.sites.len());
        let filtered = (!query.is_unfiltered())
            .then(|| self.estimates(sample_filter(query, now_ns), None, now_ns))
            .map(|filtered| SampledSites::of(filtered.as_ref(), self.sites.len()));
        let mut views = self.views(query, &moments, &sampled, filtered.as_ref().unwrap_or(&sampled));
        let other_sites = keep_top(&mut views, query, estimates.is_some());
        let totals = self.totals_with(sampled.live());
        ProcessFigures {
            totals,
            unfollowed: self.unfollowed,
            rates: self.interval.rates(&totals, now_ns),
            sites: views.iter().map(|view| self.site_figures(view, &moments, estimates.as_ref())).collect(),
            other_sites,
            estimate: self.estimate(&moments, estimates.as_ref()),
        }
    }

    /// The totals, with what the samples say of live blocks; what of theirs does not live was freed.
    fn totals_with(&self, sampled: (u64, u64)) -> Totals {
        let (sampled_bytes, sampled_blocks) = sampled;
        let (frees_min, freed_bytes_min) = self.interval.frees_min();
        let frees = self.totals.frees + self.passed_on.allocations.saturating_sub(sampled_blocks);
        let freed_bytes =
            self.totals.freed_bytes.wrapping_add(self.passed_on.bytes.saturating_sub(sampled_bytes));
        let is_exact = self.passed_on.allocations == 0;
        Totals {
            live_bytes: self.totals.live_bytes.wrapping_add(sampled_bytes),
            live_blocks: self.totals.live_blocks.saturating_add(sampled_blocks),
            frees: if is_exact { frees } else { frees.max(frees_min) },
            freed_bytes: if is_exact { freed_bytes } else { freed_bytes.max(freed_bytes_min) },
            ..self.totals
        }
    }

    fn estimates(&self, passes: Passes, then_ns: Option<u64>, now_ns: u64) -> Option<Estimates<'_>> {
        self.book.as_ref().map(|book| Estimates::new(book, passes, then_ns, now_ns))
    }

    pub(super) fn end_interval(&mut self, shared: &mut Shared, now_ns: u64) {
        self.fit_samples(shared);
        let estimates = self.estimates(Passes::ALL, None, now_ns);
        let sampled = SampledSites::of(estimates.as_ref(), self.sites.len());
        let totals = self.totals_with(sampled.live());
        self.sites.end_interval(&sampled.live_bytes());
        self.interval = ReportInterval::beginning(now_ns, totals);
        self.enter_history(now_ns);
    }

    /// Back in the exact tier, and no sample is left that any figure needs: true when there was a book to drop.
    pub(super) fn drop_idle_book(&mut self, now_ns: u64) -> bool {
        let is_idle = |book: &mut super::samples::SampleBook| {
            book.forget_ended(now_ns);
            book.tier == Tier::Exact && book.is_empty()
        };
        if self.book.as_mut().is_some_and(|book| is_idle(book)) {
            self.book = None;
            return true;
        }
        false
    }

    /// The sites that are to be reported.
    fn views<'a>(
        &'a self,
        query: &Query,
        moments: &Moments<'_>,
        sampled: &'a SampledSites,
        filtered: &'a SampledSites,
    ) -> Vec<SiteView<'a>> {
        let lists_idle = query.sort == Sort::Rate && query.is_unfiltered();
        let passing = self.passing(&Filter::new(query, moments.epoch, moments.now_ns));
        let views = self.sites.iter().zip(passing).enumerate().map(|(number, (site, passing))| {
            let before = |moment: &Moment| moment.live_bytes(number as SiteNumber);
            let sampled = sampled.get(number);
            let sampled_passing = filtered.get(number);
            let exact_born_ns = (passing.live_blocks > 0).then(|| moments.epoch.time_ns(passing.born_min));
            let sampled_born_ns = sampled_passing.and_then(|sampled| sampled.oldest_born_ns);
            SiteView {
                number: number as SiteNumber,
                site,
                passing,
                sampled_passing,
                sampled,
                growth_per_minute: moments.growth_per_minute(site.live_bytes, before, sampled),
                born_min_ns: exact_born_ns.into_iter().chain(sampled_born_ns).min().unwrap_or(u64::MAX),
            }
        });
        views.filter(|view| view.is_live() || (lists_idle && view.allocations() > 0)).collect()
    }

    /// For each site, what of its blocks passes: one pass over all blocks.
    fn passing(&self, filter: &Filter) -> Vec<Passing> {
        let mut passing = vec![Passing::NONE; self.sites.len()];
        for block in self.blocks.iter().chain(self.reallocs.blocks()) {
            if filter.passes(block) {
                passing[block.site as usize].add(block);
            }
        }
        passing
    }

    fn site_figures(
        &self,
        view: &SiteView<'_>,
        moments: &Moments<'_>,
        estimates: Option<&Estimates<'_>>,
    ) -> SiteFigures {
        let exact = (view.site.live_bytes, view.site.live_blocks);
        let survival = estimates.map_or([None; 3], |estimates| estimates.survival(Some(view.number)));
        SiteFigures {
            frames: Arc::clone(&view.site.frames),
            domain: view.site.domain,
            live_bytes: view.live_bytes(),
            live_blocks: view.live_blocks(),
            allocated_bytes: view.site.allocated_bytes,
            allocations: view.site.allocations,
            growth_bytes: view.growth_bytes(),
            allocations_per_second: self.interval.rate(view.allocations(), moments.now_ns),
            oldest_age_ns: (view.born_min_ns != u64::MAX)
                .then(|| moments.now_ns.saturating_sub(view.born_min_ns)),
            estimate: estimate(exact, view.sampled, view.growth_per_minute, survival),
        }
    }

    /// Of the process as a whole.
    fn estimate(&self, moments: &Moments<'_>, estimates: Option<&Estimates<'_>>) -> Estimate {
        let sampled = estimates.map(Estimates::process);
        let exact = (self.totals.live_bytes, self.totals.live_blocks);
        let growth = moments.growth_per_minute(exact.0, Moment::live_bytes_total, sampled.as_ref());
        let survival = estimates.map_or([None; 3], |estimates| estimates.survival(None));
        estimate(exact, sampled.as_ref(), growth, survival)
    }
}

impl SiteView<'_> {
    fn is_live(&self) -> bool {
        let unknown_bytes = self.sampled_passing.map_or(0, |sampled| sampled.unknown_bytes);
        self.live_blocks() > 0 || self.live_bytes() > 0 || unknown_bytes > 0
    }
}

/// What is exact is certain, and adds to the samples without widening what they say.
fn estimate(
    exact: (u64, u64),
    sampled: Option<&SampleEstimate>,
    growth_bytes_per_minute: Option<Interval>,
    survival: [Option<Interval>; 3],
) -> Estimate {
    let (exact_bytes, exact_blocks) = (Interval::exact(exact.0 as f64), Interval::exact(exact.1 as f64));
    Estimate {
        live_bytes: sampled.map_or(exact_bytes, |sampled| sampled.live_bytes.plus(exact_bytes)),
        live_blocks: sampled.map_or(exact_blocks, |sampled| sampled.live_blocks.plus(exact_blocks)),
        growth_bytes_per_minute,
        survival,
        sampled_blocks: sampled.map_or(0, |sampled| sampled.sampled_blocks),
        unknown_bytes: sampled.map_or(0, |sampled| sampled.unknown_bytes),
    }
}
