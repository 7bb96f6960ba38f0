//! The network below the tunnels: UDP sockets in the switch's own namespace that carry many
//! datagrams a call.
//!
//! # Theory of operation
//! A tunnel is heard on one port and speaks from many. The [`Listener`]s, one a worker, share the
//! well-known port, and the kernel spreads far source ports over them. The [`Sender`] has sockets
//! on several source ports, its lanes, and the inner flow chooses one, so that whatever hashes
//! outer headers on the way (network cards, link bundles, the far end's listeners) can tell flows
//! apart and keeps each in order. Nothing is received on a lane and nothing is sent
//! from a listener.
//!
//! Speed comes from datagrams that travel together. Sending, datagrams of equal size go down as one
//! train, which the network card or the kernel cuts at the very end (`UDP_SEGMENT`); receiving, the
//! kernel joins what came of one flow (`UDP_GRO`), and [`Datagrams`] says where to cut. A train
//! passes a veth whole.
//!
//! What the network below refuses is lost and counted, as on any link: the tunnel's frames are
//! repeated by those who sent them, if by anyone. ICMP errors are news and no faults of a socket,
//! which goes on.

use std::io;

mod batch;
mod error;
mod holder;
mod lane;
mod listener;
mod mmsg;
mod netlink;
mod option;
mod path;
mod sender;
mod train;

pub use batch::{Outbound, Scratch};
pub use error::UnderlayError;
pub use holder::Holder;
pub use listener::{BATCH, Datagrams, Listener, MAX_LISTENERS, Slots};
pub use path::{Path, path};
pub use sender::{MAX_LANES, Report, Sender, SenderOptions};

/// Whether `error` is news of an earlier datagram, or of a signal, that took the place of an
/// answer: asking again may give one.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EINTR
                | libc::ECONNREFUSED
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::ENOPROTOOPT
                | libc::EPROTO
                | libc::EMSGSIZE
        )
    )
}
