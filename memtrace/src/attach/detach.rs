//! Detaching, off the attaching thread's path: it blocks for up to 90 ms a link (6.12 on), in grace periods that all
//! who wait at the same time share.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use crate::kernel::attach::Attachment;

/// Threads that wait for grace periods; they do nothing else, so more than there are cores. With 16, a run that
/// followed 100 processes ends in under a second.
const THREADS: usize = 16;

/// The threads that detach.
pub(super) struct Detaching {
    sender: Sender<Attachment>,
    threads: Vec<JoinHandle<()>>,
}

impl Detaching {
    pub(super) fn start() -> Self {
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let detach_all = |receiver: Arc<Mutex<Receiver<Attachment>>>| {
            move || {
                while let Some(attachment) = next(&receiver) {
                    drop(attachment);
                }
            }
        };
        let threads = (0..THREADS).map(|_| thread::spawn(detach_all(Arc::clone(&receiver)))).collect();
        Self { sender, threads }
    }

    /// Detaches, soon.
    pub(super) fn detach(&self, attachment: Attachment) {
        // A thread that is gone has panicked; then the attachment is dropped here.
        let _sent = self.sender.send(attachment);
    }

    /// Waits until everything is detached.
    pub(super) fn finish(self) {
        drop(self.sender);
        for thread in self.threads {
            // A panic has been printed by its thread.
            let _ended = thread.join();
        }
    }
}

fn next(receiver: &Mutex<Receiver<Attachment>>) -> Option<Attachment> {
    receiver.lock().ok()?.recv().ok()
}
