//! The fast path of the frame that a bridge mostly sees: from a station that has just been heard to
//! the router, or without a tag to another station that is known. Steps 2 to 4 would come to the
//! same.

use std::collections::BTreeSet;

use packet::segment::segment_ip_len;
use packet::{BridgeId, DropReason, EtherType, Ethernet, Instant, PortId, VlanId};

use crate::bridge::{Bridge, Bridges, Decision};
use crate::interface::Origin;
use crate::outbox::Egress;
use crate::port::{Port, Ports, Role};
use crate::station::{Location, Segment};

/// A port that is up, neither isolated nor guarded, and a member of a bridge that learns.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct FastPort {
    bridge: BridgeId,
    /// The VLAN of frames that come in without a tag; those of it leave without one.
    vlan: VlanId,
    mtu: u16,
}

/// All such ports, by number. A change of the lab or of a port's state forgets them, and behind the
/// next frame, which goes the long way, they are noted anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct FastPorts {
    ports: Vec<Option<FastPort>>,
    is_complete: bool,
}

/// Where a frame's addressee was found, if its speaker had just been heard where it speaks from:
/// hearing it again changes nothing.
#[derive(Copy, Clone, Debug)]
pub(crate) struct FdbHit(Option<Location>);

/// Where a frame goes that nothing else is to be done for on the bridge.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum FastPath {
    /// It leaves as it came.
    Out(Egress),
    /// It is for the router.
    In(Origin),
}

impl FastPorts {
    pub(crate) fn forget(&mut self) {
        self.ports.clear();
        self.is_complete = false;
    }

    #[inline]
    pub(crate) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    #[cold]
    pub(crate) fn note(&mut self, ports: &Ports, bridges: &Bridges) {
        let service: BTreeSet<BridgeId> = ports.service_bridges().collect();
        let plain =
            |port: &Port| FastPort::of(port, bridges).filter(|p| !service.contains(&p.bridge));
        self.ports.extend(ports.iter().map(|port| plain(port?)));
        self.is_complete = true;
    }

    /// The segment of a frame that came in on such a port as frames should.
    #[inline(always)]
    pub(crate) fn segment(&self, from: Location, ethernet: &Ethernet) -> Option<Segment> {
        let Location::Port(from) = from else { return None };
        let FastPort { bridge, vlan, .. } = self.get(from)?;
        let usual = ethernet.tag().is_none() && ethernet.source().is_station();
        usual.then_some(Segment { bridge, vlan })
    }

    /// Where a frame goes, if its bridge would learn nothing from it and send it there as it came.
    #[inline(always)]
    pub(crate) fn fast_path(
        &self,
        segment: Segment,
        from: Location,
        hit: Option<FdbHit>,
        ethernet: &Ethernet,
    ) -> Option<FastPath> {
        let found = hit?.0.filter(|_| ethernet.ethertype() != EtherType::ARP)?;
        let to = match found {
            Location::Port(to) if found != from => to,
            Location::Router(interface) => {
                let origin = Origin { port: from.port()?, interface };
                return self.is_complete.then_some(FastPath::In(origin));
            }
            Location::Port(_) | Location::Remote { .. } => return None,
        };
        let FastPort { bridge, vlan, mtu } = self.get(to)?;
        let is_member = bridge == segment.bridge && vlan == segment.vlan;
        let fits = segment_ip_len(ethernet.frame()) <= usize::from(mtu);
        let crosses = ethernet.tag().is_none() && is_member && fits;
        crosses.then_some(FastPath::Out(Egress::port(to, None)))
    }

    #[inline]
    fn get(&self, port: PortId) -> Option<FastPort> {
        *self.ports.get(port.index())?
    }
}

impl FastPort {
    fn of(port: &Port, bridges: &Bridges) -> Option<Self> {
        let Role::Bridged(member) = &port.settings.role else { return None };
        let bridge = bridges.get(member.bridge)?;
        let vlan = member.vlans.admit(None).ok()?;
        let leaves_untagged = member.vlans.tag(vlan, None, member.priority_tags).is_none();
        let leaves_untagged = leaves_untagged && member.vlans.pushes().is_none();
        let is_open = !member.isolated && port.settings.guard.is_none();
        let is_plain = port.up && is_open && !bridge.settings.hub && leaves_untagged;
        is_plain.then_some(Self { bridge: member.bridge, vlan, mtu: port.settings.mtu })
    }
}

impl Bridge {
    /// Looks for speaker and addressee at once.
    #[inline(always)]
    pub(crate) fn fdb_hit(
        &self,
        now: Instant,
        ethernet: &Ethernet,
        vlan: VlanId,
        from: Location,
    ) -> Option<FdbHit> {
        let (Location::Port(here), to) = (from, ethernet.destination()) else { return None };
        let heard = !to.is_group() && self.fdb.knows(now, ethernet.source(), vlan, here);
        heard.then(|| FdbHit(self.fdb.find(to, vlan)))
    }

    /// Whom a frame is for, by what was seen if it was seen.
    #[inline(always)]
    pub(crate) fn decide_on(
        &self,
        hit: Option<FdbHit>,
        ethernet: &Ethernet,
        vlan: VlanId,
        from: Location,
    ) -> Result<Decision, DropReason> {
        match hit {
            Some(FdbHit(found)) => self.judge(found, Some(from)),
            None => self.decide(ethernet.destination(), vlan, Some(from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use ahash::RandomState;
    use packet::{Frame, InterfaceId, Mac, Tag};

    use super::*;
    use crate::bridge::BridgeSettings;
    use crate::port::{Membership, PortSettings};
    use crate::station;
    use crate::vlan::{PriorityTags, VlanMode, VlanSet};

    const RED: PortId = PortId::new(0);
    const BLUE: PortId = PortId::new(1);
    const BRIDGE: BridgeId = BridgeId::new(0);

    fn vlan(number: u16) -> VlanId {
        VlanId::new(number).unwrap()
    }

    fn member(vlans: VlanMode) -> Membership {
        let priority_tags = PriorityTags::Never;
        Membership { bridge: BRIDGE, vlans, priority_tags, isolated: false }
    }

    fn bridges(hub: bool) -> Bridges {
        let settings = BridgeSettings { hub, ..BridgeSettings::default() };
        let mut bridges = Bridges::default();
        bridges.insert(BRIDGE, Bridge::new(RandomState::with_seeds(1, 2, 3, 4), settings));
        bridges
    }

    /// Two ports that are up.
    fn noted(members: [Membership; 2], bridges: &Bridges) -> FastPorts {
        let mut ports = Ports::default();
        for (port, member) in [RED, BLUE].into_iter().zip(members) {
            ports.set(port, PortSettings { role: Role::Bridged(member), mtu: 1500, guard: None });
            ports.get_mut(port).unwrap().up = true;
        }
        let mut plain = FastPorts::default();
        plain.note(&ports, bridges);
        plain
    }

    fn plain_vlan(member: Membership) -> Option<u16> {
        let plain = noted([member.clone(), member], &bridges(false));
        plain.get(RED).map(|port| port.vlan.number())
    }

    #[test]
    fn a_port_is_plain_where_frames_come_and_go_without_a_tag() {
        let some = || VlanSet::only([vlan(20), vlan(30)]);
        assert_eq!(plain_vlan(member(VlanMode::Access(vlan(10)))), Some(10));
        assert_eq!(plain_vlan(member(VlanMode::Trunk(VlanSet::All))), Some(0));
        assert_eq!(plain_vlan(member(VlanMode::Trunk(some()))), None);
        let native = VlanMode::NativeUntagged { native: vlan(10), trunks: some() };
        assert_eq!(plain_vlan(member(native)), Some(10));
        let native = VlanMode::NativeTagged { native: vlan(10), trunks: some() };
        assert_eq!(plain_vlan(member(native)), None);
        let isolated = Membership { isolated: true, ..member(VlanMode::Access(vlan(10))) };
        assert_eq!(plain_vlan(isolated), None);
        let access = || member(VlanMode::Access(vlan(10)));
        assert!(noted([access(), access()], &bridges(true)).get(RED).is_none(), "of a hub");
    }

    fn ethernet(to: u64, ethertype: u16, len: usize) -> Ethernet {
        let mut bytes = vec![0; 14 + len];
        bytes[..6].copy_from_slice(&Mac::from_u64(to).0);
        bytes[6..12].copy_from_slice(&Mac::from_u64(RED_MAC).0);
        bytes[12..14].copy_from_slice(&ethertype.to_be_bytes());
        Ethernet::parse(Frame::copied_from(&bytes)).unwrap()
    }

    const RED_MAC: u64 = 0x0200_0000_0001;
    const BLUE_MAC: u64 = 0x0200_0000_0002;
    const ROUTER_MAC: u64 = 0x0200_0000_0003;

    #[test]
    fn only_what_the_long_way_would_send_as_it_is_crosses() {
        let out = |port| FastPath::Out(Egress::port(port, None));
        let interface = InterfaceId::new(5);
        let mut bridges = bridges(false);
        let trunk = || member(VlanMode::Trunk(VlanSet::All));
        let plain = noted([trunk(), trunk()], &bridges);
        let bridge = bridges.get_mut(BRIDGE).unwrap();
        let (red, blue) = (Location::Port(RED), Location::Port(BLUE));
        for (mac, here) in [(RED_MAC, red), (BLUE_MAC, blue)] {
            bridge.fdb.learn(Instant::ZERO, Mac::from_u64(mac), vlan(0), here).unwrap();
        }
        let (mac, router) = (Mac::from_u64(ROUTER_MAC), Location::Router(interface));
        bridge.fdb.pin(Instant::ZERO, mac, vlan(0), router, station::StationOrigin::Own);
        let fast_path = |at: u64, from: Location, ethernet: &Ethernet| {
            let segment = plain.segment(from, ethernet)?;
            let hit = bridge.fdb_hit(Instant::from_millis(at), ethernet, segment.vlan, from);
            plain.fast_path(segment, from, hit, ethernet)
        };
        let usual = ethernet(BLUE_MAC, 0x0800, 1500);
        assert_eq!(fast_path(999, red, &usual), Some(out(BLUE)));
        assert_eq!(fast_path(1_000, red, &usual), None, "to be heard again");
        assert_eq!(fast_path(0, blue, &usual), None, "the speaker moved");
        assert_eq!(fast_path(0, red, &ethernet(BLUE_MAC, 0x0806, 46)), None, "ARP");
        assert_eq!(fast_path(0, red, &ethernet(BLUE_MAC, 0x0800, 1501)), None, "too large");
        assert_eq!(fast_path(0, red, &ethernet(RED_MAC, 0x0800, 46)), None, "to itself");
        assert_eq!(fast_path(0, red, &ethernet(4, 0x0800, 46)), None, "to nobody known");
        let inward = ethernet(ROUTER_MAC, 0x0800, 1501);
        assert_eq!(fast_path(0, red, &inward), Some(FastPath::In(Origin { port: RED, interface })));
        assert_eq!(fast_path(1_000, red, &inward), None, "to be heard again");
        assert_eq!(fast_path(0, red, &ethernet(ROUTER_MAC, 0x0806, 46)), None, "ARP");
        assert_eq!(fast_path(0, red, &ethernet(0xffff_ffff_ffff, 0x0800, 46)), None, "to all");
        let mut tagged = usual.into_frame();
        tagged.set_tag(Some(Tag::new(vlan(0))));
        assert_eq!(fast_path(0, red, &Ethernet::parse(tagged).unwrap()), None, "a tag");
    }
}
