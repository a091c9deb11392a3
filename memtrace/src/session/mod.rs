//! A run, from the first probe to the last report: the whole data flow, wired.
//!
//! ```text
//! ring -> decode -> attribute -> aggregate -> draft -> publisher -> stdout, metrics
//!            \-> lifecycle -> attach worker -> kernel
//! ```
//!
//! Invariant: this task never waits for a target, a disk or a reader; what can wait is on a thread of its own.

mod chores;
mod lifecycle;
mod looks;
mod pipeline;
mod report;
mod shutdown;
mod tiers;
mod watch;

use std::{io, sync::mpsc, time::Duration};

use anyhow::Context as _;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, MissedTickBehavior, interval_at},
};

use self::{
    pipeline::{KernelParts, Pipeline},
    report::Reporter,
    shutdown::Shutdown,
    tiers::Tiers,
};
use crate::{
    attach::{Answer, Command, Worker},
    cli::args::Settings,
    host::{cut_files, launch::Launched},
    ingest::Ring,
    kernel::{Kernel, Options, anchor},
    liveness::{Follower, Told},
    publish::{Publisher, Publishing},
    serve,
    windows::{Instruments, WindowEvent, prefer},
};

/// How often the small things are seen to: looks at starting processes, the ring's timer aside.
const CHORES: Duration = Duration::from_millis(10);

/// Runs until told to stop.
///
/// # Errors
/// When memtrace cannot run here, or its output cannot be written.
pub fn run(settings: Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run_async(settings))
}

async fn run_async(mut settings: Settings) -> anyhow::Result<()> {
    raise_descriptor_limit();
    if let Err(error) = cut_files::survive() {
        tracing::debug!("a file that is cut while it is read can end this process: {error}");
    }
    // First of all that can fail: who may not trace at all is to hear that, and not that a port is in use.
    let mut kernel = Kernel::load(Options {
        ring_bytes: settings.ring_bytes,
        log: settings.kernel_log,
        backend: settings.backend,
    })?;
    let listener = match settings.listen {
        Some(address) => Some(serve::bind(address).await?),
        None => None,
    };
    let mut ring = Ring::new(kernel.take_ring()?).context("the ring buffer cannot be read")?;
    let counters = kernel.take_counters()?;
    let weaker = kernel.weaker.drain(..).map(|weakness| weakness.sentence).collect();
    let parts = KernelParts { targets: kernel.take_targets()?, log: kernel.take_log() };

    prefer();
    let shutdown = Shutdown::new().context("signals cannot be caught")?;
    let publishing = Publishing { format: settings.format, show_internal: settings.show_internal };
    let publisher = Publisher::start(publishing, shutdown.trigger());
    if let Some(listener) = listener {
        let metrics = publisher.metrics.clone();
        let source = move || metrics.borrow().clone();
        tokio::spawn(serve::serve(listener, source, shutdown.wait(), serve::Limits::default()));
    }

    let instruments = Instruments { allowances: kernel.take_allowances()?, meters: kernel.take_meters()? };
    let (answer_sender, answers) = unbounded_channel();
    let (window_sender, windows) = unbounded_channel();
    let (told_sender, told) = unbounded_channel();
    let follower = follower(told_sender);
    let tiers = Tiers::new(settings.limits, instruments, window_sender, follower, settings.python_objects);
    sweep();
    let (commands, worker) = Worker::start(kernel, settings.python_objects, answer_sender);
    let launched = launch(&mut settings)?;
    let reporter = Reporter::new(publisher, counters);
    let pipeline = Pipeline::new(&settings, commands, reporter, weaker, parts, tiers);
    let inputs = Inputs { answers, windows, told };
    let finished = flow(pipeline, &mut ring, inputs, launched, &settings, shutdown).await;
    // Detaching takes up to 90 ms a link. The kernel would do it at exit, one after the other; the worker's threads
    // share the grace periods.
    let _ended = worker.join();
    finished
}

/// What the other threads have to say.
struct Inputs {
    answers: UnboundedReceiver<Answer>,
    windows: UnboundedReceiver<WindowEvent>,
    told: UnboundedReceiver<Told>,
}

fn follower(told: UnboundedSender<Told>) -> Option<Follower> {
    // The session may have ended.
    let tell = move |what| drop(told.send(what));
    match Follower::start(tell) {
        Ok(follower) => Some(follower),
        Err(error) => {
            tracing::warn!("sampled blocks are not followed: {error}");
            None
        }
    }
}

/// What a memtrace that was killed has left in tracefs does nothing, and is removed all the same.
fn sweep() {
    match anchor::sweep() {
        Ok(0) => {}
        Ok(removed) => tracing::info!("removed {removed} probe definitions that a killed memtrace had left"),
        Err(error) => tracing::debug!("tracefs is not swept: {error}"),
    }
}

/// A program to start waits before its exec, with probes attached to what it will map.
fn launch(settings: &mut Settings) -> anyhow::Result<Option<Launched>> {
    if settings.command.is_empty() {
        return Ok(None);
    }
    let launched = Launched::start(&settings.command).context("the program cannot be started")?;
    settings.selection.pids.insert(launched.pid);
    Ok(Some(launched))
}

fn cannot_be_run(settings: &Settings) -> String {
    let program = settings.command.first().map(|program| program.to_string_lossy());
    format!("{} cannot be run", program.unwrap_or_default())
}

async fn flow(
    mut pipeline: Pipeline,
    ring: &mut Ring,
    mut inputs: Inputs,
    launched: Option<Launched>,
    settings: &Settings,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    // First, for it takes the worker a tenth of a second, in which it lets no process go.
    pipeline.calibrate();
    let mut exits = pipeline.find_targets(settings);
    let mut child = launched;
    let start = Instant::now();
    let mut reports = interval_at(start + settings.interval, settings.interval);
    reports.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut chores = interval_at(start + CHORES, CHORES);
    chores.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let end = settings.duration.map(|duration| start + duration);
    let stop = shutdown.wait();
    tokio::pin!(stop);
    let mut is_behind = false;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = until(end) => break,
            Some(event) = inputs.windows.recv() => {
                // A target that is waited for fills the ring meanwhile: what is in it by now is enough to name candidates,
                // and it is emptied before their fingerprints are taken.
                if matches!(event, WindowEvent::Candidates(_)) {
                    drain_once(ring, &mut pipeline);
                } else {
                    drain(ring, &mut pipeline);
                }
                pipeline.window_event(event);
            }
            Some(told) = inputs.told.recv() => {
                drain(ring, &mut pipeline);
                pipeline.told(told);
            }
            Some(answer) = inputs.answers.recv() => {
                let outcome = match answer {
                    Answer::Outcome(outcome) => outcome,
                    Answer::Calibrated { pid, costs } => {
                        drain(ring, &mut pipeline);
                        pipeline.calibrated(pid, costs);
                        continue;
                    }
                    Answer::Conductor(conductor) => {
                        pipeline.conductor_is(conductor);
                        continue;
                    }
                };
                let target = outcome.target;
                pipeline.attached(outcome);
                if let Some(mut waiting) = child.take_if(|waiting| pipeline.is_process(target, waiting.pid)) {
                    let program = waiting.go().with_context(|| cannot_be_run(settings))?;
                    reap(program);
                }
            }
            Some(target) = exits.recv() => {
                // What it did last is still in the ring: its exec perhaps, if it was short.
                drain(ring, &mut pipeline);
                pipeline.exited(target);
            }
            _ = reports.tick() => {
                drain(ring, &mut pipeline);
                pipeline.report();
            }
            _ = chores.tick() => pipeline.chores(),
            ready = ring.ready(), if !is_behind => {
                ready.context("the ring buffer cannot be polled")?;
                is_behind = ring.drain(|record| pipeline.record(record));
                pipeline.flush();
            }
            () = std::future::ready(()), if is_behind => {
                is_behind = ring.drain(|record| pipeline.record(record));
                pipeline.flush();
                tokio::task::yield_now().await;
            }
        }
        if pipeline.is_done() && child.is_none() {
            break;
        }
    }
    drain(ring, &mut pipeline);
    pipeline.finish()
}

/// Empties the ring, so that a report has all that happened before it. Bounded: a target can be faster than this.
fn drain(ring: &mut Ring, pipeline: &mut Pipeline) {
    const BATCHES: usize = 256;
    for _ in 0..BATCHES {
        if !ring.drain(|record| pipeline.record(record)) {
            break;
        }
    }
    pipeline.flush();
}

/// Takes about as many records as a window makes.
fn drain_once(ring: &mut Ring, pipeline: &mut Pipeline) {
    ring.drain(|record| pipeline.record(record));
    pipeline.flush();
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Somebody has to wait for a child, or it stays a zombie; its end is noticed like any other process'.
fn reap(mut program: std::process::Child) {
    std::thread::spawn(move || {
        if let Err(error) = program.wait() {
            tracing::debug!("the program cannot be waited for: {error}");
        }
    });
}

/// Each process takes a few descriptors, and files are held open.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::debug!("the limit of open files stays: {error}");
    }
}

/// Sends a command. The worker lives as long as the session holds its sender.
fn send(commands: &mpsc::Sender<Command>, command: Command) {
    if commands.send(command).is_err() {
        tracing::error!("{}", io::Error::other("the attaching thread has ended; restart memtrace"));
    }
}
