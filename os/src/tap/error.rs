//! What can be wrong with a TAP device that is to be made, each in one sentence.

use std::io;

use super::open::MAX_QUEUES;

/// Why a TAP device could not be made. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// Longer than `IFNAMSIZ` allows.
    #[error("device name `{name}` is {} bytes long, and Linux allows 15: choose a shorter one", name.len())]
    NameTooLong {
        /// What was asked for.
        name: String,
    },
    /// A name that the kernel refuses or reads as a pattern.
    #[error(
        "`{name}` cannot name a device: use printable ASCII without spaces, `/`, `:` and `%`, \
             and none of `.`, `..`, `all` and `default`"
    )]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// A device of that name is there; it is left as it is.
    #[error("{netns} has a device `{name}` already: {remedy}")]
    NameTaken {
        /// What was asked for.
        name: String,
        /// Where.
        netns: String,
        /// What to do about it.
        remedy: String,
    },
    /// No queue, or more than the kernel can attach.
    #[error("device `{name}` cannot have {queues} queues: ask for 1 to {MAX_QUEUES}")]
    BadQueues {
        /// The device.
        name: String,
        /// What was asked for.
        queues: usize,
    },
    /// The kernel or the container has no TUN/TAP.
    #[error(
        "/dev/net/tun is missing: load the driver with `modprobe tun`, or pass the device to the container"
    )]
    NoTun,
    /// Not root, or without the capability in that namespace.
    #[error(
        "no permission to make device `{name}` in {netns}: run as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN"
    )]
    Denied {
        /// The device.
        name: String,
        /// Where.
        netns: String,
    },
    /// The kernel made a device, but not the one that was asked for.
    #[error(
        "asked for device `{name}` in {netns} and got `{got}`: this kernel's TUN/TAP driver is not usable"
    )]
    Mismatch {
        /// The device.
        name: String,
        /// Where.
        netns: String,
        /// What came instead.
        got: String,
    },
    /// Any other refusal.
    #[error("cannot {step} for device `{name}` in {netns}: {reason}")]
    Refused {
        /// What was being done.
        step: &'static str,
        /// The device.
        name: String,
        /// Where.
        netns: String,
        /// What the kernel said.
        reason: io::Error,
    },
}
