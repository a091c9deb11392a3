//! The last line of every block: how far the figures above can be trusted, and what they cost.
//!
//! Invariant: it is always there, always one line, never cut to the terminal's width, and names every reason for
//! which something was lost.

use crate::model::{OwnCost, Quality, Snapshot};

use super::paint::{Paint, Style};
use super::units;

/// The ledger's fill is only worth a word from here on.
const LEDGER_FILL_SHOWN: f64 = 0.5;

/// The line, without line break.
pub(super) fn quality_line(snapshot: &Snapshot, paint: Paint) -> String {
    let quality = &snapshot.quality;
    let mut parts = vec![units::counted(quality.events, "event"), losses(quality, paint)];
    if quality.stacks_truncated > 0 {
        parts.push(format!("{} truncated", units::counted(quality.stacks_truncated, "stack")));
    }
    if quality.frames_unresolved > 0 {
        parts.push(format!("{} without a name", units::counted(quality.frames_unresolved, "frame")));
    }
    parts.extend(ledger_fill(&snapshot.own_cost, paint));
    let cost = &snapshot.own_cost;
    format!(
        "quality: {}; memtrace itself: {} CPU, {}",
        parts.join(", "),
        units::percent(cost.cpu_share),
        units::bytes(cost.rss_bytes)
    )
}

fn losses(quality: &Quality, paint: Paint) -> String {
    if quality.dropped_total() == 0 {
        return "nothing dropped".to_owned();
    }
    let reasons: Vec<String> = quality
        .dropped
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{} {}", reason.name(), units::count(*count)))
        .collect();
    let text = format!("{} dropped ({})", units::count(quality.dropped_total()), reasons.join(", "));
    paint.paint(Style::Alert, &text)
}

fn ledger_fill(cost: &OwnCost, paint: Paint) -> Option<String> {
    if cost.ledger_capacity == 0 {
        return None;
    }
    let fill = cost.ledger_blocks as f64 / cost.ledger_capacity as f64;
    (fill > LEDGER_FILL_SHOWN).then(|| {
        let text = format!(
            "ledger {} full ({} of {} blocks)",
            units::percent(fill),
            units::count(cost.ledger_blocks),
            units::count(cost.ledger_capacity)
        );
        paint.paint(Style::Alert, &text)
    })
}
