//! What can be wrong with an interface that is to be a port, each in one sentence.

use std::io;

/// Why an interface could not be opened. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PacketSocketError {
    /// Nothing is called so there.
    #[error("there is no interface `{name}` in {netns}: check the name with `ip link`")]
    NoSuchInterface {
        /// What was asked for.
        name: String,
        /// Where.
        netns: String,
    },
    /// Loopback, or a device of IP packets such as a TUN or a tunnel.
    #[error(
        "`{name}` in {netns} is not an Ethernet interface: choose one that `ip link` shows as link/ether"
    )]
    NotEthernet {
        /// What was asked for.
        name: String,
        /// Where.
        netns: String,
    },
    /// Not root, or without the capability in that namespace.
    #[error(
        "no permission to open interface `{name}` in {netns}: run as root, or with CAP_NET_RAW and CAP_SYS_ADMIN"
    )]
    Denied {
        /// The interface.
        name: String,
        /// Where.
        netns: String,
    },
    /// Any other refusal.
    #[error("cannot {step} for interface `{name}` in {netns}: {reason}")]
    Refused {
        /// What was being done.
        step: &'static str,
        /// The interface.
        name: String,
        /// Where.
        netns: String,
        /// What the kernel said.
        reason: io::Error,
    },
}
