//! What a random frame looks like: who speaks to whom, with which tags, how long.

use packet::{Mac, VlanId};

use super::{VLANS, station};
use crate::random::Random;
use crate::scenario::{Scenario, Step};
use labfile::Name;
use switch::vlan::{VlanMode, VlanSet};

/// A population of stations, each with a home.
pub(super) struct Frames {
    ports: Vec<(Name, VlanMode)>,
    /// The port, by position, that a station speaks from most of the time.
    homes: Vec<usize>,
    /// Frames in a thousand that break a rule, for each rule.
    strange: u16,
}

impl Frames {
    pub(super) fn new(
        scenario: &Scenario,
        stations: u8,
        strange: u16,
        random: &mut Random,
    ) -> Self {
        let ports: Vec<(Name, VlanMode)> = scenario
            .ports()
            .map(|(name, member)| (name.clone(), member.vlan_mode.clone()))
            .collect();
        // Some scenarios crowd one port, so that it has to give way to the others.
        let crowded = random.chance(400);
        let mut home = || match crowded && random.chance(600) {
            true => 0,
            false => random.below(ports.len() as u64) as usize,
        };
        let homes = (0..stations).map(|_| home()).collect();
        Self { ports, homes, strange }
    }

    /// The next frame.
    pub(super) fn frame(&mut self, random: &mut Random) -> Step {
        let number = random.below(self.homes.len() as u64) as usize;
        if random.chance(20) {
            // The station moves house.
            if let Some(home) = self.homes.get_mut(number) {
                *home = random.below(self.ports.len() as u64) as usize;
            }
        }
        let home = self.homes.get(number).copied().unwrap_or(0);
        let away = random.chance(40);
        let at = if away { random.below(self.ports.len() as u64) as usize } else { home };
        let source = if random.chance(self.strange) {
            *random
                .pick(&[Mac::ZERO, Mac([3, 0, 0, 0, 0, 1]), Mac::BROADCAST])
                .unwrap_or(&Mac::ZERO)
        } else {
            station(number as u8)
        };
        let destination = self.destination(random);
        let Some((port, mode)) = self.ports.get(at) else { return Step::Flush };
        let mut bytes = [destination.0, source.0].concat();
        self.tags(mode, random, &mut bytes);
        payload(random, &mut bytes);
        if random.chance(self.strange / 4) {
            bytes.truncate(random.below(22) as usize);
        }
        Step::Frame { port: port.clone(), bytes }
    }

    fn destination(&self, random: &mut Random) -> Mac {
        let low = random.below(16) as u8;
        match random.below(100) {
            0..65 => station(random.below(self.homes.len() as u64) as u8),
            65..80 => Mac::BROADCAST,
            80..86 => Mac([2, 0xff, 0, 0, 0, low]),
            86..92 => Mac([0x01, 0, 0x5e, 0, 0, low]),
            92..97 => Mac([0x01, 0x80, 0xc2, 0, 0, low]),
            97..99 => Mac([0x33, 0x33, 0, 0, 0, low]),
            _ if random.chance(self.strange * 10) => *random.pick(&VENDORS).unwrap_or(&Mac::ZERO),
            _ => Mac([0x01, 0x80, 0xc2, 0, 0, 0x10 + low]),
        }
    }

    /// Tags as a polite neighbour of the port would send them, mostly.
    fn tags(&self, mode: &VlanMode, random: &mut Random, bytes: &mut Vec<u8>) {
        let priority = if random.chance(300) { random.below(8) as u16 } else { 0 };
        let eligible = u16::from(random.chance(self.strange)) << 12;
        let any = *random.pick(&VLANS).unwrap_or(&10) as u16;
        let polite = match mode {
            VlanMode::Access(_) => None,
            VlanMode::Dot1qTunnel { .. } => random.chance(600).then_some(any),
            VlanMode::Trunk(VlanSet::All) if random.chance(400) => None,
            VlanMode::Trunk(trunks) | VlanMode::NativeTagged { trunks, .. } => {
                let listed = numbers(trunks);
                Some(random.pick(&listed).copied().unwrap_or(any))
            }
            VlanMode::NativeUntagged { trunks, .. } => {
                let listed = numbers(trunks);
                random.pick(&listed).copied().filter(|_| random.chance(600))
            }
        };
        let vlan = match random.below(100) {
            0..4 => None,
            4..10 => Some(0),
            10..16 => Some(any),
            _ => polite,
        };
        if random.chance(self.strange) {
            tag(0x88a8, priority << 13 | any, bytes);
        } else if random.chance(self.strange) {
            tag(0x8100, priority << 13 | 4095, bytes);
        }
        if let Some(vlan) = vlan {
            tag(0x8100, priority << 13 | eligible | vlan, bytes);
            if random.chance(80) {
                let kind = if random.chance(500) { 0x8100 } else { 0x88a8 };
                tag(kind, random.below(0x1000) as u16, bytes);
            }
        }
    }
}

/// The VLANs that a set lists.
fn numbers(set: &VlanSet) -> Vec<u16> {
    set.listed().into_iter().flatten().map(VlanId::number).collect()
}

fn tag(kind: u16, bits: u16, bytes: &mut Vec<u8>) {
    bytes.extend(kind.to_be_bytes());
    bytes.extend(bits.to_be_bytes());
}

fn payload(random: &mut Random, bytes: &mut Vec<u8>) {
    let len = match random.below(100) {
        0 => 1490 + random.below(20),
        1..5 => 0,
        _ => random.below(60),
    };
    match random.below(10) {
        0..5 => bytes.extend(0x88b5_u16.to_be_bytes()),
        5 => bytes.extend(0x0800_u16.to_be_bytes()),
        6 => bytes.extend(0x86dd_u16.to_be_bytes()),
        7 => bytes.extend(0x0806_u16.to_be_bytes()),
        // 802.3: a length, then LLC.
        _ => bytes.extend((len as u16).to_be_bytes()),
    }
    bytes.extend((0..len).map(|_| random.next() as u8));
}

/// Addresses beyond IEEE's sixteen that Open vSwitch takes for reserved: Extreme's and Cisco's.
const VENDORS: [Mac; 5] = [
    Mac([0x00, 0xe0, 0x2b, 0, 0, 0]),
    Mac([0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc]),
    Mac([0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd]),
    Mac([0x01, 0x00, 0x0c, 0xcd, 0xcd, 0xcd]),
    Mac([0x01, 0x00, 0x0c, 0x00, 0x00, 0x00]),
];
