//! How a frame leaves on a segment: addressed, whole or in pieces, by a bridge or a routed port.

use packet::fragment::fragment;
use packet::icmp::IcmpError;
use packet::segment::{resized, segment, segment_ip_len};
use packet::{
    DropReason, Dropped, EtherType, Ethernet, EthernetHeader, Frame, InterfaceId, Ip, Ipv4, Mac,
    PortId,
};

use crate::bridge::{Decision, Ingress, mtu_len};
use crate::context::Context;
use crate::interface::Link;
use crate::outbox::Egress;
use crate::station::Location;
use crate::stats::Fate;
use crate::trace::Note;

impl Context<'_> {
    /// Puts the Ethernet header on and lets the packet leave, in fragments where it is too large
    /// (RFC 791 section 3.2; step 6 has refused what must not be fragmented).
    #[inline(always)]
    pub(crate) fn transmit(
        &mut self,
        interface: InterfaceId,
        mac: Mac,
        mut frame: Frame,
    ) -> Result<Fate, Dropped> {
        let Some(own) = self.interfaces.get(interface) else {
            return Err(frame.refuse(DropReason::PortDown));
        };
        frame.set_tag(None);
        Ethernet::emit(&mut frame, mac, own.mac, EtherType::IPV4);
        let mtu = own.mtu;
        if segment_ip_len(&frame) <= usize::from(mtu) {
            return self.egress(interface, frame);
        }
        self.trace.note(|| Note::Cut { mtu });
        self.egress_in_fragments(interface, mtu, frame)
    }

    /// Sends a whole frame on the segment of an interface.
    pub(crate) fn egress(
        &mut self,
        interface: InterfaceId,
        mut frame: Frame,
    ) -> Result<Fate, Dropped> {
        let Some(own) = self.interfaces.get(interface) else {
            return Err(frame.refuse(DropReason::PortDown));
        };
        let (bridge, vlan) = match own.link {
            Link::Vlan { bridge, vlan } => (bridge, vlan),
            Link::Port(port) => return self.egress_on(port, frame),
        };
        let Some(bridge) = self.bridges.get(bridge) else {
            return Err(frame.refuse(DropReason::PortDown));
        };
        let ingress = Ingress { vlan, from: None };
        let header = EthernetHeader::of(frame.bytes());
        let destination = header.map_or(Mac::BROADCAST, EthernetHeader::destination);
        match bridge.decide(destination, vlan, None) {
            Ok(Decision::Forward(to)) => {
                if let Location::Remote { tunnel, .. } = to {
                    self.ports.clamp_mss(&mut frame, tunnel);
                    if let Some(mtu) = self.narrower(tunnel, &frame) {
                        self.trace.note(|| Note::Cut { mtu });
                        return self.egress_in_fragments(interface, mtu, frame);
                    }
                }
                bridge.forward(self.ports, ingress, to, frame, self.out)
            }
            Ok(Decision::Flood) => {
                let flooded = bridge.flood(self.ports, ingress, frame, self.stats, self.out);
                if let Some((_, frame)) = flooded.too_large {
                    self.out.pool.give(frame);
                }
                flooded.outcome
            }
            Ok(Decision::Router(_)) => Err(frame.refuse(DropReason::Reflected)),
            Err(reason) => Err(frame.refuse(reason)),
        }
    }

    /// The MTU of a tunnel that a packet of ours is too large for, where it may be cut.
    fn narrower(&self, tunnel: PortId, frame: &Frame) -> Option<u16> {
        let mtu = self.ports.get(tunnel)?.settings.mtu;
        (mtu_len(frame) > usize::from(mtu) && may_fragment(frame)).then_some(mtu)
    }

    fn egress_on(&mut self, port: PortId, frame: Frame) -> Result<Fate, Dropped> {
        let reason = match self.ports.get(port) {
            Some(state) if state.up && mtu_len(&frame) <= usize::from(state.settings.mtu) => {
                return Ok(self.out.send_one(Egress::port(port, None), frame));
            }
            Some(state) if state.up => DropReason::ExceedsPortMtu,
            _ => DropReason::PortDown,
        };
        Err(frame.refuse(reason))
    }

    /// Sends a packet that is larger than `mtu` and may be cut: a TCP super-frame as smaller
    /// segments, anything else as fragments (RFC 791 section 3.2), in order.
    fn egress_in_fragments(
        &mut self,
        interface: InterfaceId,
        mtu: u16,
        mut frame: Frame,
    ) -> Result<Fate, Dropped> {
        if resized(&mut frame, mtu) {
            return self.egress(interface, frame);
        }
        let mut whole = Vec::new();
        segment(frame, &mut self.out.pool, &mut |datagram| whole.push(datagram))?;
        let mut outcome = Err(Frame::default().refuse(DropReason::BadFragment));
        for datagram in whole {
            match self.egress_datagram(interface, mtu, datagram) {
                Ok(fate) => outcome = Ok(fate),
                Err(dropped) if outcome.is_err() => outcome = Err(dropped),
                Err(dropped) => self.out.pool.give(dropped.frame),
            }
        }
        outcome
    }

    fn egress_datagram(
        &mut self,
        interface: InterfaceId,
        mtu: u16,
        datagram: Frame,
    ) -> Result<Fate, Dropped> {
        let packet = Ipv4::in_frame(datagram)?;
        let mut pieces = core::mem::take(&mut self.out.pieces);
        let cut = fragment(packet, mtu, &mut self.out.pool, &mut |piece| pieces.push(piece));
        let mut outcome = cut.map(|()| Fate::Sent);
        for piece in pieces.drain(..) {
            if let Err(dropped) = self.egress(interface, piece) {
                // One fragment that is lost spoils the packet: it counts as dropped, once.
                match outcome {
                    Ok(_) => outcome = Err(dropped),
                    Err(_) => self.out.pool.give(dropped.frame),
                }
            }
        }
        self.out.pieces = pieces;
        outcome
    }

    /// What to tell the sender of a packet that NAT has passed and that cannot leave, where it
    /// should hear of it.
    #[cold]
    pub(crate) fn error_of(&self, dropped: &Dropped, interface: InterfaceId) -> Option<IcmpError> {
        match dropped.reason {
            DropReason::NoNeighbor => Some(IcmpError::HostUnreachable),
            DropReason::ExceedsTunnelMtu => {
                let to = EthernetHeader::of(dropped.frame.bytes())?.destination();
                let Link::Vlan { bridge, vlan } = self.interfaces.get(interface)?.link else {
                    return None;
                };
                let tunnel = self.bridges.get(bridge)?.fdb.find(to, vlan)?.port()?;
                let mtu = self.ports.get(tunnel)?.settings.mtu;
                Some(IcmpError::FragmentationNeeded { mtu })
            }
            _ => None,
        }
    }
}

/// Whether a frame holds an IPv4 packet that may be cut.
fn may_fragment(frame: &Frame) -> bool {
    matches!(Ip::in_frame(frame.bytes()), Some((_, Ip::V4(ip))) if !ip.dont_fragment())
}
