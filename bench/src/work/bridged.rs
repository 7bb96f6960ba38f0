//! Stations on one bridge: frames between two of them, and frames to all.

use std::net::{Ipv4Addr, SocketAddrV4};

use packet::{BridgeId, Frame, Mac, PortId};
use switch::Change;
use switch::change::BridgeSettings;

use super::{SEED, Site, start, station};
use crate::frames::{Segment, Talk};
use crate::random::Random;
use crate::rig::{Rig, Traffic};

/// Frames from any of `stations` (an even number) to any other, behind 16 ports; all are learned.
pub fn bridged(stations: u32) -> Rig<Bridged> {
    let traffic = Bridged { stations, introduced: 0, random: Random::new(SEED) };
    let mut rig = start(bridge(stations as usize), traffic);
    rig.run(u64::from(stations));
    rig
}

/// Frames from one station to all, that is, to 16 other ports.
pub fn flooded() -> Rig<Flooded> {
    let mut rig = start(bridge(16), Flooded);
    rig.run(1_000);
    rig
}

/// Traffic of [`bridged`]. First every station sends one frame, in order.
#[derive(Debug)]
pub struct Bridged {
    stations: u32,
    introduced: u32,
    random: Random,
}

impl Traffic for Bridged {
    fn next(&mut self, frame: &mut Frame) -> PortId {
        let from = if self.introduced < self.stations {
            self.introduced += 1;
            self.introduced - 1
        } else {
            self.random.below(self.stations)
        };
        let mut to = self.random.below(self.stations);
        if to % PORTS == from % PORTS {
            // Its neighbour in number is behind another port.
            to ^= 1;
        }
        say(frame, station(from), station(to));
        PortId::new(from % PORTS)
    }
}

/// Traffic of [`flooded`].
#[derive(Debug)]
pub struct Flooded;

impl Traffic for Flooded {
    fn next(&mut self, frame: &mut Frame) -> PortId {
        say(frame, station(0), Mac::BROADCAST);
        PortId::new(PORTS)
    }
}

/// A bridge with 17 ports: stations are behind the first 16.
fn bridge(capacity: usize) -> Site {
    let mut site = Site::new();
    let bridge = BridgeId::new(0);
    let settings = BridgeSettings { capacity, ..BridgeSettings::default() };
    site.apply(Change::SetBridge(bridge, settings));
    for port in 0..=PORTS {
        site.member(PortId::new(port), bridge);
    }
    site
}

fn say(frame: &mut Frame, from_mac: Mac, to_mac: Mac) {
    let from = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 1024);
    let to = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 3), 1024);
    Talk { from_mac, to_mac, from, to, segment: Segment::Udp }.write(frame);
}

const PORTS: u32 = 16;
