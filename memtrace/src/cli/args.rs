//! What was typed ([`Cli`]) and what it means ([`Settings`]).

use std::{ffi::OsString, time::Duration};

use anyhow::bail;
use clap::{Args, Parser, ValueEnum};
use memtrace_core::{
    aggregate::{Query, Sort},
    budget::Limits,
};

use crate::{
    kernel::Backend,
    serve::ListenAddress,
    targets::{NamePattern, Selection},
};

const EXAMPLES: &str = "\
Examples:
  sudo memtrace --comm python                 every Python process, now and later
  sudo memtrace -p 4242 -d 60s --sort growth  what grew in one process in a minute
  sudo memtrace --comm gunicorn --json        one JSON object a line (docs/json.md)
  sudo memtrace --comm python --listen :9777  Prometheus metrics (docs/metrics.md)
  sudo memtrace -- python3 app.py             a program, from its first instruction
  sudo memtrace doctor -p 4242                what can be traced here, and how

Exit status: 0 fine, 2 error, 3 cannot run here.";

/// Shows what holds the memory of running processes, by stack and source line.
///
/// No restart, no code change, nothing injected: eBPF probes on the C library's allocators, read from outside.
#[derive(Parser, Debug)]
#[command(name = "memtrace", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, args_override_self = true)]
pub struct Cli {
    #[command(subcommand)]
    pub(super) subcommand: Option<Subcommand>,

    /// Trace this process (repeatable)
    #[arg(short, long = "pid", value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Vec<u32>,

    /// Trace processes with this name, a prefix or a glob, now and later (repeatable)
    #[arg(short = 'c', long = "comm", value_name = "NAME")]
    comm: Vec<NamePattern>,

    /// Time between reports
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = interval)]
    interval: Duration,

    /// Stop after this time instead of at Ctrl-C
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,

    /// Sites shown of each process
    #[arg(short = 'n', long = "top", value_name = "N", default_value_t = 10)]
    top: usize,

    /// Order of sites
    #[arg(long, value_enum, default_value_t = SortArgument::Live)]
    sort: SortArgument,

    /// Only blocks of at least this age
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older: Option<Duration>,

    /// Only blocks of at least this size (64, 4k, 1M)
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    min_size: Option<u64>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// Serve Prometheus metrics at ADDR:PORT; loopback unless ADDR says otherwise
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<ListenAddress>,

    /// What tracing may cost each process, in percent of one core
    #[arg(long, value_name = "PERCENT", default_value = "1%", value_parser = percent)]
    max_overhead: f64,

    /// What tracing may cost all processes together, in percent of one core [default: 1% of the machine, at least 3% of a core]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    max_total_overhead: Option<f64>,

    /// See every call, whatever it costs the processes
    #[arg(long, conflicts_with_all = ["max_overhead", "max_total_overhead"])]
    exact: bool,

    /// Trace Python's own object allocator too; much slower targets
    #[arg(long)]
    python_objects: bool,

    /// Show interpreter and allocator frames
    #[arg(long)]
    show_internal: bool,

    /// Size of the ring buffer between kernel and daemon
    #[arg(long, value_name = "BYTES", default_value = "16M", value_parser = ring_bytes)]
    ring_size: u32,

    /// How probes are attached: one link a file, or one event a probe, which sees vfork children too
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    attach: Backend,

    /// Say more on stderr; twice for the BPF programs' messages
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Start this program, as the invoking user under sudo, and trace it
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Besides tracing.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Subcommand {
    /// Say what this kernel, these rights and a process allow; for bug reports
    Doctor(DoctorArguments),
}

/// Of `doctor`.
#[derive(Args, Debug)]
pub(super) struct DoctorArguments {
    /// Look at this process too
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) pid: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum SortArgument {
    /// Live bytes
    Live,
    /// Change of live bytes since the last report
    Growth,
    /// Allocations a second
    Rate,
    /// Live blocks
    Count,
    /// The oldest block
    Age,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// A run, resolved.
#[derive(Debug)]
pub struct Settings {
    /// Which processes.
    pub selection: Selection,
    /// A program to start; empty for none.
    pub command: Vec<OsString>,
    /// Time between reports.
    pub interval: Duration,
    /// When to stop by itself.
    pub duration: Option<Duration>,
    /// What to report of each process.
    pub query: Query,
    /// How.
    pub format: Format,
    /// Where to serve metrics.
    pub listen: Option<ListenAddress>,
    /// What tracing may cost; `None` without limits.
    pub limits: Option<Limits>,
    /// Trace Python's object allocator.
    pub python_objects: bool,
    /// Show what is otherwise hidden.
    pub show_internal: bool,
    /// Size of the ring.
    pub ring_bytes: u32,
    /// Have the BPF programs log.
    pub kernel_log: bool,
    /// How to attach.
    pub backend: Backend,
}

/// Resolves what was typed, without a look at the machine.
pub(super) fn settings(cli: &Cli) -> anyhow::Result<Settings> {
    if cli.pid.is_empty() && cli.comm.is_empty() && cli.command.is_empty() {
        bail!(
            "which processes? Give --comm NAME, --pid PID, or -- COMMAND. Try:\n    sudo memtrace --comm python"
        );
    }
    Ok(Settings {
        selection: Selection { pids: cli.pid.iter().copied().collect(), names: cli.comm.clone() },
        command: cli.command.clone(),
        interval: cli.interval,
        duration: cli.duration,
        query: Query {
            top: cli.top,
            sort: cli.sort.into(),
            older_ns: cli.older.map(|older| older.as_nanos() as u64),
            min_size_bytes: cli.min_size,
        },
        format: if cli.json { Format::Json } else { Format::Text },
        listen: cli.listen,
        limits: (!cli.exact).then(|| limits(cli)),
        python_objects: cli.python_objects,
        show_internal: cli.show_internal,
        ring_bytes: cli.ring_size,
        kernel_log: cli.verbose > 1,
        backend: cli.attach,
    })
}

fn limits(cli: &Cli) -> Limits {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let machine = Limits::of_machine(cores);
    Limits {
        target_share: cli.max_overhead,
        // Who allows one process more than all of them by default means it.
        total_share: cli.max_total_overhead.unwrap_or(machine.total_share.max(cli.max_overhead)),
        ..machine
    }
}

impl From<SortArgument> for Sort {
    fn from(argument: SortArgument) -> Self {
        match argument {
            SortArgument::Live => Self::Live,
            SortArgument::Growth => Self::Growth,
            SortArgument::Rate => Self::Rate,
            SortArgument::Count => Self::Count,
            SortArgument::Age => Self::Age,
        }
    }
}

/// `5s`, `200ms`, `1m 30s`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().map(Duration::from_secs);
    seconds
        .or_else(|_| humantime::parse_duration(text))
        .map_err(|error| format!("{error}; try 5s, 200ms or 2m"))
}

fn interval(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_millis(100);
    match duration(text)? {
        interval if interval >= SHORTEST => Ok(interval),
        _ => Err("the shortest interval is 100ms".to_owned()),
    }
}

/// `64`, `4k`, `1M`, `2G`, in powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let malformed = || format!("'{text}' is not a size; try 64, 4k or 1M");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match &text[digits.len()..].to_ascii_lowercase()[..] {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(malformed()),
    };
    let number: u64 = digits.parse().map_err(|_| malformed())?;
    number.checked_mul(1 << shift).ok_or_else(malformed)
}

/// `1`, `1%`, `0.5 %`: as a share.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    match number.parse::<f64>() {
        Ok(percent) if (0.01..=100_000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err(format!("'{text}' is not from 0.01% up; try 1% or 0.5%")),
    }
}

fn ring_bytes(text: &str) -> Result<u32, String> {
    let size = bytes(text)?;
    match u32::try_from(size) {
        Ok(size @ 0x10000..=0x4000_0000) => Ok(size.next_power_of_two()),
        _ => Err("the ring takes 64k to 1G".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(bytes("64"), Ok(64));
        assert_eq!(bytes("4k"), Ok(4096));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert!(bytes("").is_err() && bytes("k").is_err() && bytes("1T").is_err());
        assert!(bytes("99999999999999999999").is_err() && bytes("99999999999G").is_err());
    }

    #[test]
    fn a_ring_is_rounded_up_to_a_power_of_two() {
        assert_eq!(ring_bytes("100k"), Ok(128 * 1024));
        assert!(ring_bytes("1k").is_err() && ring_bytes("2G").is_err());
    }

    #[test]
    fn times_take_a_unit_or_are_seconds() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert!(interval("50ms").is_err() && duration("soon").is_err());
    }

    #[test]
    fn a_run_without_a_target_says_what_to_give() {
        let cli = Cli::try_parse_from(["memtrace"]).expect("no argument is required");
        let error = settings(&cli).expect_err("no target");
        assert!(error.to_string().contains("--comm"), "{error}");
    }
}
