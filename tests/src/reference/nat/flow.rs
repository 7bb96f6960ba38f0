//! One flow, and what of the router's ports is lent to it.

use core::net::{Ipv4Addr, SocketAddrV4};

use nat::Filtering;
use packet::{Instant, InterfaceId};

use super::Tuple;
use super::room::Lane;

/// A port that stands for an inside endpoint, and one remote that a flow has to do with.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Lent {
    pub(super) inside: SocketAddrV4,
    pub(super) external: SocketAddrV4,
    pub(super) filtering: Filtering,
    pub(super) remote: Ipv4Addr,
}

#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) original: Tuple,
    pub(super) reply: Tuple,
    pub(super) until: Instant,
    /// The mappings that it holds: its source's, and the one that it was sent to.
    pub(super) lent: Vec<Lent>,
    /// Its external port is shared with flows to other remotes.
    pub(super) shared: bool,
    /// Its birth was not predicted, so what it holds is not known.
    pub(super) adopted: bool,
    /// The step in which it was first seen to have ended, if it has.
    pub(super) ended: Option<u64>,
    /// It is a connection that both ends mean, and that goes on.
    pub(super) established: bool,
    /// Where it came in, who bears the address that it was sent to, and where it leaves.
    pub(super) path: (InterfaceId, Option<InterfaceId>, InterfaceId),
    /// It was sent elsewhere than it goes; to a mapping that lets it in.
    pub(super) redirected: bool,
    pub(super) admitted: bool,
    /// The port of the switch that its first packet came in by.
    pub(super) port: u32,
    /// The external ports that its mapping's is one of.
    pub(super) lane: Option<Lane>,
    /// How far it is from giving way, and the step in which it got last in that line.
    pub(super) class: Option<u8>,
    pub(super) since: u64,
    /// When it was heard last; nothing while lifetimes have changed since.
    pub(super) heard: Option<Instant>,
}

impl Flow {
    /// One of which nothing is known but what is shown.
    pub(super) const fn adopted(original: Tuple, reply: Tuple, until: Instant) -> Self {
        let nowhere = InterfaceId::new(0);
        Self {
            original,
            reply,
            until,
            lent: Vec::new(),
            shared: false,
            adopted: true,
            ended: None,
            established: false,
            path: (nowhere, None, nowhere),
            redirected: false,
            admitted: false,
            port: 0,
            lane: None,
            class: None,
            since: 0,
            heard: None,
        }
    }
}
