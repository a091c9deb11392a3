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
use crate::kernel::anchor::Anchors;

/// How often the meter is looked at while a window is open.
const SLICE: Duration = Duration::from_micros(250);

/// From setting the allowance to opening, so that all see the opening at the same time.
const LEAD_NS: u64 = 20_000;

/// Before the close the conductor does not sleep: it would wake later than the window closes, and the processor time
/// of the window would not be known.
const VIGIL_NS: u64 = 80_000;

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
    let before = meter(order, instruments)?;
    let clock = ProcessorClock::open(order.pid);
    let armed_at_ns = monotonic_ns();
    allow(order, instruments, &before, u64::MAX, u64::MAX)?;
    let armed = ProbedFile::with(&order.files, |files| anchors.arm(files, order.pid))?;
    let arming_ns = monotonic_ns() - armed_at_ns;

    let open = Opening::new(order, instruments, &before, &clock)?;
    let close = open.watch(order, instruments, &before, &clock)?;
    let process_cpu_ns_at_close = process_cpu_ns(order.pid).map_err(|_| WindowFailure::Gone)?;
    let has_fingerprints = take_fingerprints(order, instruments, &before, events);

    let toggles = armed.events() as u32;
    let disarming_ns = monotonic_ns();
    drop(armed);
    let disarmed_ns = monotonic_ns();
    let after = meter(order, instruments)?;
    match identity::of(order.pid) {
        Some(now) if now == identity => {}
        Some(now) if now.start_ticks == identity.start_ticks => return Err(WindowFailure::Executed),
        _ => return Err(WindowFailure::Gone),
    }
    Ok(WindowMeasure {
        target: order.target,
        window: order.window,
        open_ns: open.open_ns,
        close_ns: close.close_ns,
        cpu_ns_in_window: close.cpu_ns,
        is_cpu_exact: clock.is_exact(),
        process_cpu_ns_at_close,
        in_window: Borne::between(&open.meter, &close.meter),
        while_armed: Borne::between(&before, &after),
        armed_ns: disarmed_ns - armed_at_ns,
        toggle_ns: arming_ns + (disarmed_ns - disarming_ns),
        toggles,
        quota_hit: close.quota_hit,
        has_fingerprints,
    })
}

/// The window as it opened.
struct Opening {
    open_ns: u64,
    closes_ns: u64,
    cpu_ns: u64,
    meter: Meter,
}

/// The window as it closed.
struct Closing {
    close_ns: u64,
    cpu_ns: u64,
    meter: Meter,
    quota_hit: bool,
}

impl Opening {
    fn new(
        order: &WindowOrder,
        instruments: &Instruments,
        before: &Meter,
        clock: &ProcessorClock,
    ) -> Result<Self, WindowFailure> {
        let open_ns = monotonic_ns() + LEAD_NS;
        let closes_ns = open_ns + order.length.as_nanos() as u64;
        allow(order, instruments, before, open_ns, closes_ns)?;
        wait_until(open_ns);
        let cpu_ns = clock.read_ns();
        Ok(Self { open_ns, closes_ns, cpu_ns, meter: meter(order, instruments)? })
    }

    /// Until it is over, or a quota is.
    fn watch(
        &self,
        order: &WindowOrder,
        instruments: &Instruments,
        before: &Meter,
        clock: &ProcessorClock,
    ) -> Result<Closing, WindowFailure> {
        let mut quota_hit = false;
        let mut close_ns = self.closes_ns;
        loop {
            let left_ns = self.closes_ns.saturating_sub(monotonic_ns() + VIGIL_NS);
            if left_ns == 0 {
                break;
            }
            thread::sleep(SLICE.min(Duration::from_nanos(left_ns)));
            if is_over_quota(order, before, &meter(order, instruments)?) {
                quota_hit = true;
                close_ns = monotonic_ns().min(self.closes_ns);
                allow(order, instruments, before, self.open_ns, close_ns)?;
                break;
            }
        }
        wait_until(close_ns);
        let cpu_ns = clock.read_ns().saturating_sub(self.cpu_ns);
        let read_ns = monotonic_ns();
        let meter = meter(order, instruments)?;
        // Woken late, for there are higher priorities and hypervisors: the time is shared out evenly.
        let late = (close_ns - self.open_ns) as f64 / read_ns.saturating_sub(self.open_ns).max(1) as f64;
        let cpu_ns = (cpu_ns as f64 * late.min(1.0)) as u64;
        quota_hit |= is_over_quota(order, before, &meter);
        Ok(Closing { close_ns, cpu_ns, meter, quota_hit })
    }
}

fn is_over_quota(order: &WindowOrder, before: &Meter, now: &Meter) -> bool {
    let borne = Borne::between(before, now);
    borne.entries > order.entries_max || borne.sampled >= u64::from(order.sampled_max)
}

/// Asks the session what to read and reads it. False when it did not answer in time, or the target could not wait.
fn take_fingerprints(
    order: &WindowOrder,
    instruments: &Instruments,
    before: &Meter,
    events: &UnboundedSender<WindowEvent>,
) -> bool {
    let (answer, answers) = mpsc::channel();
    let request = CandidatesRequest { target: order.target, window: order.window, answer };
    if events.send(WindowEvent::Candidates(request)).is_err() {
        return false;
    }
    let Some(ranges) = wait_for(&answers, order, instruments, before) else { return false };
    let read_ns = monotonic_ns();
    let memory = read::all(order.pid, &ranges);
    let fingerprints = Fingerprints { target: order.target, window: order.window, read_ns, memory };
    events.send(WindowEvent::Fingerprints(fingerprints)).is_ok()
}

fn wait_for(
    answers: &mpsc::Receiver<Vec<MemoryRange>>,
    order: &WindowOrder,
    instruments: &Instruments,
    before: &Meter,
) -> Option<Vec<MemoryRange>> {
    let begun = Instant::now();
    while begun.elapsed() < CandidatesRequest::PATIENCE {
        match answers.recv_timeout(SLICE) {
            Ok(ranges) => return Some(ranges),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let borne = Borne::between(before, &instruments.meters.read(order.target)?);
        if borne.entries > order.entries_max.saturating_mul(OVERDRAFT) {
            return None;
        }
    }
    None
}

fn meter(order: &WindowOrder, instruments: &Instruments) -> Result<Meter, WindowFailure> {
    instruments.meters.read(order.target).ok_or(WindowFailure::NotMetered)
}

/// It stays set when the window is over: a straggler is then of that window, and not one to be traced exactly.
fn allow(
    order: &WindowOrder,
    instruments: &Instruments,
    before: &Meter,
    opens_ns: u64,
    closes_ns: u64,
) -> Result<(), WindowFailure> {
    let allowance = Allowance {
        entries_max: before.entries.saturating_add(order.entries_max),
        opens_ns,
        closes_ns,
        mean_bytes: order.mean_bytes,
        window: order.window,
        sampled_max: order.sampled_max,
    };
    instruments.allowances.set(order.target, allowance).map_err(WindowFailure::Allowance)
}

fn wait_until(time_ns: u64) {
    while monotonic_ns() < time_ns {
        std::hint::spin_loop();
    }
}
