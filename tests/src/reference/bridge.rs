//! Bridging: the VLAN of a frame, who has learned what from it, and who gets it (IEEE 802.1Q clause
//! 8).

use packet::arp::Arp;
use packet::{BridgeId, DropReason, Frame, InterfaceId, Mac, PortId, Tag, VlanId};
use switch::change::{Link, Membership, Role};
use switch::view::Location;
use switch::vlan::{PriorityTags, VlanMode, VlanSet};

use super::{ArpInput, Copies, Copy, Fate, Prediction, Reference, World, guard};
use crate::checks::footprint;

const ARP: u16 = 0x0806;

/// What the bridge decides of a destination.
enum Decision {
    To(Location),
    Everybody,
}

impl Reference {
    /// A whole frame on a port, or from a far end of a tunnel.
    pub(super) fn enter(
        &mut self,
        world: World<'_>,
        from: Location,
        frame: &Frame,
        prediction: &mut Prediction,
    ) -> Result<Vec<Fate>, DropReason> {
        let id = from.port().ok_or(DropReason::PortDown)?;
        if let Some(span) = frame.offload().span()
            && (span.start < 34 || ethertype(frame) == ARP)
        {
            return Err(DropReason::BadOffload);
        }
        let port = world.settings.ports.get(&id).filter(|_| world.settings.up.contains(&id));
        let port = port.ok_or(DropReason::PortDown)?;
        if !source(frame).is_station() {
            return Err(DropReason::BadSource);
        }
        if let Some(reason) = port.guard.as_ref().and_then(|guard| guard::refusal(guard, frame)) {
            return Err(reason);
        }
        match &port.role {
            Role::Routed { .. } if frame.tag().is_some_and(|tag| tag.bits() & 0xfff != 0) => {
                Err(DropReason::NotInVlan)
            }
            Role::Routed { interface } => self.take(world, *interface, frame, prediction),
            Role::Bridged(member) | Role::Tunnel(member, _) => {
                let vlan = admit(&member.vlans, frame.tag())?;
                let frame = &world.settings.on_bridge(id, frame);
                self.bridge(world, (member.bridge, vlan), from, frame, prediction)
            }
            Role::Underlay => Err(DropReason::BadVxlan),
        }
    }

    fn bridge(
        &mut self,
        world: World<'_>,
        (id, vlan): (BridgeId, VlanId),
        from: Location,
        frame: &Frame,
        prediction: &mut Prediction,
    ) -> Result<Vec<Fate>, DropReason> {
        let learns = match world.settings.ports.get(&prediction.port).map(|port| &port.role) {
            Some(Role::Tunnel(_, tunnel)) => tunnel.learning,
            _ => true,
        };
        let bridge = self.bridges.get_mut(&id).ok_or(DropReason::PortDown)?;
        let (source, destination) = (source(frame), destination(frame));
        let reserved = destination.0[..5] == [0x01, 0x80, 0xc2, 0, 0] && destination.0[5] < 16;
        let station = (vlan, source);
        let ends = reserved && bridge.settings.forward & 1 << destination.0[5] == 0;
        if !ends && bridge.stations.is_bound_elsewhere(station, from) {
            return Err(match bridge.stations.find(station) {
                Some(Location::Router(_)) => DropReason::SourceIsOurs,
                _ => DropReason::SourceIsStatic,
            });
        }
        if !reserved && learns && !bridge.settings.hub {
            bridge.stations.learn(world.now, station, from);
        }
        if ends {
            return Err(DropReason::Reserved);
        }
        let own = world
            .settings
            .interfaces
            .iter()
            .find(|(_, own)| own.link == Link::Vlan { bridge: id, vlan });
        if ethertype(frame) == ARP
            && !reserved
            && let Some((interface, _)) = own
        {
            prediction.heard = heard(frame, *interface);
        }
        match decide(bridge, vlan, destination) {
            Decision::To(Location::Router(interface)) => {
                self.take(world, interface, frame, prediction)
            }
            Decision::To(to) if to == from => Err(DropReason::Reflected),
            Decision::To(Location::Remote { .. }) if from.is_remote() => {
                Err(DropReason::SplitHorizon)
            }
            Decision::To(to) => {
                let mut copies = Copies::default();
                offer(world, &mut copies, to, vlan, Some(from), frame)?;
                Ok(vec![Fate::Bridged(copies)])
            }
            Decision::Everybody => {
                let copies = flood(world, (id, vlan), Some(from), frame);
                Ok(vec![match (copies.sent.is_empty(), prediction.heard) {
                    (false, _) => Fate::Bridged(copies),
                    (true, Some(_)) => Fate::Consumed,
                    (true, None) => Fate::Dropped(DropReason::NoEgress),
                }])
            }
        }
    }

    /// Where a frame of the router's own goes on a segment.
    pub(super) fn leave(
        &self,
        world: World<'_>,
        link: Link,
        to: Mac,
        frame: &Frame,
    ) -> Result<Copies, DropReason> {
        let (id, vlan) = match link {
            Link::Vlan { bridge, vlan } => (bridge, vlan),
            Link::Port(port) => {
                let settings = world.settings.ports.get(&port);
                let up = settings.filter(|_| world.settings.up.contains(&port));
                let mtu = up.ok_or(DropReason::PortDown)?.mtu;
                if footprint(frame) > usize::from(mtu) {
                    return Err(DropReason::ExceedsPortMtu);
                }
                return Ok(Copies { sent: [(port, None, None)].into(), ..Copies::default() });
            }
        };
        let bridge = self.bridges.get(&id).ok_or(DropReason::PortDown)?;
        match decide(bridge, vlan, to) {
            Decision::To(Location::Router(_)) => Err(DropReason::Reflected),
            Decision::To(to) => {
                let mut copies = Copies::default();
                offer(world, &mut copies, to, vlan, None, frame)?;
                Ok(copies)
            }
            Decision::Everybody => {
                let copies = flood(world, (id, vlan), None, frame);
                if copies.sent.is_empty() { Err(DropReason::NoEgress) } else { Ok(copies) }
            }
        }
    }
}

fn decide(bridge: &super::Bridge, vlan: VlanId, to: Mac) -> Decision {
    match bridge.stations.find((vlan, to)) {
        _ if to.is_group() => Decision::Everybody,
        Some(own @ Location::Router(_)) => Decision::To(own),
        Some(known) if !bridge.settings.hub => Decision::To(known),
        _ => Decision::Everybody,
    }
}

/// Offers a frame to every place of a bridge but the one that it came from.
fn flood(
    world: World<'_>,
    (bridge, vlan): (BridgeId, VlanId),
    from: Option<Location>,
    frame: &Frame,
) -> Copies {
    let mut copies = Copies::default();
    let came_on = from.and_then(Location::port);
    for (id, port) in world.settings.ports.iter().filter(|(id, _)| Some(**id) != came_on) {
        let refused = match &port.role {
            Role::Bridged(member) if member.bridge == bridge => {
                offer(world, &mut copies, Location::Port(*id), vlan, from, frame)
            }
            Role::Tunnel(member, tunnel) if member.bridge == bridge => {
                if from.is_some_and(Location::is_remote) {
                    continue;
                }
                // A tunnel without far ends takes a frame as one that is refused by nobody.
                let mut outcome = Ok(());
                for remote in &tunnel.remotes {
                    let to = Location::Remote { tunnel: *id, remote: *remote };
                    outcome = offer(world, &mut copies, to, vlan, from, frame);
                }
                outcome
            }
            _ => continue,
        };
        if let Err(
            reason @ (DropReason::ExceedsPortMtu
            | DropReason::ExceedsTunnelMtu
            | DropReason::Isolated),
        ) = refused
        {
            *copies.refused.entry((*id, reason)).or_default() += 1;
        }
    }
    copies
}

/// Offers a frame to one place.
fn offer(
    world: World<'_>,
    copies: &mut Copies,
    to: Location,
    vlan: VlanId,
    from: Option<Location>,
    frame: &Frame,
) -> Result<(), DropReason> {
    let (id, remote) = match to {
        Location::Port(port) => (port, None),
        Location::Remote { tunnel, remote } => (tunnel, Some(remote)),
        Location::Router(_) => return Err(DropReason::NoEgress),
    };
    let port = world.settings.ports.get(&id).ok_or(DropReason::PortDown)?;
    let member = port.role.membership().ok_or(DropReason::NoEgress)?;
    if !world.settings.up.contains(&id) {
        return Err(DropReason::PortDown);
    }
    let bytes = frame.bytes();
    let customer = match bytes.get(12..16) {
        Some([0x81, 0x00, high, low] | [0x88, 0xa8, high, low]) => {
            u16::from_be_bytes([high & 15, *low])
        }
        _ => 0,
    };
    if !carries(&member.vlans, vlan) || !passes(&member.vlans, customer) {
        return Err(DropReason::NotInVlan);
    }
    if member.isolated && is_isolated(world, from.and_then(Location::port)) {
        return Err(DropReason::Isolated);
    }
    if footprint(frame) > usize::from(port.mtu) {
        return Err(match remote {
            Some(_) => DropReason::ExceedsTunnelMtu,
            None => DropReason::ExceedsPortMtu,
        });
    }
    let tag: Copy = (id, remote, tag(member, vlan, frame.tag()));
    copies.sent.insert(tag);
    Ok(())
}

fn is_isolated(world: World<'_>, port: Option<PortId>) -> bool {
    let role = port.and_then(|port| world.settings.ports.get(&port)).map(|port| &port.role);
    role.and_then(Role::membership).is_some_and(|member| member.isolated)
}

/// The VLAN of a frame that comes in with this tag.
fn admit(vlans: &VlanMode, tag: Option<Tag>) -> Result<VlanId, DropReason> {
    let number = tag.map_or(0, |tag| tag.bits() & 0xfff);
    let named = VlanId::new(number).ok_or(DropReason::BadVlan)?;
    match vlans {
        VlanMode::Access(_) if number != 0 => Err(DropReason::TaggedOnAccess),
        VlanMode::Access(own) => Ok(*own),
        VlanMode::Dot1qTunnel { service, customers } => match customers.contains(named) {
            true => VlanId::new(service.bits() & 0xfff).ok_or(DropReason::BadVlan),
            false => Err(DropReason::NotInVlan),
        },
        VlanMode::NativeTagged { native, .. } | VlanMode::NativeUntagged { native, .. }
            if number == 0 =>
        {
            Ok(*native)
        }
        _ => carries(vlans, named).then_some(named).ok_or(DropReason::NotInVlan),
    }
}

fn carries(vlans: &VlanMode, vlan: VlanId) -> bool {
    match vlans {
        VlanMode::Access(own) => *own == vlan,
        VlanMode::Dot1qTunnel { service, .. } => service.bits() & 0xfff == vlan.number(),
        VlanMode::Trunk(all) => all.contains(vlan),
        VlanMode::NativeTagged { native, trunks } | VlanMode::NativeUntagged { native, trunks } => {
            vlan == *native || vlan.number() != 0 && trunks.contains(vlan)
        }
    }
}

/// Whether a frame whose bytes begin with a tag of this number, 0 for none, is a customer's whom a
/// tunnel's end is for.
fn passes(vlans: &VlanMode, customer: u16) -> bool {
    match vlans {
        VlanMode::Dot1qTunnel { customers: VlanSet::Only(bits), .. } => {
            customer < 4095 && bits[usize::from(customer / 64)] >> (customer % 64) & 1 == 1
        }
        _ => true,
    }
}

/// The tag that a frame of `vlan` leaves with, having come with this one: its priority bits stay.
fn tag(member: &Membership, vlan: VlanId, came: Option<Tag>) -> Option<u32> {
    let bits = |tag: Tag| u32::from(tag.bits()) | u32::from(tag == tag.service()) << 16;
    let came = came.map(bits);
    // The kind of the tag stays with the priority.
    let priority = came.unwrap_or(0) & 0x1_f000;
    let bare = match &member.vlans {
        VlanMode::Access(_) => true,
        VlanMode::Dot1qTunnel { .. } => return None,
        VlanMode::NativeUntagged { native, .. } if *native == vlan => true,
        _ => vlan.number() == 0,
    };
    if !bare {
        return Some(priority | u32::from(vlan.number()));
    }
    let kept = match member.priority_tags {
        PriorityTags::Never => false,
        PriorityTags::IfNonzero => priority >> 13 & 7 != 0,
        PriorityTags::Always => came.is_some(),
    };
    kept.then_some(priority)
}

pub(super) fn destination(frame: &Frame) -> Mac {
    Mac(*frame.bytes().first_chunk().expect("14 bytes"))
}

pub(super) fn source(frame: &Frame) -> Mac {
    Mac(*frame.bytes()[6..].first_chunk().expect("14 bytes"))
}

pub(super) fn ethertype(frame: &Frame) -> u16 {
    u16::from_be_bytes([frame.bytes()[12], frame.bytes()[13]])
}

pub(super) fn heard(frame: &Frame, interface: InterfaceId) -> Option<ArpInput> {
    let arp = Arp::parse(&frame.bytes()[14..])?;
    Some(ArpInput { arp, interface, source: source(frame) })
}
