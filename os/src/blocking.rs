//! The one lane for calls that wait in the kernel or for another thread: entering a namespace,
//! asking for a route, opening sockets, the end of a device.
//!
//! Each is made where it is needed, in the middle of asynchronous code too, and none keeps the
//! tasks of others waiting that share its thread. What waits for nothing but memory needs no lane.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// Runs `work`, which may block, on the calling thread. On a runtime of several threads the other
/// tasks of this one move to another first, which costs tens of microseconds; one of a single
/// thread has none that could, and outside a runtime nobody waits.
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn tasks_on_the_same_thread_go_on_meanwhile() {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (say, heard) = mpsc::channel();
        let waits = async move { blocking(|| heard.recv_timeout(Duration::from_secs(10))) };
        let waits = runtime.spawn(waits);
        runtime.spawn(async move { say.send(()) });
        assert!(runtime.block_on(waits).unwrap().is_ok(), "the other task never ran");
    }

    #[test]
    fn it_works_anywhere() {
        let single = Builder::new_current_thread().build().unwrap();
        assert_eq!(single.block_on(async { blocking(|| 1) }), 1);
        let _several = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        assert_eq!(blocking(|| blocking(|| 2)), 2);
    }
}
