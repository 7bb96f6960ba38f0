//! A bridge: its members, its forwarding database, and who may take a copy of what (IEEE 802.1Q
//! clause 8).

use core::time::Duration;

use ahash::RandomState;
use packet::DropReason::{ExceedsPortMtu, ExceedsTunnelMtu, Isolated};
use packet::ethernet::{first_tag, tags_len};
use packet::segment::segment_ip_len;
use packet::snapshot::span;
use packet::{
    BridgeId, DropReason, Dropped, EthernetHeader, Frame, Instant, InterfaceId, Mac, PortId, Tag,
    VlanId,
};
use serde::{Deserialize, Serialize};

use crate::fdb::Fdb;
use crate::outbox::{Egress, Outbox};
use crate::port::{Port, Ports, Role};
use crate::station::Location;
use crate::stats::{Fate, Stats};
use crate::trace::LeftOut;

/// What somebody sets of a bridge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BridgeSettings {
    /// How long a silent station is remembered.
    #[serde(deserialize_with = "span")]
    pub ageing: Duration,
    /// How many stations are remembered.
    pub capacity: usize,
    /// Which of the reserved addresses 01:80:C2:00:00:0X are forwarded: bit X.
    pub forward: u16,
    /// Whether every frame goes everywhere and nothing is learned.
    pub hub: bool,
}

impl Default for BridgeSettings {
    /// 300 s and 8192 stations, as Open vSwitch has; nothing reserved is forwarded; not a hub.
    fn default() -> Self {
        Self { ageing: Duration::from_secs(300), capacity: 8192, forward: 0, hub: false }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bridge {
    pub(crate) settings: BridgeSettings,
    pub(crate) ports: Vec<PortId>,
    pub(crate) fdb: Fdb,
}

/// What the bridge does with a frame.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    Forward(Location),
    Flood,
    Router(InterfaceId),
}

impl Bridge {
    pub(crate) fn new(hasher: RandomState, settings: BridgeSettings) -> Self {
        let fdb = Fdb::new(hasher, settings.capacity, settings.ageing);
        Self { settings, ports: Vec::new(), fdb }
    }

    /// Notes that `source` speaks from `here`; where nothing is learned, sees only that it may.
    #[inline]
    pub(crate) fn learn(
        &mut self,
        now: Instant,
        source: Mac,
        vlan: VlanId,
        here: Location,
        learns: bool,
    ) -> Result<(), DropReason> {
        match learns && !self.settings.hub {
            true => self.fdb.learn(now, source, vlan, here),
            false => self.fdb.allow(source, vlan, here),
        }
    }

    /// Whether frames to `destination` end at every bridge, and at this one too.
    #[inline]
    pub(crate) fn is_reserved(&self, destination: Mac) -> bool {
        destination.reserved().is_some_and(|low| self.settings.forward >> low & 1 == 0)
    }

    /// Whom a frame to `destination` in `vlan` is for; `from` is where it came from, none for the
    /// router's own.
    #[inline(always)]
    pub(crate) fn decide(
        &self,
        destination: Mac,
        vlan: VlanId,
        from: Option<Location>,
    ) -> Result<Decision, DropReason> {
        if destination.is_group() {
            return match self.is_reserved(destination) {
                true => Err(DropReason::Reserved),
                false => Ok(Decision::Flood),
            };
        }
        self.judge(self.fdb.find(destination, vlan), from)
    }

    /// Whom a frame is for whose addressee, one station, was `found` there.
    #[inline]
    pub(crate) fn judge(
        &self,
        found: Option<Location>,
        from: Option<Location>,
    ) -> Result<Decision, DropReason> {
        match found {
            Some(Location::Router(interface)) => Ok(Decision::Router(interface)),
            _ if self.settings.hub => Ok(Decision::Flood),
            Some(to) if Some(to) == from => Err(DropReason::Reflected),
            Some(to) if to.is_remote() && from.is_some_and(Location::is_remote) => {
                Err(DropReason::SplitHorizon)
            }
            Some(to) => Ok(Decision::Forward(to)),
            None => Ok(Decision::Flood),
        }
    }

    /// Sends a frame to the one place that its station is at. Always inlined: its result handed
    /// over in memory, in parts and then read as a whole, makes the processor wait.
    #[inline(always)]
    pub(crate) fn forward(
        &self,
        ports: &Ports,
        ingress: Ingress,
        to: Location,
        frame: Frame,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        let isolated = ingress.isolated(ports);
        let (to, remote) = match to {
            Location::Port(port) => (port, None),
            Location::Remote { tunnel, remote } => (tunnel, Some(remote)),
            Location::Router(_) => return Err(frame.refuse(DropReason::NoEgress)),
        };
        let tag = match ports.get(to).map_or(Err(DropReason::PortDown), |port| {
            admit(port, ingress.vlan, Shape::of(&frame), isolated)
        }) {
            Ok(tag) => tag,
            Err(reason) => return Err(frame.refuse(reason)),
        };
        Ok(out.send_one(Egress { port: to, remote, tag }, frame))
    }

    /// Sends a frame to every port that may take it, except where it came from, and to every
    /// remote VTEP of every tunnel, except what came from one (RFC 7348 section 4.2; split
    /// horizon). The bytes are not copied, but for a tunnel that lowers the MSS of the connection
    /// that begins with them.
    pub(crate) fn flood(
        &self,
        ports: &Ports,
        ingress: Ingress,
        frame: Frame,
        stats: &mut Stats,
        out: &mut Outbox,
    ) -> Flooded {
        let copies = out.copies();
        let (mut lowering, mut narrowest) = (Vec::new(), None);
        self.audience(ports, ingress, &frame, |to, role, verdict| match verdict {
            Ok(tag) => match role {
                Role::Tunnel(..) if ports.lowers(&frame, to, role) => lowering.push((to, tag)),
                _ => out.copy_all(to, role, tag),
            },
            Err(LeftOut::Refused(reason @ (ExceedsPortMtu | ExceedsTunnelMtu | Isolated))) => {
                stats.drop_copy(to, reason);
                if reason == ExceedsTunnelMtu {
                    let mtu = ports.get(to).map(|port| port.settings.mtu);
                    narrowest = narrowest.into_iter().chain(mtu).min();
                }
            }
            // Not a member of the VLAN, or down: no copy was ever meant for it.
            Err(LeftOut::Refused(_) | LeftOut::CameFrom | LeftOut::SplitHorizon) => {}
        });
        let header = EthernetHeader::of(frame.bytes());
        let for_one = header.is_some_and(|header| !header.destination().is_group());
        let too_large = narrowest.filter(|_| for_one).map(|mtu| (mtu, frame.compact()));
        let lowered: Vec<_> =
            lowering.into_iter().map(|(to, tag)| (to, tag, frame.compact())).collect();
        let mut outcome = out.send(copies, frame);
        for (to, tag, mut own) in lowered {
            let Some(port) = ports.get(to) else { continue };
            ports.clamp_mss(&mut own, to);
            let copies = out.copies();
            out.copy_all(to, &port.settings.role, tag);
            match (out.send(copies, own), outcome) {
                (Ok(()), Err(whole)) => {
                    out.pool.give(whole);
                    outcome = Ok(());
                }
                (_, before) => outcome = before,
            }
        }
        let outcome = match outcome {
            Ok(()) => Ok(Fate::Sent),
            Err(frame) => Err(frame.refuse(DropReason::NoEgress)),
        };
        Flooded { outcome, too_large }
    }

    /// Tells `each` of every port and tunnel of the bridge, and whether a flooded frame goes there,
    /// with which tag. No iterator: that took twice the time.
    #[inline(always)]
    pub(crate) fn audience(
        &self,
        ports: &Ports,
        ingress: Ingress,
        frame: &Frame,
        mut each: impl FnMut(PortId, &Role, Result<Option<Tag>, LeftOut>),
    ) {
        let (isolated, shape) = (ingress.isolated(ports), Shape::of(frame));
        let (came_on, from_remote) =
            (ingress.port(), ingress.from.is_some_and(Location::is_remote));
        for &to in &self.ports {
            let Some(port) = ports.get(to) else { continue };
            let role = &port.settings.role;
            if Some(to) == came_on {
                each(to, role, Err(LeftOut::CameFrom));
            } else if from_remote && matches!(role, Role::Tunnel(..)) {
                each(to, role, Err(LeftOut::SplitHorizon));
            } else {
                match admit(port, ingress.vlan, shape, isolated) {
                    Ok(tag) => each(to, role, Ok(tag)),
                    Err(reason) => each(to, role, Err(LeftOut::Refused(reason))),
                }
            }
        }
    }
}

/// What came of a flooded frame.
#[derive(Debug)]
pub(crate) struct Flooded {
    pub(crate) outcome: Result<Fate, Dropped>,
    /// The frame, when it was for one station and too large for a tunnel that this may be behind;
    /// with the least MTU of such tunnels.
    pub(crate) too_large: Option<(u16, Frame)>,
}

/// The VLAN that a frame is in on a bridge, and where it came in: nowhere for the router's own.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Ingress {
    pub(crate) vlan: VlanId,
    pub(crate) from: Option<Location>,
}

impl Ingress {
    /// The port or tunnel that it came in on; none for the router's own.
    fn port(self) -> Option<PortId> {
        self.from.and_then(Location::port)
    }

    fn isolated(self, ports: &Ports) -> bool {
        let port = self.port().and_then(|from| ports.get(from));
        port.and_then(|port| port.settings.role.membership()).is_some_and(|member| member.isolated)
    }
}

/// What ports ask of a frame.
#[derive(Copy, Clone, Debug)]
struct Shape {
    /// The tag that it came with, beside its bytes.
    came: Option<Tag>,
    /// The tag behind that, in its bytes.
    inside: Option<Tag>,
    len: usize,
}

impl Shape {
    #[inline]
    fn of(frame: &Frame) -> Self {
        Self { came: frame.tag(), inside: first_tag(frame.bytes()), len: mtu_len(frame) }
    }
}

/// Whether a port takes a frame of `vlan`, and with which tag.
#[inline(always)]
fn admit(
    port: &Port,
    vlan: VlanId,
    Shape { came, inside, len }: Shape,
    from_isolated: bool,
) -> Result<Option<Tag>, DropReason> {
    let Some(member) = port.settings.role.membership() else {
        return Err(DropReason::NoEgress);
    };
    if !port.up {
        return Err(DropReason::PortDown);
    }
    if !member.vlans.carries(vlan, inside) {
        return Err(DropReason::NotInVlan);
    }
    if from_isolated && member.isolated {
        return Err(Isolated);
    }
    if len > usize::from(port.settings.mtu) {
        return Err(match port.settings.role {
            Role::Tunnel(..) => ExceedsTunnelMtu,
            _ => ExceedsPortMtu,
        });
    }
    Ok(member.vlans.tag(vlan, came, member.priority_tags))
}

/// Bytes behind the Ethernet header of the largest frame that this one stands for. Tags still
/// inside are not counted, as Linux does not count a tag against an MTU.
#[inline]
pub(crate) fn mtu_len(frame: &Frame) -> usize {
    segment_ip_len(frame).saturating_sub(tags_len(frame.bytes()))
}

/// All bridges, by number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bridges(Vec<Option<Bridge>>);

impl Bridges {
    pub(crate) fn get(&self, bridge: BridgeId) -> Option<&Bridge> {
        self.0.get(bridge.index())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, bridge: BridgeId) -> Option<&mut Bridge> {
        self.0.get_mut(bridge.index())?.as_mut()
    }

    pub(crate) fn insert(&mut self, bridge: BridgeId, value: Bridge) {
        if self.0.len() <= bridge.index() {
            self.0.resize_with(bridge.index() + 1, || None);
        }
        if let Some(slot) = self.0.get_mut(bridge.index()) {
            *slot = Some(value);
        }
    }

    pub(crate) fn remove(&mut self, bridge: BridgeId) -> Option<Bridge> {
        self.0.get_mut(bridge.index())?.take()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (BridgeId, &Bridge)> {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(at, bridge)| Some((BridgeId::new(at as u16), bridge.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Bridge> {
        self.0.iter_mut().flatten()
    }

    /// Forgets stations that have been silent for their bridge's ageing time.
    pub(crate) fn timeout(&mut self, now: Instant) {
        self.iter_mut().for_each(|bridge| bridge.fdb.timeout(now));
    }

    /// When [`Bridges::timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.iter().filter_map(|(_, bridge)| bridge.fdb.next_timeout()).min()
    }
}
