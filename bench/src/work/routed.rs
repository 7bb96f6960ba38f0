//! A host behind a bridge that talks to many networks, each behind one of many next hops.

use std::net::{Ipv4Addr, SocketAddrV4};

use packet::{BridgeId, Frame, InterfaceId, Ipv4Net, PortId, VlanId};
use switch::Change;
use switch::change::{BridgeSettings, Hop, InterfaceSettings, Link, Role, Route, RpFilter};

use super::{SEED, Site, router, start, station};
use crate::frames::{Segment, Talk};
use crate::random::Random;
use crate::rig::{Rig, Traffic};

/// Frames to any of 200 routed /24 networks, over 100 next hops on a routed port. No NAT.
pub fn routed() -> Rig<Routed> {
    let mut rig = start(site(), Routed { random: Random::new(SEED) });
    rig.run(1_000);
    rig
}

/// Traffic of [`routed`].
#[derive(Debug)]
pub struct Routed {
    random: Random,
}

impl Traffic for Routed {
    fn next(&mut self, frame: &mut Frame) -> PortId {
        let network = self.random.below(ROUTES) as u8;
        let host = self.random.below(254) as u8 + 1;
        let talk = Talk {
            from_mac: station(2),
            to_mac: router(0),
            from: SocketAddrV4::new(HOST, 1024),
            to: SocketAddrV4::new(Ipv4Addr::new(198, 18, network, host), 9),
            segment: Segment::Udp,
        };
        talk.write(frame);
        PortId::new(0)
    }
}

fn site() -> Site {
    let mut site = Site::new();
    let bridge = BridgeId::new(0);
    site.apply(Change::SetBridge(bridge, BridgeSettings::default()));
    let inside = InterfaceSettings {
        link: Link::Vlan { bridge, vlan: VlanId::UNTAGGED },
        mac: router(0),
        addresses: vec![network(Ipv4Addr::new(10, 0, 0, 1), 24)],
        mtu: 1500,
        rp_filter: RpFilter::default(),
    };
    site.apply(Change::SetInterface(InterfaceId::new(0), inside));
    let outside = InterfaceSettings {
        link: Link::Port(PortId::new(1)),
        mac: router(1),
        addresses: vec![network(Ipv4Addr::new(10, 1, 0, 1), 24)],
        mtu: 1500,
        rp_filter: RpFilter::default(),
    };
    site.apply(Change::SetInterface(InterfaceId::new(1), outside));
    site.member(PortId::new(0), bridge);
    site.port(PortId::new(1), Role::Routed { interface: InterfaceId::new(1) });
    for number in 0..HOPS {
        let hop = hop(number);
        site.apply(Change::PinNeighbor(InterfaceId::new(1), hop, station(1_000 + number)));
    }
    for number in 0..ROUTES {
        let to = network(Ipv4Addr::new(198, 18, number as u8, 0), 24);
        site.apply(Change::SetRoute(Route { to, hop: Hop::Via(hop(number % HOPS)) }));
    }
    site
}

fn network(address: Ipv4Addr, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(address, prefix)
}

const fn hop(number: u32) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, 2 + number as u8)
}

const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const ROUTES: u32 = 200;
const HOPS: u32 = 100;
