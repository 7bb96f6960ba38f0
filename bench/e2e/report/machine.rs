//! What of the machine belongs beside the figures.

use std::fs;
use std::path::Path;
use std::thread;

/// Processors that this program may use.
pub(super) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The kernel's release.
pub(super) fn kernel() -> String {
    setting("kernel/osrelease")
}

/// What new namespaces inherit.
pub(super) fn congestion_control() -> String {
    setting("net/ipv4/tcp_congestion_control")
}

fn setting(name: &str) -> String {
    let text = fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
    text.trim().to_owned()
}
