//! What can be wrong with the network below a tunnel, each in one sentence.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::Holder;

/// Why sockets could not be opened, or a far endpoint not be reached. Nothing is left open.
#[derive(Debug, thiserror::Error)]
pub enum UnderlayError {
    /// Somebody else has the port.
    #[error(
        "UDP port {} is taken by {holder}: {}, or write `port = ...` in the tunnel",
        address.port(), holder.remedy(address.port())
    )]
    PortTaken {
        /// What was asked for.
        address: SocketAddrV4,
        /// By whom.
        holder: Holder,
    },
    /// The local address belongs to no device here.
    #[error(
        "no device here has the address {local}: write one that `ip addr` shows as `local`, or leave it out"
    )]
    NotOurs {
        /// What was asked for.
        local: Ipv4Addr,
    },
    /// A port below 1024, or a security module.
    #[error(
        "no permission to use UDP port {port}: run as root, or with CAP_NET_BIND_SERVICE, or write another port"
    )]
    Denied {
        /// What was asked for.
        port: u16,
    },
    /// All of 49152-65535 are in use at that address.
    #[error("no UDP port from 49152 to 65535 is free to send from: `ss -uanp` shows who has them")]
    NoSourcePort,
    /// No socket, or more than are of use.
    #[error("cannot open {count} sockets: ask for 1 to {most}")]
    BadCount {
        /// What was asked for.
        count: usize,
        /// The most.
        most: usize,
    },
    /// The machine does not know a way.
    #[error(
        "no route leads to {remote} ({reason}): check the address, or add a route with `ip route add`"
    )]
    NoRoute {
        /// The far endpoint.
        remote: Ipv4Addr,
        /// What the kernel said.
        reason: io::Error,
    },
    /// A tunnel to oneself.
    #[error("{remote} is an address of this machine: write the far machine's address in its place")]
    OwnAddress {
        /// The far endpoint.
        remote: Ipv4Addr,
    },
    /// Any other refusal.
    #[error("cannot {step}: {reason}")]
    Refused {
        /// What was being done.
        step: String,
        /// What the kernel said.
        reason: io::Error,
    },
}

impl UnderlayError {
    /// What a failure to open a socket at this address means, when the port is not the matter.
    pub(super) fn binding(local: Ipv4Addr, port: u16, reason: io::Error) -> Self {
        match reason.raw_os_error() {
            Some(libc::EADDRNOTAVAIL) => Self::NotOurs { local },
            Some(libc::EACCES | libc::EPERM) => Self::Denied { port },
            _ => Self::Refused { step: format!("open UDP port {port} of {local}"), reason },
        }
    }
}
