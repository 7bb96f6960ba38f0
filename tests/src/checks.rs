//! What must hold for every frame that leaves the switch, whatever the test is about.
//!
//! # Theory of operation
//! The lab tells [`Checks`] of every change and, with each step, of the frame that came in. A frame
//! that leaves with the MAC address of the router's own end there is the router's: its headers and
//! checksums must be right, and no rule's inside address may be its source where the rule leads
//! out. Any other frame is bridged: it must be the frame that came in, byte for byte, in the same
//! VLAN, on other ports than its own.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use nat::Rules;
use packet::segment::segment;
use packet::{Frame, Instant, InterfaceId, Mac, Offload, Pool, PortId, Tag, VlanId};
use switch::Egress;
use switch::change::{InterfaceSettings, Link, Membership, PortSettings, Role, Tunnel};
use switch::vlan::{PriorityTags, VlanMode};

use crate::beyond;
use crate::wire::inside::{is_right, owed_inside, settled};
use crate::wire::{Packet, Seen, sum};

/// The lab's own idea of the switch's settings, to judge frames by.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) ports: BTreeMap<PortId, PortSettings>,
    pub(crate) up: BTreeSet<PortId>,
    pub(crate) interfaces: BTreeMap<InterfaceId, InterfaceSettings>,
    pub(crate) rules: Rules,
    /// What was deleted, to be made again.
    pub(crate) gone_ports: BTreeMap<PortId, PortSettings>,
    pub(crate) gone_interfaces: BTreeMap<InterfaceId, InterfaceSettings>,
    /// Addresses that the router has had: what it said under one may have waited for a neighbour
    /// since.
    former: BTreeSet<Ipv4Addr>,
    /// A wrong transport checksum came in, so that one may come out.
    pub(crate) tainted: bool,
    /// An ICMP error came in that quotes no whole header with a right checksum, so that one may
    /// come out.
    pub(crate) misquoted: bool,
}

impl Checks {
    /// Notes an interface's settings, or that it is gone; what it was.
    pub(crate) fn set_interface(
        &mut self,
        interface: InterfaceId,
        settings: Option<InterfaceSettings>,
    ) -> Option<InterfaceSettings> {
        let old = match settings {
            Some(settings) => self.interfaces.insert(interface, settings),
            None => self.interfaces.remove(&interface),
        };
        self.former.extend(old.iter().flat_map(|old| &old.addresses).map(|net| net.addr()));
        old
    }

    /// Notes a frame that comes in: from a wrong checksum no right one can be asked.
    pub(crate) fn hear(&mut self, frame: &Frame) {
        let seen = seen(&settled(frame));
        if let Some(packet) = seen.packet() {
            self.tainted |= !sums_hold(frame, &packet);
            self.misquoted |= !quotes_well(&packet);
        }
    }

    /// Whether the bridge of a port has service VLANs: the end of a tunnel with 802.1ad's tags is
    /// there.
    pub(crate) fn has_service_vlans(&self, port: PortId) -> bool {
        let member = |port: &PortSettings| port.role.membership().cloned();
        let Some(here) = self.ports.get(&port).and_then(member) else { return false };
        self.ports.values().filter_map(member).any(|member| {
            let ad = Tag::from_bits(0).service().tpid();
            member.bridge == here.bridge
                && matches!(member.vlans, VlanMode::Dot1qTunnel { service, .. } if service.tpid() == ad)
        })
    }

    /// A frame that came in as a bridge has it: at a tunnel's end, the customer's tag is a part of
    /// it.
    pub(crate) fn on_bridge(&self, port: PortId, frame: &Frame) -> Frame {
        let mut frame = frame.clone();
        let role = self.ports.get(&port).and_then(|port| port.role.membership());
        if let Some(VlanMode::Dot1qTunnel { service, .. }) = role.map(|member| &member.vlans) {
            assert!(frame.push_tag(), "a tag always fits");
            frame.set_tag(Some(*service));
        }
        frame
    }

    /// Judges a frame that leaves and its copies; `came` is the frame that this step brought in,
    /// its tag taken out. `answers` says whether a packet with these addresses answers one that
    /// was sent to its very source.
    pub(crate) fn judge(
        &self,
        came: Option<&(PortId, Frame)>,
        frame: &Frame,
        copies: &[Egress],
        answers: &dyn Fn(Ipv4Addr, Ipv4Addr) -> bool,
    ) {
        assert!(frame.len() >= 14, "a runt leaves: {frame:?}");
        assert!(!copies.is_empty(), "a frame leaves for nowhere: {frame:?}");
        let places: BTreeSet<_> = copies.iter().map(|copy| (copy.port, copy.remote)).collect();
        assert_eq!(places.len(), copies.len(), "a place gets two copies: {copies:?}");
        for copy in copies {
            self.judge_place(copy);
            let port = self
                .ports
                .get(&copy.port)
                .unwrap_or_else(|| panic!("no {} to leave on", copy.port));
            assert!(self.up.contains(&copy.port), "a frame leaves on {}, which is down", copy.port);
            assert!(
                footprint(frame) <= usize::from(port.mtu),
                "beyond the MTU of {}: {frame:?}",
                copy.port
            );
            let segment = self.segment(&port.role, copy.tag);
            let segment =
                segment.unwrap_or_else(|| panic!("{} must not get {:?}", copy.port, copy.tag));
            let own = self.interfaces.iter().find(|(_, own)| own.link == segment);
            let source = Mac(*frame.bytes()[6..].first_chunk().expect("14 bytes"));
            match own {
                Some((id, own)) if own.mac == source => {
                    self.judge_spoken(*id, own, frame, answers);
                }
                _ => self.judge_bridged(came, frame, copy.port, segment),
            }
        }
    }

    /// A copy for a tunnel is for one of its far ends, and no other copy is for any.
    fn judge_place(&self, copy: &Egress) {
        let tunnel = self.ports.get(&copy.port).and_then(|port| tunnel(&port.role));
        let right = match (tunnel, copy.remote) {
            (None, None) => true,
            (Some(tunnel), Some(remote)) => tunnel.remotes.contains(&remote),
            (Some(_), None) | (None, Some(_)) => false,
        };
        assert!(right, "no such place: {copy:?}");
    }

    /// The segment a frame with this tag is on behind a port; nothing when the port must not carry
    /// it so.
    fn segment(&self, role: &Role, tag: Option<Tag>) -> Option<Link> {
        let (bridge, vlans, priority_tags) = match role {
            Role::Routed { interface } => {
                let own = self.interfaces.get(interface);
                return own.filter(|_| tag.is_none()).map(|own| own.link);
            }
            Role::Bridged(member) | Role::Tunnel(member, _) => {
                (member.bridge, &member.vlans, member.priority_tags)
            }
            Role::Underlay => return None,
        };
        let named = tag.map(|tag| tag.vlan().expect("VLAN 4095 never leaves"));
        let untagged = named.is_none_or(VlanId::is_untagged);
        let only_priority = named.is_some_and(VlanId::is_untagged);
        if only_priority && priority_tags == PriorityTags::Never {
            return None;
        }
        let named = named.unwrap_or(VlanId::UNTAGGED);
        let vlan = match vlans {
            VlanMode::Access(vlan) => untagged.then_some(*vlan),
            VlanMode::Dot1qTunnel { service, .. } => service.vlan().filter(|_| tag.is_none()),
            VlanMode::Trunk(trunks) => trunks.contains(named).then_some(named),
            // A tag cannot say VLAN 0.
            VlanMode::NativeTagged { native, .. } if untagged => {
                native.is_untagged().then_some(*native)
            }
            VlanMode::NativeTagged { native, trunks } => {
                (named == *native || trunks.contains(named)).then_some(named)
            }
            VlanMode::NativeUntagged { native, .. } if untagged => Some(*native),
            VlanMode::NativeUntagged { native, trunks } => {
                (named != *native && trunks.contains(named)).then_some(named)
            }
        };
        vlan.map(|vlan| Link::Vlan { bridge, vlan })
    }

    fn judge_bridged(
        &self,
        came: Option<&(PortId, Frame)>,
        frame: &Frame,
        to: PortId,
        segment: Link,
    ) {
        let Some((from, original)) = came else { panic!("a frame of nobody's leaves: {frame:?}") };
        let (here, there) = (&self.ports[from].role, &self.ports[&to].role);
        let (Some(member), Some(beyond)) = (here.membership(), there.membership()) else {
            panic!("a routed port bridges: {frame:?}");
        };
        let tunnels = |role: &&Role| matches!(role, Role::Tunnel(..));
        assert!(![here, there].iter().all(tunnels), "from far end to far end: {frame:?}");
        if *from == to && self.is_answer(frame, original, member) {
            return;
        }
        assert_ne!(*from, to, "reflected: {frame:?}");
        let vlan = member.vlans.admit(original.tag()).expect("what is refused does not leave");
        let original = &self.on_bridge(*from, original);
        if frame.bytes() != original.bytes() {
            let may = [here, there].into_iter().filter_map(tunnel).any(|tunnel| tunnel.clamp_mss);
            let lowered = may && beyond::is_lowered(original.bytes(), frame.bytes());
            assert!(lowered, "a bridged frame changed: {original:?} to {frame:?}");
        }
        let too_much = |tunnel: &Tunnel| {
            tunnel.clamp_mss && beyond::announces_too_much(frame.bytes(), self.ports[&to].mtu)
        };
        assert!(!tunnel(there).is_some_and(too_much), "an MSS does not fit {to}: {frame:?}");
        assert_eq!(frame.offload(), original.offload(), "a bridged frame's duty changed");
        assert!(!(member.isolated && beyond.isolated), "isolated ports talk: {frame:?}");
        assert_eq!(
            segment,
            Link::Vlan { bridge: member.bridge, vlan },
            "a frame changed its segment: {frame:?}"
        );
    }

    /// Whether this is what a tunnel of the same bridge makes the switch say in a station's name.
    fn is_answer(&self, frame: &Frame, original: &Frame, member: &Membership) -> bool {
        let (answer, asked) = (seen(frame), seen(original));
        self.ports.values().any(|port| match &port.role {
            Role::Tunnel(at, tunnel) if at.bridge == member.bridge => {
                tunnel.suppress_arp && beyond::is_reply_to(&asked, &answer)
                    || footprint(original) > usize::from(port.mtu)
                        && beyond::is_too_big_for(port.mtu, &asked, &answer)
            }
            _ => false,
        })
    }

    fn judge_spoken(
        &self,
        out: InterfaceId,
        own: &InterfaceSettings,
        frame: &Frame,
        answers: &dyn Fn(Ipv4Addr, Ipv4Addr) -> bool,
    ) {
        let seen = seen(frame);
        if seen.ethertype() != 0x0800 {
            let arp = seen.arp().unwrap_or_else(|| panic!("the router speaks nonsense: {frame:?}"));
            assert!(arp.sender_mac == own.mac, "the router lies: {arp:?}");
            assert!(
                own.addresses.iter().any(|net| net.addr() == arp.sender),
                "not our address: {arp:?}"
            );
            assert!(frame.len() >= 60, "ARP without padding");
            return;
        }
        let packet =
            Packet::parse(seen.payload()).unwrap_or_else(|wrong| panic!("{wrong}: {frame:?}"));
        let total = 20 + packet.options.len() + packet.payload.len();
        assert_eq!(seen.payload().len(), total, "bytes behind the packet: {packet:?}");
        assert!(packet.ttl > 0, "a packet without hops leaves: {packet:?}");
        assert!(!seen.destination().is_group(), "unicast in a broadcast frame: {packet:?}");
        assert!(footprint(frame) <= usize::from(own.mtu), "beyond the MTU of {out}: {packet:?}");
        if !self.tainted {
            let holds = sums_hold(frame, &packet);
            assert!(holds, "wrong transport checksum, {:?}: {packet:?}", frame.offload());
            let quotes = self.misquoted || quotes_well(&packet);
            assert!(quotes, "wrong quoted header checksum: {packet:?}");
        }
        // The router's own address outside is nobody's inside, even where a rule's source holds it.
        let is_outside = |id| id == out || self.rules.masquerade.iter().any(|rule| rule.out == id);
        let mut interfaces = self.interfaces.iter();
        let owner =
            interfaces.find(|(_, own)| own.addresses.iter().any(|n| n.addr() == packet.source));
        if owner.is_some_and(|(id, _)| is_outside(*id))
            || owner.is_none() && self.former.contains(&packet.source)
        {
            return;
        }
        let (from, to) = (packet.source, packet.destination);
        let mut rules = self.rules.masquerade.iter().filter(|rule| rule.out == out);
        let inside = rules.find(|rule| {
            rule.source.contains(&from) && !rule.except.iter().any(|net| net.contains(&to))
        });
        // Who had sent to that very address learns nothing from it.
        let is_known = |reachable| reachable && owner.is_some() || answers(from, to);
        let leaks = inside.is_some_and(|rule| !is_known(rule.inside_reachable));
        assert!(!leaks, "an inside address leaves untranslated: {packet:?}");
    }
}

fn tunnel(role: &Role) -> Option<&Tunnel> {
    match role {
        Role::Tunnel(_, tunnel) => Some(tunnel),
        Role::Bridged(_) | Role::Routed { .. } | Role::Underlay => None,
    }
}

/// A frame as a reader without tags sees it.
pub(crate) fn seen(frame: &Frame) -> Seen {
    Seen { at: Instant::ZERO, bytes: frame.bytes().to_vec(), offload: frame.offload() }
}

/// Bytes behind the Ethernet header of the largest frame that this one stands for, inner tags not
/// counted.
pub(crate) fn footprint(frame: &Frame) -> usize {
    let bytes = frame.bytes();
    let whole = bytes.len() - 14;
    let tag = |at: &usize| {
        let tpid = bytes.get(*at..at + 4).map(|tag| [tag[0], tag[1]]);
        matches!(tpid, Some([0x81, 0x00] | [0x88, 0xa8] | [0x91..=0x93, 0x00]))
    };
    let inner = 4 * (12..).step_by(4).take_while(tag).count();
    let Offload::Segment { kind, size, span } = frame.offload() else {
        return whole.saturating_sub(inner);
    };
    let start = usize::from(span.start);
    let header = match kind {
        packet::SegmentKind::Udp => 8,
        packet::SegmentKind::Fragments => 0,
        _ => bytes.get(start + 12).map_or(20, |byte| usize::from(byte >> 4) * 4),
    };
    whole.min(start.saturating_sub(14) + header + usize::from(size.get())).saturating_sub(inner)
}

/// Whether the checksum of the `packet` in a frame is right. Of a super-frame in a tunnel, whether
/// those of all that it is cut into are.
fn sums_hold(frame: &Frame, packet: &Packet) -> bool {
    let frame = settled(frame);
    let Some(span) = frame.offload().span().filter(|_| owed_inside(&frame).is_some()) else {
        return packet.checksum_holds(frame.offload());
    };
    let mut right = true;
    let cut = segment(frame, &mut Pool::new(0), &mut |piece| {
        right &= is_right(piece.bytes(), usize::from(span.start)) == Some(true);
    });
    cut.is_ok() && right
}

/// Whether a packet, if it is an ICMP error, quotes a header whose checksum is right.
fn quotes_well(packet: &Packet) -> bool {
    let quote = packet.payload.get(8..).unwrap_or(&[]);
    let header = quote.first().and_then(|first| quote.get(..usize::from(first & 15) * 4));
    !packet.is_error() || header.map(sum) == Some(0xffff)
}
