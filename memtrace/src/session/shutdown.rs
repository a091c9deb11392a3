//! One way to stop: SIGINT, SIGTERM, or a reader of stdout that has gone. A second signal ends the process at once.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells everybody to stop.
#[derive(Clone, Debug)]
pub(super) struct Shutdown {
    sender: watch::Sender<bool>,
}

impl Shutdown {
    /// Starts to listen for signals.
    pub(super) fn new() -> io::Result<Self> {
        let (sender, _) = watch::channel(false);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = sender.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                if stop.send_replace(true) {
                    // 128 + SIGINT, as shells have it.
                    std::process::exit(130);
                }
            }
        });
        Ok(Self { sender })
    }

    /// Stops when called.
    pub(super) fn trigger(&self) -> impl FnOnce() + Send + 'static {
        let sender = self.sender.clone();
        move || {
            sender.send_replace(true);
        }
    }

    /// Waits for the stop.
    pub(super) fn wait(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut receiver = self.sender.subscribe();
        async move {
            // The sender lives in the signal task, which never ends.
            let _stopped = receiver.wait_for(|stopped| *stopped).await;
        }
    }
}
