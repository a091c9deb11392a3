//! What is sampled is said to be, and how sure the figures are.
//!
//! In: how closely a process is watched, and figures with their errors. Out: at most one line each. Exact figures get
//! no line about errors: they have none.

use crate::model::{Estimate, Interval, Overhead, SURVIVAL_AGES_SECONDS, Tier};

use super::text::safe;
use super::units;

/// How closely a process is watched, and at what cost.
pub(super) fn tier_line(overhead: &Overhead) -> String {
    let spent = format!("{} of a core", units::percent(overhead.spent_share));
    let allowed = match overhead.limit_share {
        Some(limit_share) => format!("{} allowed", units::percent(limit_share)),
        None => "no limit".to_owned(),
    };
    let reason = overhead.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", safe(reason)));
    match overhead.tier {
        Tier::Exact => format!("exact, at {spent} ({allowed})"),
        Tier::Windows => format!(
            "sampled in windows, {} of the time, at {spent} ({allowed}){reason}",
            units::percent(overhead.armed_share)
        ),
        Tier::Off => format!("not traced ({allowed}){reason}"),
    }
}

/// The mark in front of an estimate.
pub(super) fn about(interval: &Interval) -> &'static str {
    if interval.is_exact() { "" } else { "~" }
}

/// How sure the figures are; `None` when they are exact.
pub(super) fn error_line(estimate: &Estimate) -> Option<String> {
    if estimate.live_bytes.is_exact() {
        return None;
    }
    let mut parts = vec![format!("{} live", span(&estimate.live_bytes, |value| units::bytes(value as u64)))];
    // Without a lower end nothing is known of it.
    if let Some(growth) = estimate.growth_bytes_per_minute.filter(|growth| growth.low.is_finite()) {
        parts.push(format!("{} a minute", span(&growth, |value| units::growth(value as i64))));
    }
    if estimate.unknown_bytes > 0 {
        parts.push(format!("{} may live or not", units::bytes(estimate.unknown_bytes)));
    }
    parts.extend(survival(&estimate.survival));
    let samples = units::counted(estimate.sampled_blocks, "sample");
    Some(format!("95 % sure, by {samples}: {}", parts.join(", ")))
}

fn span(interval: &Interval, text: impl Fn(f64) -> String) -> String {
    if interval.high.is_finite() {
        format!("{} to {}", text(interval.low), text(interval.high))
    } else {
        format!("{} or more", text(interval.low))
    }
}

fn survival(survival: &[Option<Interval>]) -> Option<String> {
    let ages = SURVIVAL_AGES_SECONDS.into_iter().zip(survival);
    let known: Vec<String> = ages
        .filter_map(|(age_seconds, share)| {
            Some(format!("{} reach {age_seconds} s", units::percent((*share)?.value)))
        })
        .collect();
    (!known.is_empty()).then(|| known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures::{process, sampled_process};

    #[test]
    fn a_sampled_process_says_how_it_is_watched_and_how_sure_its_figures_are() {
        let process = sampled_process(1, "hot");
        assert_eq!(
            tier_line(&process.overhead),
            "sampled in windows, 0.6 % of the time, at 0.9 % of a core (1.0 % allowed): \
             1,012,000 allocations/s would cost 91 % of a core"
        );
        assert_eq!(
            error_line(&process.sites[0].estimate).unwrap(),
            "95 % sure, by 34 samples: 333.8 MiB to 515.0 MiB live, +781.3 KiB to +1.3 MiB a minute, \
             2.0 MiB may live or not, 12.0 % reach 10 s, 3.1 % reach 60 s"
        );
        assert!(error_line(&process.estimate).unwrap().contains(" 333.8 MiB or more live"));
    }

    #[test]
    fn an_exact_process_has_no_errors_to_speak_of() {
        let process = process(1, "cool");
        assert_eq!(tier_line(&process.overhead), "exact, at 0.8 % of a core (1.0 % allowed)");
        assert_eq!(error_line(&process.estimate), None);
        assert_eq!(about(&process.estimate.live_bytes), "");
    }

    #[test]
    fn what_lifts_the_limit_and_what_is_not_traced_at_all_are_told_apart() {
        let unlimited = Overhead { spent_share: 0.5, ..Overhead::default() };
        assert_eq!(tier_line(&unlimited), "exact, at 50.0 % of a core (no limit)");
        let reason = Some("one window\x1b costs more than a minute's budget".to_owned());
        let off = Overhead { tier: Tier::Off, limit_share: Some(0.001), reason, ..Overhead::default() };
        let line = tier_line(&off);
        assert!(line.starts_with("not traced (0.1 % allowed): one window"), "{line}");
        assert!(!line.contains('\x1b'), "{line}");
    }
}
