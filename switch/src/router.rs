//! The IPv4 router (RFC 1812): what it refuses and which way it sends.

use core::net::Ipv4Addr;
use std::sync::Arc;

use packet::icmp::IcmpError;
use packet::ip::V4_HEADER;
use packet::segment::segment_ip_len;
use packet::{DropReason, Dropped, InterfaceId, Ipv4, ip};
use serde::{Deserialize, Serialize};

use crate::interface::Interfaces;
use crate::limiter::Limiter;
use crate::routes::{Reject, Routes, Target};

/// The router's tables.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Router {
    pub(crate) interfaces: Interfaces,
    pub(crate) routes: Routes,
    pub(crate) errors: Limiter,
}

/// The next step of a packet's way.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Hop {
    /// The segment that it leaves on.
    pub(crate) interface: InterfaceId,
    /// The neighbour that gets it.
    pub(crate) next: Ipv4Addr,
    /// Our own address towards that neighbour.
    pub(crate) source: Option<Ipv4Addr>,
}

/// The end of a packet that the router took in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Without a word.
    Silent(Dropped),
    /// With an ICMP error about the packet.
    Tell(Dropped, IcmpError),
}

impl Refusal {
    /// With a word about it, if there is one to say.
    pub(crate) fn of(dropped: Dropped, error: Option<IcmpError>) -> Self {
        match error {
            Some(error) => Self::Tell(dropped, error),
            None => Self::Silent(dropped),
        }
    }
}

impl From<Dropped> for Refusal {
    fn from(dropped: Dropped) -> Self {
        Self::Silent(dropped)
    }
}

/// ICMP errors as the router starts: Linux's `icmp_msgs_per_sec` and `icmp_msgs_burst`.
const ERROR_RATE: u32 = 1000;
const ERROR_BURST: u32 = 50;

/// Source-route options: loose (131) and strict (137) (RFC 791 section 3.1; to be dropped, RFC 7126
/// section 4.3).
const SOURCE_ROUTES: [u8; 2] = [131, 137];

impl Router {
    pub(crate) fn new() -> Self {
        Self {
            interfaces: Interfaces::default(),
            routes: Routes::new(Arc::default(), &Interfaces::default()),
            errors: Limiter::new(ERROR_RATE, ERROR_BURST),
        }
    }

    /// The way of a packet with its true destination, of which the table says `target`; sees that
    /// it may go on and fits. What means something on one link only goes nowhere (RFC 3927 section
    /// 2.7).
    ///
    /// # Errors
    /// Why not, and what to tell the sender, if anything.
    pub(crate) fn choose(
        &self,
        packet: &Ipv4,
        target: Option<Target>,
    ) -> Result<Hop, (DropReason, Option<IcmpError>)> {
        let destination = packet.destination();
        if ip::is_link_local(packet.source()) {
            return Err((DropReason::MartianSource, None));
        }
        if ip::is_link_local(destination) {
            return Err((DropReason::MartianDestination, None));
        }
        let (interface, next) = match target {
            Some(Target::Connected(interface)) => (interface, destination),
            Some(Target::Via { interface, gateway }) => (interface, gateway),
            Some(Target::Broadcast(_)) => return Err((DropReason::DirectedBroadcast, None)),
            Some(Target::Reject(Reject::Blackhole)) => return Err((DropReason::Prohibited, None)),
            Some(Target::Reject(Reject::Prohibit)) => {
                return Err((DropReason::Prohibited, Some(IcmpError::Prohibited)));
            }
            Some(Target::Local(_)) => return Err((DropReason::Unsolicited, None)),
            Some(Target::Reject(Reject::Unreachable)) | None => {
                return Err((DropReason::NoRoute, Some(IcmpError::NetUnreachable)));
            }
        };
        if packet.ttl() <= 1 {
            return Err((DropReason::TtlExpired, Some(IcmpError::TtlExceeded)));
        }
        let Some(own) = self.interfaces.get(interface) else {
            return Err((DropReason::PortDown, None));
        };
        if packet.ip().dont_fragment() && segment_ip_len(packet.frame()) > usize::from(own.mtu) {
            let error = IcmpError::FragmentationNeeded { mtu: own.mtu };
            return Err((DropReason::FragmentationNeeded, Some(error)));
        }
        Ok(Hop { interface, next, source: own.address_towards(next) })
    }

    /// The interface by which `source` is reached; nothing when it is by none.
    ///
    /// # Errors
    /// [`DropReason::MartianSource`]: nobody else bears it.
    #[inline]
    pub(crate) fn reverse_path(&self, source: Ipv4Addr) -> Result<Option<InterfaceId>, DropReason> {
        match self.routes.find(source) {
            Some(Target::Connected(interface) | Target::Via { interface, .. }) => {
                Ok(Some(interface))
            }
            Some(Target::Local(_) | Target::Broadcast(_)) => Err(DropReason::MartianSource),
            Some(Target::Reject(_)) | None => Ok(None),
        }
    }

    /// Whether a packet may come in on `interface` whose source's `reverse_path` is this.
    #[inline]
    pub(crate) fn admits(&self, interface: InterfaceId, reverse_path: Option<InterfaceId>) -> bool {
        let own = self.interfaces.get(interface);
        own.is_some_and(|own| own.rp_filter.admits(interface, reverse_path))
    }

    /// The way to `destination` for a packet of the router's own; nothing when there is none. No
    /// gateway leads to an address that means something on its own link only (RFC 3927 section
    /// 2.6.2).
    pub(crate) fn next_hop(&self, destination: Ipv4Addr) -> Option<Hop> {
        let (interface, next) = match self.routes.find(destination)? {
            Target::Connected(interface) => (interface, destination),
            Target::Via { interface, gateway } if !ip::is_link_local(destination) => {
                (interface, gateway)
            }
            _ => return None,
        };
        let own = self.interfaces.get(interface)?;
        Some(Hop { interface, next, source: own.address_towards(next) })
    }
}

/// Refuses what no router forwards or takes: martians (RFC 1812 section 5.3.7), source routes,
/// broadcast and multicast.
pub(crate) fn admit(packet: Ipv4, to_group: bool) -> Result<Ipv4, Dropped> {
    let destination = packet.destination();
    if ip::is_martian_source(packet.source()) {
        return Err(packet.refuse(DropReason::MartianSource));
    }
    if destination.is_multicast() {
        return Err(packet.refuse(DropReason::Multicast));
    }
    if destination.is_broadcast() || to_group {
        return Err(packet.refuse(DropReason::BroadcastFrame));
    }
    if ip::is_martian_destination(destination) {
        return Err(packet.refuse(DropReason::MartianDestination));
    }
    if packet.header_len() > V4_HEADER && has_source_route(packet.ip().options()) {
        return Err(packet.refuse(DropReason::SourceRoute));
    }
    Ok(packet)
}

fn has_source_route(mut options: &[u8]) -> bool {
    loop {
        options = match options {
            [] | [0, ..] => return false,
            [1, rest @ ..] => rest,
            [kind, ..] if SOURCE_ROUTES.contains(kind) => return true,
            [_, len, ..] if *len >= 2 => options.get(usize::from(*len)..).unwrap_or(&[]),
            _ => return false,
        };
    }
}

/// A refusal for want of ports or flows is told to the sender (RFC 5508 REQ-8); others are not.
pub(crate) fn out_of_resources(dropped: Dropped) -> Refusal {
    match dropped.reason {
        DropReason::NatNoPort | DropReason::NatTableFull | DropReason::NatHostLimit => {
            Refusal::Tell(dropped, IcmpError::Prohibited)
        }
        _ => Refusal::Silent(dropped),
    }
}
