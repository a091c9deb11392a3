//! One window, from arming to disarming.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use memtrace_common::{Allowance, Meter};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    clocks::{ProcessorClock, monotonic_ns, process_cpu_ns},
    conductor::Instruments,
    identity,
    message::{
        Borne, CandidatesRequest, Fingerprints, MemoryRange, ProbedFile, WindowEvent, WindowFailure,
        WindowMeasure, WindowOrder,
    },
    read,
};
use crate::kernel::anchor::{Anchors, Armed};

/// How often the meter is looked at while a window is open. Each look disturbs the target, on its processor or beside it:
/// four times as many made hits 300 ns dearer.
const SLICE: Duration = Duration::from_micros(500);

/// From setting the allowance to opening, so that all see the opening at the same time.
const LEAD_NS: u64 = 20_000;

/// Before the close the conductor does not sleep: it would wake later than the window closes, and the processor time
/// of the window would not be known.
const VIGIL_NS: u64 = 80_000;

/// More processor time of the target's between two looks that are to be one is a percent of a window.
const TOGETHER_NS: u64 = 20_000;

/// Looks at most: each takes a few microseconds, and longer when there are more threads.
const READINGS_MAX: usize = 4;

/// How many times `entries_max` a target bears while the session looks for candidates.
const OVERDRAFT: u64 = 2;

/// Holds a window. The events before the last are sent from here.
pub(super) fn hold(
    order: &WindowOrder,
    anchors: &mut Anchors,
    instruments: &Instruments,
    events: &UnboundedSender<WindowEvent>,
) -> Result<WindowMeasure, WindowFailure> {
    let identity = identity::of(order.pid).ok_or(WindowFailure::Gone)?;
    let before = instruments.meters.read(order.target).ok_or(WindowFailure::NotMetered)?;
    let clock = ProcessorClock::open(order.pid);
    let window = Window { order, instruments, before, clock };
    let measure = window.pass(anchors, events);
    // What failed because the process is gone, failed because it is gone.
    match identity::of(order.pid) {
        Some(now) if now == identity => measure,
        Some(now) if now.start_ticks == identity.start_ticks => Err(WindowFailure::Executed),
        _ => Err(WindowFailure::Gone),
    }
}

struct Window<'a> {
    order: &'a WindowOrder,
    instruments: &'a Instruments,
    /// Before anything was armed.
    before: Meter,
    clock: ProcessorClock,
}

/// The window as it opened.
struct Opening {
    open_ns: u64,
    closes_ns: u64,
    reading: Reading,
}

/// The window as it closed.
struct Closing {
    close_ns: u64,
    cpu_ns: u64,
    borne: Borne,
    quota_hit: bool,
}

/// Processor time and meter, read together.
struct Reading {
    at_ns: u64,
    cpu_ns: u64,
    meter: Meter,
}

impl Window<'_> {
    fn pass(
        &self,
        anchors: &mut Anchors,
        events: &UnboundedSender<WindowEvent>,
    ) -> Result<WindowMeasure, WindowFailure> {
        anchors.warm_up();
        let arming_ns = monotonic_ns();
        // What is hit before it opens is of this window, and not sampled.
        self.allow(u64::MAX, u64::MAX)?;
        let armed = ProbedFile::with(&self.order.files, |files| anchors.arm(files, self.order.pid))?;
        let armed_ns = monotonic_ns();

        let opening = self.open()?;
        let closing = self.watch(&opening, &armed)?;
        let process_cpu_ns_at_close = process_cpu_ns(self.order.pid).map_err(|_| WindowFailure::Gone)?;
        let has_fingerprints = self.take_fingerprints(&armed, events);

        let toggles = armed.events() as u32;
        let disarming_ns = monotonic_ns();
        drop(armed);
        let disarmed_ns = monotonic_ns();
        Ok(WindowMeasure {
            target: self.order.target,
            window: self.order.window,
            open_ns: opening.open_ns,
            close_ns: closing.close_ns,
            cpu_ns_in_window: closing.cpu_ns,
            is_cpu_exact: self.clock.is_exact(),
            process_cpu_ns_at_close,
            in_window: closing.borne,
            while_armed: Borne::between(&self.before, &self.meter()?),
            armed_ns: disarmed_ns - arming_ns,
            toggle_ns: (armed_ns - arming_ns) + (disarmed_ns - disarming_ns),
            toggles,
            quota_hit: closing.quota_hit,
            has_fingerprints,
        })
    }

    fn open(&self) -> Result<Opening, WindowFailure> {
        let open_ns = monotonic_ns() + LEAD_NS;
        let closes_ns = open_ns + self.order.length.as_nanos() as u64;
        self.allow(open_ns, closes_ns)?;
        wait_until(open_ns);
        Ok(Opening { open_ns, closes_ns, reading: self.read()? })
    }

    /// What is done between two looks is in the one figure and not in the other, and the work of a window is their
    /// difference. So if the conductor was held up between them, it looks again, and the closest looks count.
    fn read(&self) -> Result<Reading, WindowFailure> {
        let mut best: Option<(u64, Reading)> = None;
        let mut before_ns = self.clock.read_ns();
        for _ in 0..READINGS_MAX {
            let (at_ns, meter) = (monotonic_ns(), self.meter()?);
            let after_ns = self.clock.read_ns();
            let between_ns = after_ns.saturating_sub(before_ns);
            if best.as_ref().is_none_or(|(least_ns, _)| between_ns < *least_ns) {
                best = Some((between_ns, Reading { at_ns, cpu_ns: before_ns + between_ns / 2, meter }));
            }
            if between_ns <= TOGETHER_NS {
                break;
            }
            before_ns = after_ns;
        }
        best.map(|(_, reading)| reading).ok_or(WindowFailure::NotMetered)
    }

    /// Until it is over, or a quota is.
    fn watch(&self, opening: &Opening, armed: &Armed<'_>) -> Result<Closing, WindowFailure> {
        let mut close_ns = opening.closes_ns;
        let mut patrol = Patrol::new(armed);
        loop {
            let left_ns = opening.closes_ns.saturating_sub(monotonic_ns() + VIGIL_NS);
            if left_ns == 0 {
                break;
            }
            thread::sleep(SLICE.min(Duration::from_nanos(left_ns)));
            patrol.pass();
            if self.is_over_quota(&self.meter()?) {
                close_ns = monotonic_ns().min(opening.closes_ns);
                self.allow(opening.open_ns, close_ns)?;
                break;
            }
        }
        wait_until(close_ns);
        let reading = self.read()?;
        // Woken late, for there are higher priorities and hypervisors: what was done is shared out evenly.
        let open_for_ns = (close_ns - opening.open_ns) as f64;
        let read_for_ns = reading.at_ns.saturating_sub(opening.reading.at_ns).max(1) as f64;
        let share = (open_for_ns / read_for_ns).min(1.0);
        let cpu_ns = reading.cpu_ns.saturating_sub(opening.reading.cpu_ns) as f64 * share;
        Ok(Closing {
            close_ns,
            cpu_ns: cpu_ns as u64,
            borne: Borne::between(&opening.reading.meter, &reading.meter).part(share),
            quota_hit: self.is_over_quota(&reading.meter),
        })
    }

    fn is_over_quota(&self, now: &Meter) -> bool {
        let borne = Borne::between(&self.before, now);
        borne.hits.entries > self.order.entries_max || borne.sampled >= u64::from(self.order.sampled_max)
    }

    /// Asks the session what to read and reads it. False when it did not answer in time, or the target could not wait.
    fn take_fingerprints(&self, armed: &Armed<'_>, events: &UnboundedSender<WindowEvent>) -> bool {
        let WindowOrder { target, window, pid, .. } = *self.order;
        let (answer, answers) = mpsc::channel();
        let request = CandidatesRequest { target, window, answer };
        if events.send(WindowEvent::Candidates(request)).is_err() {
            return false;
        }
        let Some(ranges) = self.wait_for(&answers, armed) else { return false };
        let read_ns = monotonic_ns();
        let memory = read::all(pid, &ranges);
        let fingerprints = Fingerprints { target, window, read_ns, memory };
        events.send(WindowEvent::Fingerprints(fingerprints)).is_ok()
    }

    fn wait_for(
        &self,
        answers: &mpsc::Receiver<Vec<MemoryRange>>,
        armed: &Armed<'_>,
    ) -> Option<Vec<MemoryRange>> {
        let begun = Instant::now();
        let mut patrol = Patrol::new(armed);
        while begun.elapsed() < CandidatesRequest::PATIENCE {
            match answers.recv_timeout(SLICE) {
                Ok(ranges) => return Some(ranges),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            patrol.pass();
            let borne = Borne::between(&self.before, &self.meter().ok()?);
            if borne.hits.entries > self.order.entries_max.saturating_mul(OVERDRAFT) {
                return None;
            }
        }
        None
    }

    fn meter(&self) -> Result<Meter, WindowFailure> {
        self.instruments.meters.read(self.order.target).ok_or(WindowFailure::NotMetered)
    }

    /// It stays set when the window is over: a straggler is then of that window, and not one to be traced exactly.
    fn allow(&self, opens_ns: u64, closes_ns: u64) -> Result<(), WindowFailure> {
        let allowance = Allowance {
            entries_max: self.before.entries.saturating_add(self.order.entries_max),
            opens_ns,
            closes_ns,
            mean_bytes: self.order.mean_bytes,
            window: self.order.window,
            sampled_max: self.order.sampled_max,
        };
        self.instruments.allowances.set(self.order.target, allowance).map_err(WindowFailure::Allowance)
    }
}

/// Keeps disarming quick while the target is armed.
struct Patrol<'a> {
    armed: &'a Armed<'a>,
    warm_since: Instant,
}

impl<'a> Patrol<'a> {
    fn new(armed: &'a Armed<'a>) -> Self {
        Self { armed, warm_since: Instant::now() }
    }

    fn pass(&mut self) {
        if self.warm_since.elapsed() >= Armed::WARM_FOR {
            self.armed.keep_warm();
            self.warm_since = Instant::now();
        }
    }
}

fn wait_until(time_ns: u64) {
    while monotonic_ns() < time_ns {
        std::hint::spin_loop();
    }
}
