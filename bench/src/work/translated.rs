//! Hosts behind a masquerading router: flows that are established, and flows that begin.
//!
//! Half of the flows are TCP and half UDP. Endpoints (an inside address and port) are numbered, and
//! the `n`th has the `n`th port above 1023, which no other endpoint has; so masquerade keeps every
//! port as it is, and what comes back can be written without looking the mapping up. A flow is an
//! endpoint and a remote address.

use std::net::{Ipv4Addr, SocketAddrV4};

use nat::{Limits, Masquerade, Rules};
use packet::{BridgeId, Frame, InterfaceId, Ipv4Net, PortId, VlanId};
use switch::Change;
use switch::change::{BridgeSettings, Hop, InterfaceSettings, Link, Role, Route, RpFilter};
use switch::view::Location;

use super::{SEED, Site, router, start, station};
use crate::frames::{ACK, SYN, Segment, Talk};
use crate::random::Random;
use crate::rig::{Rig, Traffic};

/// Frames of any of `flows` established flows, in either direction, in random order.
pub fn translated(flows: u32) -> Rig<Translated> {
    let endpoints = (flows / 2).min(ENDPOINTS);
    let traffic = Translated { flows, endpoints, prepared: 0, random: Random::new(SEED) };
    let mut rig = start(site(flows as usize), traffic);
    rig.run(u64::from(flows) * OPENING.len() as u64);
    rig
}

/// The first datagram of a flow from another endpoint each; when all have spoken, the flows are
/// forgotten.
pub fn opening() -> Rig<Opening> {
    let mut rig = start(site(ENDPOINTS as usize), Opening { opened: 0 });
    // Twice through all endpoints, so that every table has its size and has been emptied once.
    rig.run(2 * u64::from(ENDPOINTS));
    rig
}

/// Traffic of [`translated`]. First every flow is opened, with a whole handshake.
#[derive(Debug)]
pub struct Translated {
    flows: u32,
    endpoints: u32,
    prepared: u64,
    random: Random,
}

impl Traffic for Translated {
    fn next(&mut self, frame: &mut Frame) -> PortId {
        let steps = OPENING.len() as u64;
        let (number, step) = if self.prepared < u64::from(self.flows) * steps {
            let at = self.prepared;
            self.prepared += 1;
            ((at / steps) as u32, OPENING[(at % steps) as usize])
        } else {
            let draw = self.random.below(self.flows * 2);
            (draw / 2, if draw & 1 == 0 { Step::Outward } else { Step::Inward })
        };
        let flow = Flow {
            endpoint: number / 2 % self.endpoints,
            remote: number / 2 / self.endpoints,
            tcp: number & 1 == 0,
        };
        flow.write(step, frame)
    }
}

/// Traffic of [`opening`].
#[derive(Debug)]
pub struct Opening {
    opened: u32,
}

impl Traffic for Opening {
    fn next(&mut self, frame: &mut Frame) -> PortId {
        let endpoint = self.opened % ENDPOINTS;
        self.opened += 1;
        Flow { endpoint, remote: 0, tcp: false }.write(Step::Outward, frame)
    }

    fn interlude(&mut self, frames: usize) -> Option<Change> {
        if self.opened + frames as u32 <= ENDPOINTS {
            return None;
        }
        self.opened = 0;
        Some(Change::FlushFlows)
    }
}

/// A frame's place in the life of its flow.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Step {
    Syn,
    SynAck,
    Outward,
    Inward,
}

/// A TCP handshake; of a UDP flow, as many datagrams to and fro, after which both sides have spoken
/// twice.
const OPENING: [Step; 4] = [Step::Syn, Step::SynAck, Step::Outward, Step::Inward];

struct Flow {
    endpoint: u32,
    remote: u32,
    tcp: bool,
}

impl Flow {
    /// Writes the flow's frame; says on which port it comes in.
    fn write(&self, step: Step, frame: &mut Frame) -> PortId {
        let host = self.endpoint % HOSTS;
        let port = FIRST_PORT + self.endpoint as u16;
        let inside = SocketAddrV4::new(host_address(host), port);
        let outside = SocketAddrV4::new(EXTERNAL, port);
        let remote = SocketAddrV4::new(Ipv4Addr::from(REMOTES + self.remote), 443);
        let segment = if self.tcp { step.segment() } else { Segment::Udp };
        let (talk, port) = match step {
            Step::Syn | Step::Outward => (
                Talk {
                    from_mac: station(host),
                    to_mac: router(0),
                    from: inside,
                    to: remote,
                    segment,
                },
                INSIDE,
            ),
            Step::SynAck | Step::Inward => (
                Talk {
                    from_mac: station(GATEWAY_STATION),
                    to_mac: router(1),
                    from: remote,
                    to: outside,
                    segment,
                },
                OUTSIDE,
            ),
        };
        talk.write(frame);
        port
    }
}

impl Step {
    const fn segment(self) -> Segment {
        let (flags, number, acknowledged) = match self {
            Self::Syn => (SYN, 1_000, 0),
            Self::SynAck => (SYN | ACK, 5_000, 1_001),
            Self::Outward => (ACK, 1_001, 5_001),
            Self::Inward => (ACK, 5_001, 1_001),
        };
        Segment::Tcp { flags, number, acknowledged }
    }
}

/// A bridge of inside hosts, a routed port to the outside, a default route, a rule for all.
fn site(flows: usize) -> Site {
    let mut site = Site::new();
    let bridge = BridgeId::new(0);
    let (within, without) = (InterfaceId::new(0), InterfaceId::new(1));
    let source = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 1), 16);
    site.apply(Change::SetBridge(bridge, BridgeSettings::default()));
    let inside = InterfaceSettings {
        link: Link::Vlan { bridge, vlan: VlanId::UNTAGGED },
        mac: router(0),
        addresses: vec![source],
        mtu: 1500,
        rp_filter: RpFilter::default(),
    };
    site.apply(Change::SetInterface(within, inside));
    let outside = InterfaceSettings {
        link: Link::Port(OUTSIDE),
        mac: router(1),
        addresses: vec![Ipv4Net::new_assert(EXTERNAL, 24)],
        mtu: 1500,
        rp_filter: RpFilter::default(),
    };
    site.apply(Change::SetInterface(without, outside));
    site.member(INSIDE, bridge);
    site.port(OUTSIDE, Role::Routed { interface: without });
    for host in 0..HOSTS {
        site.apply(Change::PinNeighbor(within, host_address(host), station(host)));
        site.apply(Change::PinStation(
            bridge,
            VlanId::UNTAGGED,
            station(host),
            Location::Port(INSIDE),
        ));
    }
    site.apply(Change::PinNeighbor(without, GATEWAY, station(GATEWAY_STATION)));
    let everywhere = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
    site.apply(Change::SetRoute(Route { to: everywhere, hop: Hop::Via(GATEWAY) }));
    site.apply(Change::SetLimits(Limits { flows, flows_per_host: flows }));
    let rule = Masquerade::new(source.trunc(), without);
    site.apply(Change::SetRules(Rules { masquerade: vec![rule], publish: Vec::new() }));
    site
}

fn host_address(host: u32) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, host as u8)
}

const INSIDE: PortId = PortId::new(0);
const OUTSIDE: PortId = PortId::new(1);
const EXTERNAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);
/// 198.18.0.1 and on: RFC 2544 keeps them for benchmarks.
const REMOTES: u32 = u32::from_be_bytes([198, 18, 0, 1]);
const HOSTS: u32 = 250;
const GATEWAY_STATION: u32 = 0x00ff_0000;
const FIRST_PORT: u16 = 1024;
/// Endpoints at most: fewer than there are ports, so that each keeps its own.
const ENDPOINTS: u32 = 50_000;
