//! How many events a second arrive without a loss, by size of the ring.
//!
//! The load is two threads, as many as the reference machine has processors, so memtrace has to win its share of them
//! from its own target: no target is harder. A target cannot go faster than a probe's trap allows, which is what
//! `flat out` shows.

use anyhow::Result;

use super::daemon::{Daemon, losses};
use super::table::{Table, median};
use super::{Bench, number};

const RINGS: [&str; 4] = ["1M", "4M", "16M", "64M"];
const RATES: [u64; 5] = [10_000, 100_000, 300_000, 1_000_000, 0];
const ROUNDS: usize = 3;
const SECONDS: u64 = 2;

struct Run {
    done: f64,
    done_per_second: f64,
    received: f64,
    lost: u64,
    reasons: String,
    cpu_share: f64,
}

pub(super) fn rate(bench: &Bench<'_>) -> Result<()> {
    println!(
        "rate: two threads replace blocks for {SECONDS} s; the median of {ROUNDS} turns (losses: their sum)"
    );
    let heads = [
        "ring",
        "commanded",
        "done/s",
        "received",
        "lost",
        "memtrace's CPU",
        "ns CPU/event",
        "RSS after",
        "lost by reason",
    ];
    let mut table = Table::new(&heads);
    for ring in RINGS {
        measure_ring(bench, ring, &mut table)?;
    }
    print!("{table}");
    Ok(())
}

fn measure_ring(bench: &Bench<'_>, ring: &str, table: &mut Table) -> Result<()> {
    for rate in RATES {
        let arguments = ["2".to_owned(), SECONDS.to_string()];
        let mut load = bench.loads.start("rate", &arguments)?;
        let arguments = ["-i", "1s", "--ring-size", ring, "-p", &load.pid().to_string()];
        let daemon = Daemon::start(&bench.memtrace, &arguments.map(str::to_owned), 1)?;
        let mut runs = Vec::new();
        let mut before = (daemon.settled()?, load.ask("books")?);
        for _ in 0..ROUNDS {
            load.ask(&format!("go {rate}"))?;
            let after = (daemon.settled()?, load.ask("books")?);
            let done = number(&after.1, "/events")? - number(&before.1, "/events")?;
            let cpu_seconds = "/own_cost/cpu_seconds";
            let (lost, reasons) = losses(&before.0, &after.0);
            runs.push(Run {
                done,
                done_per_second: done * 1e9 / number(&after.1, "/wall_ns")?,
                received: number(&after.0, "/quality/events")? - number(&before.0, "/quality/events")?,
                lost,
                reasons,
                cpu_share: (number(&after.0, cpu_seconds)? - number(&before.0, cpu_seconds)?)
                    / SECONDS as f64,
            });
            before = after;
        }
        let rss_bytes = super::resources::of(daemon.pid())?.rss_bytes;
        table.add(row(ring, rate, &runs, rss_bytes));
    }
    Ok(())
}

fn row(ring: &str, rate: u64, runs: &[Run], rss_bytes: u64) -> Vec<String> {
    let middle = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    let reasons: Vec<&str> =
        runs.iter().map(|run| run.reasons.as_str()).filter(|reasons| !reasons.is_empty()).collect();
    vec![
        ring.to_owned(),
        if rate == 0 { "flat out".to_owned() } else { rate.to_string() },
        format!("{:.0}", middle(|run| run.done_per_second)),
        format!("{:.3} %", 100.0 * middle(|run| run.received / run.done)),
        runs.iter().map(|run| run.lost).sum::<u64>().to_string(),
        format!("{:.2}", middle(|run| run.cpu_share)),
        format!("{:.0}", middle(|run| run.cpu_share * SECONDS as f64 * 1e9 / run.received)),
        format!("{} MiB", rss_bytes >> 20),
        reasons.first().copied().unwrap_or("").to_owned(),
    ]
}
