//! Where the switch leaves what it wants done. Owned and emptied by the caller, reused for every
//! batch.

use core::net::Ipv4Addr;

use packet::icmp::IcmpError;
use packet::{Frame, InterfaceId, Mac, Pool, PortId, Tag};

use crate::port::Role;
use crate::station::Location;
use crate::stats::Fate;

/// One copy of a frame: where it goes, and with which tag.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Egress {
    /// The port or tunnel to send it on.
    pub port: PortId,
    /// Of a tunnel, the remote VTEP.
    pub remote: Option<Ipv4Addr>,
    /// The tag to put in front, or none.
    pub tag: Option<Tag>,
}

impl Egress {
    /// A copy for a port that is no tunnel.
    pub(crate) const fn port(port: PortId, tag: Option<Tag>) -> Self {
        Self { port, remote: None, tag }
    }
}

/// Something a person may want to know; rare by construction.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A station claims an address of the router's own (RFC 5227 section 2.4).
    AddressConflict {
        /// Where it was heard.
        interface: InterfaceId,
        /// The address both claim.
        address: Ipv4Addr,
        /// The other station.
        station: Mac,
    },
    /// A neighbour's address is claimed by another station than the one that had it.
    NeighborMoved {
        /// The segment.
        interface: InterfaceId,
        /// The neighbour's address.
        address: Ipv4Addr,
        /// The station that had it.
        was: Mac,
        /// The station that claims it.
        is: Mac,
        /// Whether it is believed; otherwise the first one is asked.
        taken: bool,
    },
    /// Frames with the router's own MAC address as their source come in from elsewhere; told once a
    /// minute for each port.
    OwnSource {
        /// The interface that has the MAC address.
        interface: InterfaceId,
        /// The MAC address.
        station: Mac,
        /// The port or the remote VTEP that they come from.
        from: Location,
    },
}

/// A packet that ended, as it was to leave, and what its sender is to be told. The switch sees to
/// it when the call of the protocol that it ended in is over: an ICMP error finds its way through
/// routes and NAT, and may itself need a neighbour.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) cause: Frame,
    pub(crate) error: IcmpError,
}

#[derive(Debug)]
struct Transmit {
    frame: Frame,
    first: u32,
    count: u32,
}

/// Frames to send, notices, and the buffers that come back. A flooded frame is here once, with many
/// [`Egress`]es.
#[derive(Debug)]
pub struct Outbox {
    /// Buffers for frames that the switch speaks, and the place where dropped frames' buffers go.
    pub pool: Pool,
    transmits: Vec<Transmit>,
    egress: Vec<Egress>,
    notices: Vec<Notice>,
    pub(crate) reports: Vec<Report>,
    /// Pieces of one packet on their way out; empty between packets.
    pub(crate) pieces: Vec<Frame>,
}

impl Outbox {
    /// An empty outbox whose pool keeps up to `buffers` buffers.
    pub fn new(buffers: usize) -> Self {
        Self {
            pool: Pool::new(buffers),
            transmits: Vec::new(),
            egress: Vec::new(),
            notices: Vec::new(),
            reports: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Hands every frame to `send` with its copies, in order, and takes the buffers back. The frame
    /// has no tag beside its bytes; `send` may change it as it likes.
    pub fn drain(&mut self, mut send: impl FnMut(&mut Frame, &[Egress])) {
        self.hand_over(|mut frame, copies, pool| {
            send(&mut frame, copies);
            pool.give(frame);
        });
    }

    /// [`Outbox::drain`] for a sender that keeps frames for a while: each is its own until it gives
    /// it to the pool.
    pub fn hand_over(&mut self, mut send: impl FnMut(Frame, &[Egress], &mut Pool)) {
        for transmit in self.transmits.drain(..) {
            let first = transmit.first as usize;
            let copies = self.egress.get(first..first + transmit.count as usize);
            send(transmit.frame, copies.unwrap_or(&[]), &mut self.pool);
        }
        self.egress.clear();
    }

    /// Frames waiting to be sent, each counted once.
    pub fn len(&self) -> usize {
        self.transmits.len()
    }

    /// Copies waiting to be sent: a flooded frame is here once for each port.
    pub fn waiting_copies(&self) -> usize {
        self.egress.len()
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.transmits.is_empty()
    }

    /// Takes the notices out.
    pub fn notices(&mut self) -> impl Iterator<Item = Notice> {
        self.notices.drain(..)
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        if self.notices.len() < MAX_NOTICES {
            self.notices.push(notice);
        }
    }

    /// Has the sender of a packet told what became of it.
    pub(crate) fn report(&mut self, cause: Frame, error: IcmpError) {
        self.reports.push(Report { cause, error });
    }

    /// Begins a list of copies; [`Outbox::copy_all`] adds to it and [`Outbox::send`] ends it.
    pub(crate) fn copies(&mut self) -> Copies {
        Copies { first: self.egress.len() as u32 }
    }

    /// Adds a copy for a port, or one for each remote VTEP of a tunnel.
    #[inline]
    pub(crate) fn copy_all(&mut self, port: PortId, role: &Role, tag: Option<Tag>) {
        match role {
            Role::Tunnel(_, tunnel) => {
                let far = tunnel.remotes.iter();
                self.egress.extend(far.map(|&far| Egress { port, remote: Some(far), tag }));
            }
            Role::Bridged(_) | Role::Routed { .. } | Role::Underlay => {
                self.egress.push(Egress::port(port, tag));
            }
        }
    }

    /// Sends `frame` to one place.
    #[inline]
    pub(crate) fn send_one(&mut self, egress: Egress, mut frame: Frame) -> Fate {
        let first = self.egress.len() as u32;
        self.egress.push(egress);
        frame.set_tag(None);
        self.transmits.push(Transmit { frame, first, count: 1 });
        Fate::Sent
    }

    /// Sends `frame` to all copies added since `copies`; gives it back when there is none.
    pub(crate) fn send(&mut self, copies: Copies, mut frame: Frame) -> Result<(), Frame> {
        let count = self.egress.len() as u32 - copies.first;
        if count == 0 {
            return Err(frame);
        }
        frame.set_tag(None);
        self.transmits.push(Transmit { frame, first: copies.first, count });
        Ok(())
    }
}

/// An open list of copies.
#[derive(Debug)]
pub(crate) struct Copies {
    first: u32,
}

/// Notices kept between two drains; more tell nothing new.
const MAX_NOTICES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_for_many_ports_waits_once_until_it_is_handed_over() {
        let mut out = Outbox::new(1);
        assert!(out.is_empty());
        let copies = out.copies();
        for number in 0..3 {
            out.copy_all(PortId::new(number), &Role::Underlay, None);
        }
        let frame = out.pool.take();
        out.send(copies, frame).unwrap();
        assert_eq!((out.is_empty(), out.len(), out.waiting_copies()), (false, 1, 3));
        let mut ports = Vec::new();
        out.drain(|_, copies| ports.extend(copies.iter().map(|copy| copy.port.number())));
        assert_eq!(ports, [0, 1, 2]);
        assert_eq!((out.is_empty(), out.len(), out.waiting_copies()), (true, 0, 0));
        assert_eq!(out.pool.len(), 1);
    }
}
