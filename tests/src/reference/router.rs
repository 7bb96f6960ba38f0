//! Routing: is it for us, which way, may it go on, and to which MAC address?

use core::net::Ipv4Addr;

use packet::{DropReason, Frame, InterfaceId, Offload};
use switch::change::{InterfaceSettings, RpFilter};
use switch::view::NeighborState;

use super::bridge::{destination, ethertype, heard, source};
use super::changes::Target;
use super::ipv4::{self, Transport};
use super::nat::{Departure, Inbound, Outbound, Translated};
use super::{Fate, Leaving, Prediction, Reference, World};
use crate::checks::footprint;
use crate::wire::Packet;
use crate::wire::inside::settled;

impl Reference {
    /// A frame that has reached the router's end on an interface.
    pub(super) fn take(
        &mut self,
        world: World<'_>,
        interface: InterfaceId,
        frame: &Frame,
        prediction: &mut Prediction,
    ) -> Result<Vec<Fate>, DropReason> {
        let own = world.settings.interfaces.get(&interface).ok_or(DropReason::PortDown)?;
        let to = destination(frame);
        if source(frame) == own.mac {
            return Err(DropReason::SourceIsOurs);
        }
        if to != own.mac && !to.is_group() {
            return Err(DropReason::NotForUs);
        }
        match ethertype(frame) {
            0x0806 => {
                let port = world.settings.ports.get(&prediction.port);
                let bridged = port.is_some_and(|port| port.role.membership().is_some());
                // On a bridge it was heard on the way here.
                if !bridged {
                    prediction.heard = heard(frame, interface);
                }
                match bridged || prediction.heard.is_some() {
                    true => Ok(vec![Fate::Consumed]),
                    false => Err(DropReason::BadArp),
                }
            }
            0x0800 => {
                self.nat.came_by(prediction.port.index() as u32);
                self.route(world, interface, frame)
            }
            _ => Err(DropReason::UnknownProtocol),
        }
    }

    fn route(
        &mut self,
        world: World<'_>,
        interface: InterfaceId,
        frame: &Frame,
    ) -> Result<Vec<Fate>, DropReason> {
        // A checksum of a packet inside a tunnel is completed on the way in.
        let frame = &settled(frame);
        let packet = ipv4::read(frame)?;
        if let Some(reason) = ipv4::refusal(&packet, destination(frame).is_group()) {
            return Err(reason);
        }
        let reverse_path = self.reverse_path(world, packet.source)?;
        let admitted = match world.settings.interfaces[&interface].rp_filter {
            RpFilter::Off => true,
            RpFilter::Loose => reverse_path.is_some(),
            RpFilter::Strict => reverse_path == Some(interface),
        };
        if !admitted {
            return Err(DropReason::ReversePath);
        }
        let owner = owner(world, packet.destination);
        if packet.is_fragment()
            && (owner.is_some() || self.may_be_translated(world, &packet, interface))
        {
            self.nat.lose_track();
            return Ok(vec![Fate::Unknown]);
        }
        let inbound = match self.nat.inbound(&packet, (interface, owner)) {
            Inbound::Unknown => {
                self.nat.lose_track();
                return Ok(vec![Fate::Unknown]);
            }
            Inbound::Refused(reason) => return Err(reason),
            Inbound::Local => {
                let own = owner.map(|owner| (packet.destination, owner));
                if own.is_some_and(|own| self.nat.hides(own, packet.source, interface)) {
                    return Err(DropReason::Unsolicited);
                }
                return Ok(vec![self.local(frame, &packet, interface)]);
            }
            Inbound::Destined(destined) => destined,
        };
        let (out, next) = self.choose(world, &packet, *inbound.to.ip())?;
        let own = world.settings.interfaces.get(&out).ok_or(DropReason::PortDown)?;
        let mut whole = frame.clone();
        whole.truncate(14 + 20 + packet.options.len() + packet.payload.len());
        if packet.dont_fragment && footprint(&whole) > usize::from(own.mtu) {
            return Err(DropReason::FragmentationNeeded);
        }
        // A source that no rule covers is no inside host's where its route leads out again, or to
        // another outside.
        let outside = |id| self.nat.is_outside(id);
        let real = reverse_path == Some(interface)
            || reverse_path.is_some_and(|back| back != out && !outside(back));
        if outside(out) && !real && self.nat.leaves_bare(&packet, &inbound, out) {
            return Err(DropReason::NatForeignSource);
        }
        let departure = Departure { interface: out, external: towards(own, next) };
        let (mut fates, translated) = match self.nat.outbound(&packet, inbound, departure) {
            Outbound::Refused(reason) => return Err(reason),
            Outbound::Passed(translated) => (Vec::new(), translated),
            Outbound::Either(reason, translated) => (vec![Fate::Dropped(reason)], translated),
            Outbound::Unknown => {
                self.nat.lose_track();
                return Ok(vec![Fate::Unknown]);
            }
        };
        fates.extend(self.deliver(world, &whole, (out, next), translated));
        Ok(fates)
    }

    /// Whether a fragment waits for the rest of its packet, because somebody may translate that.
    fn may_be_translated(&self, world: World<'_>, packet: &Packet, came_on: InterfaceId) -> bool {
        let out = match self.lookup_route(world, packet.destination) {
            Some(Target::Segment(interface, _)) => Some(interface),
            _ => None,
        };
        self.nat.concerns((packet.source, packet.destination), came_on, out)
    }

    /// The interface by which the sender of a packet is reached.
    fn reverse_path(
        &self,
        world: World<'_>,
        source: Ipv4Addr,
    ) -> Result<Option<InterfaceId>, DropReason> {
        if owner(world, source).is_some() || is_broadcast(world, source) {
            return Err(DropReason::MartianSource);
        }
        Ok(match self.lookup_route(world, source) {
            Some(Target::Segment(interface, _)) => Some(interface),
            Some(Target::Unreachable | Target::Prohibit | Target::Blackhole) | None => None,
        })
    }

    /// A packet for one of the router's own addresses.
    fn local(&self, frame: &Frame, packet: &Packet, interface: InterfaceId) -> Fate {
        const RST: u8 = 4;
        let transport = Transport::of(packet);
        // A partial checksum is somebody else's to finish.
        let whole = frame.offload() == Offload::Complete && transport != Transport::Malformed;
        if whole && !packet.checksum_holds(Offload::Complete) {
            return Fate::Dropped(DropReason::BadChecksum);
        }
        let outside = self.nat.is_outside(interface);
        match transport {
            Transport::Query { kind: 8, .. } => Fate::Consumed,
            Transport::Udp => Fate::Dropped(DropReason::PortUnreachable),
            Transport::Tcp { flags } if flags & RST == 0 && !outside => {
                Fate::Dropped(DropReason::PortUnreachable)
            }
            Transport::Malformed => Fate::Dropped(DropReason::BadTransport),
            _ => Fate::Dropped(DropReason::Unsolicited),
        }
    }

    /// Which way a packet goes: the interface, and the neighbour there.
    fn choose(
        &self,
        world: World<'_>,
        packet: &Packet,
        to: Ipv4Addr,
    ) -> Result<(InterfaceId, Ipv4Addr), DropReason> {
        let on_its_link = |address: Ipv4Addr| address.octets()[..2] == [169, 254];
        if on_its_link(packet.source) {
            return Err(DropReason::MartianSource);
        }
        if on_its_link(to) {
            return Err(DropReason::MartianDestination);
        }
        if owner(world, to).is_some() {
            return Err(DropReason::Unsolicited);
        }
        if is_broadcast(world, to) {
            return Err(DropReason::DirectedBroadcast);
        }
        let way = match self.lookup_route(world, to) {
            None | Some(Target::Unreachable) => return Err(DropReason::NoRoute),
            Some(Target::Prohibit | Target::Blackhole) => return Err(DropReason::Prohibited),
            Some(Target::Segment(interface, next)) => (interface, next),
        };
        if packet.ttl <= 1 {
            return Err(DropReason::TtlExpired);
        }
        Ok(way)
    }

    /// What becomes of a packet that is on its way to a neighbour.
    fn deliver(
        &self,
        world: World<'_>,
        frame: &Frame,
        (out, next): (InterfaceId, Ipv4Addr),
        packet: Translated,
    ) -> Vec<Fate> {
        let neighbors = world.switch.neighbors();
        let known = neighbors.iter().find(|n| (n.interface, n.address) == (out, next));
        let mac = match known.map(|known| (known.state, known.mac)) {
            None => {
                return vec![Fate::Held, Fate::Dropped(DropReason::NeighborTableFull)];
            }
            Some((NeighborState::Incomplete, _)) => {
                return vec![Fate::Held, Fate::Dropped(DropReason::NeighborQueueFull)];
            }
            Some((NeighborState::Failed, _)) => {
                return vec![Fate::Held, Fate::Dropped(DropReason::NoNeighbor)];
            }
            Some((_, Some(mac))) => mac,
            Some((state, None)) => panic!("a neighbour without an address is {state:?}"),
        };
        let own = &world.settings.interfaces[&out];
        if footprint(frame) > usize::from(own.mtu) {
            return vec![Fate::Unknown];
        }
        let mut leaving = frame.clone();
        leaving.set_tag(None);
        match self.leave(world, own.link, mac, &leaving) {
            Err(reason) => vec![Fate::Dropped(reason)],
            Ok(copies) => {
                let copies = copies.sent;
                vec![Fate::Routed(Box::new(Leaving { to: mac, from: own.mac, copies, packet }))]
            }
        }
    }
}

/// Whether an address is everybody's in a subnet.
fn is_broadcast(world: World<'_>, address: Ipv4Addr) -> bool {
    let mut nets = world.settings.interfaces.values().flat_map(|own| &own.addresses);
    // RFC 3021: a /31 has no broadcast addresses.
    nets.any(|n| n.prefix_len() <= 30 && [n.broadcast(), n.network()].contains(&address))
}

/// The interface that bears an address.
fn owner(world: World<'_>, address: Ipv4Addr) -> Option<InterfaceId> {
    let mut interfaces = world.settings.interfaces.iter();
    let bears = |own: &InterfaceSettings| own.addresses.iter().any(|net| net.addr() == address);
    interfaces.find(|(_, own)| bears(own)).map(|(id, _)| *id)
}

/// The address that an interface speaks from to a neighbour.
fn towards(own: &InterfaceSettings, next: Ipv4Addr) -> Option<Ipv4Addr> {
    let near = own.addresses.iter().find(|net| net.contains(&next));
    near.or(own.addresses.first()).map(|net| net.addr())
}
