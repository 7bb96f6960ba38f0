//! Waiting on conditions, each with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that should happen at once. Generous: the machine may be busy with
/// other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until there is something to see. `what` ends the sentence "waited in vain for".
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    let found = within(PATIENCE, look);
    found.unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Looks until there is something to see, or the time is over.
pub(crate) fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Short against what is waited for, long against a look.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
