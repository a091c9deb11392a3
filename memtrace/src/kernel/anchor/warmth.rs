//! Keeps disarming quick.
//!
//! Breakpoints come and go under a lock that every fork reads (`dup_mmap_sem`, kernel/events/uprobes.c). Its first writer
//! waits for a grace period, milliseconds, and those that follow soon do not (`percpu_down_write`, kernel/rcu/sync.c).
//! Before arming that wait hurts nobody. Before disarming the target would bear its probes for so long, so somebody
//! takes the lock now and then: with a breakpoint in a function of this very process that is never called.

use std::os::fd::OwnedFd;

use super::{AnchorError, TASK_WITHOUT_MEMORY, definition::Definition};
use crate::{host::mappings, kernel::perf};

/// The event, and what keeps it registered.
#[derive(Debug)]
pub(super) struct Warmth {
    _anchor: OwnedFd,
    definition: Definition,
}

impl Warmth {
    pub(super) fn new() -> Result<Self, AnchorError> {
        let place = mappings::own_file_offset(landmark as *const () as usize);
        let (path, file_offset) = place.ok_or(AnchorError::NotMapped)?;
        let definition = Definition::new("warmth", &path, &[file_offset], false)?;
        let anchor =
            perf::open_tracepoint(definition.id, TASK_WITHOUT_MEMORY).map_err(AnchorError::Anchor)?;
        Ok(Self { _anchor: anchor, definition })
    }

    /// Takes the lock twice.
    pub(super) fn renew(&self) {
        let event = perf::open_tracepoint(self.definition.id, std::process::id());
        if let Err(error) = event {
            tracing::debug!("disarming may be slow: {error}");
        }
    }
}

/// Never called. What it would do is its own, so that no other function is merged with it.
#[inline(never)]
extern "C" fn landmark() {
    std::hint::black_box("the landmark that keeps disarming quick");
}
