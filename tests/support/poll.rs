//! Waiting: ask again until there is an answer, within a bound that a loaded machine still keeps.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks every 10 ms until there is an answer; panics with `what` and what `otherwise` knows after [`PATIENCE`].
pub(crate) fn wait_until<T>(
    what: &str,
    ask: impl FnMut() -> Option<T>,
    otherwise: impl FnOnce() -> String,
) -> T {
    try_wait_until(ask).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain until {what}\n{}", otherwise()))
}

/// The same for a caller that has to clean up first: None after [`PATIENCE`].
pub(crate) fn try_wait_until<T>(ask: impl FnMut() -> Option<T>) -> Option<T> {
    try_wait_for(PATIENCE, ask)
}

/// The same for what takes long by design.
pub(crate) fn try_wait_for<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = ask() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        sleep(Duration::from_millis(10));
    }
}
