//! Closing devices, many at once.
//!
//! When the last queue of a TAP is closed the kernel deletes the device, and waits there until no
//! processor can still see it. One wait is some 10 ms on a busy machine; waits that overlap are
//! shared, so a thousand devices that are closed by a few threads are gone in about a second, and
//! one after the other in ten.

use std::thread;

use os::blocking;

/// Drops `devices` on a few threads, and waits for them.
pub(crate) fn close<T: Send>(devices: Vec<T>) {
    if !devices.is_empty() {
        blocking(|| drop_all(devices));
    }
}

fn drop_all<T: Send>(mut devices: Vec<T>) {
    let threads = (devices.len() / LEAST_EACH).min(MOST_THREADS);
    if threads > 1 {
        let each = devices.len().div_ceil(threads);
        thread::scope(|scope| {
            while devices.len() > each {
                let some = devices.split_off(devices.len() - each);
                // Without a thread the closure is dropped here, and the devices with it.
                let _ =
                    thread::Builder::new().name("close".into()).spawn_scoped(scope, || drop(some));
            }
        });
    }
    drop(devices);
}

/// Devices below which another thread is not worth its start.
const LEAST_EACH: usize = 4;
/// Waits that overlap.
const MOST_THREADS: usize = 16;
