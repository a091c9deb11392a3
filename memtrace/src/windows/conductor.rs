//! The thread that holds windows, one after the other, in the order of their times.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    message::{ProbedFile, WindowEvent, WindowFailure, WindowOrder},
    priority, window,
};
use crate::{
    calibrate::Helper,
    kernel::{
        Allowances, Meters,
        anchor::{self, AnchorError, AnchorPrograms, Anchors},
    },
};

/// The BPF side's maps that windows need.
#[derive(Clone)]
pub struct Instruments {
    /// What targets may be asked to bear.
    pub allowances: Allowances,
    /// What they have borne.
    pub meters: Meters,
}

/// Holds windows. Dropping it ends the thread; a window that is open is closed first, orders are forgotten.
pub struct Conductor {
    orders: Option<mpsc::Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Hold(WindowOrder),
    Forget { target: u32 },
}

impl Conductor {
    /// Removes what memtraces that were killed have left in tracefs, and starts the thread, which measures first what
    /// windows cost, with a helper that is followed.
    ///
    /// # Errors
    /// When there can be no windows here; the error says why, and what helps.
    pub fn start(
        programs: AnchorPrograms,
        instruments: Instruments,
        events: UnboundedSender<WindowEvent>,
        helper: Option<Helper>,
    ) -> Result<Self, AnchorError> {
        let removed = anchor::sweep()?;
        if removed > 0 {
            tracing::info!("removed {removed} probe definitions that a killed memtrace had left in tracefs");
        }
        let anchors = Anchors::new(programs)?;
        let (sender, messages) = mpsc::channel();
        let state = State { anchors, instruments, events, orders: Vec::new() };
        let spawned =
            thread::Builder::new().name("conductor".to_owned()).spawn(move || state.run(helper, &messages));
        let thread = spawned.map_err(AnchorError::Thread)?;
        Ok(Self { orders: Some(sender), thread: Some(thread) })
    }

    /// Orders a window. One event at least follows, unless the target is forgotten.
    pub fn order(&self, order: WindowOrder) {
        self.send(Message::Hold(order));
    }

    /// Takes back the orders of a target: it is gone, or traced otherwise. A window that is open ends by itself.
    pub fn forget(&self, target: u32) {
        self.send(Message::Forget { target });
    }

    fn send(&self, message: Message) {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(message).is_ok());
        if !sent {
            tracing::error!("the conductor's thread has ended: there are no more windows");
        }
    }
}

impl Drop for Conductor {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been printed by its thread.
            let _ended = thread.join();
        }
    }
}

/// The thread's own.
struct State {
    anchors: Anchors,
    instruments: Instruments,
    events: UnboundedSender<WindowEvent>,
    /// Not held yet.
    orders: Vec<WindowOrder>,
}

impl State {
    fn run(mut self, helper: Option<Helper>, messages: &mpsc::Receiver<Message>) {
        if let Some(helper) = helper {
            self.calibrate(helper);
        }
        priority::raise();
        loop {
            let received = match self.wait() {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => messages.recv_timeout(wait),
            };
            match received {
                Ok(Message::Hold(order)) => self.prepare(order),
                Ok(Message::Forget { target }) => self.orders.retain(|order| order.target != target),
                Err(RecvTimeoutError::Timeout) => self.hold_next(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn calibrate(&mut self, helper: Helper) {
        let pid = helper.pid();
        let costs = helper.measure_in_window(&mut self.anchors, &self.instruments);
        let costs = costs.map_err(|error| error.to_string());
        // The session may have ended.
        drop(self.events.send(WindowEvent::Calibrated { pid, costs }));
    }

    /// How long until the next window; `None` when there is none.
    fn wait(&self) -> Option<Duration> {
        let next = self.orders.iter().map(|order| order.not_before).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Anchors at once: it takes milliseconds that are not to fall into a window.
    fn prepare(&mut self, order: WindowOrder) {
        match ProbedFile::with(&order.files, |files| self.anchors.prepare(files)) {
            Ok(()) => self.orders.push(order),
            Err(error) => self.fail(&order, error.into()),
        }
    }

    fn hold_next(&mut self) {
        let next = (0..self.orders.len()).min_by_key(|index| self.orders[*index].not_before);
        let Some(next) = next else { return };
        let order = self.orders.swap_remove(next);
        match window::hold(&order, &mut self.anchors, &self.instruments, &self.events) {
            // The session may have ended.
            Ok(measure) => drop(self.events.send(WindowEvent::Closed(measure))),
            Err(failure) => self.fail(&order, failure),
        }
    }

    fn fail(&self, order: &WindowOrder, failure: WindowFailure) {
        tracing::debug!("no window {} of target {}: {failure}", order.window, order.target);
        let failed = WindowEvent::Failed { target: order.target, window: order.window, failure };
        // The session may have ended.
        drop(self.events.send(failed));
    }
}
