//! Two tunnels and three ports against a naive model, and a whole town with tunnels in disorder.

use std::collections::BTreeMap;

use core::time::Duration;

use lab::rng::Rng;
use lab::tunnel::encapsulated;
use lab::wire::{announcement, arp_request, frame};
use lab::{Lab, Packet, Port, Tunnel};
use packet::{DropReason, Frame, Mac};
use proptest::prelude::*;
use switch::Change;

use crate::common::{hello, stranger};

/// Where a station can be.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Place {
    Port(&'static str),
    Far(&'static str, &'static str),
}

const PLACES: [Place; 7] = [
    Place::Port("red"),
    Place::Port("green"),
    Place::Port("blue"),
    Place::Far("vx0", "192.0.2.2"),
    Place::Far("vx0", "192.0.2.3"),
    Place::Far("vx1", "192.0.2.2"),
    Place::Far("vx1", "192.0.2.4"),
];

/// The VNIs of the two tunnels.
const VNIS: [(&str, u32); 2] = [("vx0", 42), ("vx1", 43)];

impl Place {
    const fn is_far(self) -> bool {
        matches!(self, Self::Far(..))
    }

    /// The port or tunnel.
    const fn port(self) -> &'static str {
        match self {
            Self::Port(port) | Self::Far(port, _) => port,
        }
    }

    fn say(self, lab: &mut Lab, bytes: &[u8]) {
        match self {
            Self::Port(port) => lab.send(port, bytes),
            Self::Far(tunnel, remote) => {
                let vni = VNIS.iter().find(|(name, _)| *name == tunnel).expect("a tunnel").1;
                lab.from_remote(remote, &encapsulated(vni, bytes));
            }
        }
    }
}

fn crowd(seed: u64) -> Lab {
    let mut lab = Lab::new(seed);
    lab.bridge("br0");
    for name in ["red", "green", "blue"] {
        lab.station(name, Port::on("br0"));
    }
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to("192.0.2.2").to("192.0.2.3"));
    lab.tunnel("vx1", &Tunnel::on("br0", 43).to("192.0.2.2").to("192.0.2.4").without_learning());
    lab
}

/// Who got a copy of what was said last.
fn got(lab: &mut Lab) -> Vec<Place> {
    let heard = lab.heard();
    let datagrams = lab.datagrams();
    let count = |place: &Place| match place {
        Place::Port(port) => heard.iter().filter(|name| name == port).count(),
        Place::Far(tunnel, remote) => {
            let here = |d: &&lab::Datagram| d.tunnel == *tunnel && d.remote.to_string() == *remote;
            datagrams.iter().filter(here).count()
        }
    };
    PLACES.iter().flat_map(|place| vec![*place; count(place)]).collect()
}

/// Who must get it, or why nobody does.
fn expected(
    known: &BTreeMap<u8, Place>,
    from: Place,
    to: Option<u8>,
) -> Result<Vec<Place>, DropReason> {
    match to.and_then(|to| known.get(&to).copied()) {
        Some(place) if place == from => Err(DropReason::Reflected),
        Some(place) if place.is_far() && from.is_far() => Err(DropReason::SplitHorizon),
        Some(place) => Ok(vec![place]),
        None => {
            let other = |place: &Place| *place != from && !(place.is_far() && from.is_far());
            Ok(PLACES.into_iter().filter(other).collect())
        }
    }
}

/// A town: VLANs, a router with masquerade, isolated ports, and tunnels of every kind.
pub(crate) fn town(seed: u64) -> Lab {
    let mut lab = Lab::new(seed);
    lab.bridge("br0");
    lab.bridge("br1");
    lab.router("br0", "192.168.0.1/24");
    lab.router("br0.10", "10.0.10.1/24");
    lab.peer("red", Port::on("br0").offload(), "192.168.0.2");
    lab.peer("alone", Port::on("br0").isolated(), "192.168.0.3");
    lab.peer("ten", Port::on("br0").access(10), "10.0.10.2");
    lab.station("green", Port::on("br1"));
    lab.peer("wan", Port::routed("203.0.113.1/24"), "203.0.113.254");
    lab.route("0.0.0.0/0", "203.0.113.254");
    lab.masquerade("192.168.0.0/24", "wan");
    lab.underlay("udp");
    lab.underlay("udp2");
    lab.tunnel("vx0", &kinds()[0]);
    lab.tunnel("vx1", &Tunnel::on("br0", 43).to(PEERS[0]).trunk().strict());
    lab.tunnel("vx2", &Tunnel::on("br0", 44).to(PEERS[1]).vlan(10).isolated().clamping_mss());
    lab.tunnel("vx3", &Tunnel::on("br1", 42).to(PEERS[0]).over("udp2"));
    lab.distrust();
    lab
}

const PEERS: [&str; 3] = ["192.0.2.2", "192.0.2.3", "192.0.2.4"];

/// What `vx0` may be.
fn kinds() -> [Tunnel; 4] {
    let tunnel = Tunnel::on("br0", 42).to(PEERS[0]).to(PEERS[1]);
    [
        tunnel.clone().suppressing_arp(),
        tunnel.clone().mtu(600).clamping_mss(),
        Tunnel::on("br0", 42).to(PEERS[2]).without_learning(),
        tunnel.vlan(10).isolated(),
    ]
}

/// A frame that somebody may well say.
fn said(lab: &Lab, rng: &mut Rng) -> Vec<u8> {
    let macs = [
        lab.mac("red"),
        lab.mac("alone"),
        lab.mac("ten"),
        lab.router_mac("br0"),
        lab.router_mac("br0.10"),
        Mac::BROADCAST,
        stranger(rng.below(4) as u8),
    ];
    let from = if rng.chance(700) { stranger(rng.below(4) as u8) } else { *rng.pick(&macs) };
    let addresses = ["192.168.0.2", "192.168.0.9", "192.168.0.1", "10.0.10.2", "198.51.100.9"];
    let (own, other) = (*rng.pick(&addresses), *rng.pick(&addresses));
    let mut begun = frame(*rng.pick(&macs), from);
    if rng.chance(200) {
        begun = begun.tag_bits(*rng.pick(&[0, 10, 20, 0x600a, 4095]));
    }
    let len = *rng.pick(&[0, 40, 700, 1400, 1440]);
    let data = rng.bytes(len);
    let (source, target) = (format!("{own}:1000"), format!("{other}:80"));
    let packet = match rng.below(6) {
        0 => return begun.arp(&arp_request(from, own, other)),
        1 => return begun.arp(&announcement(from, own)),
        2 => Packet::tcp(&*source, &*target, rng.below(64) as u8, &data),
        3 => Packet::ping(own, other, 1, 1),
        _ => Packet::udp(&*source, &*target, &data),
    };
    let packet = packet.class(rng.below(256) as u8);
    begun.ip(&if rng.chance(500) { packet.df() } else { packet })
}

fn mutated(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..1 + rng.below(3) {
        let len = bytes.len() as u64;
        match rng.below(3) {
            0 => bytes.truncate(rng.below(len + 1) as usize),
            1 if len > 0 => bytes[rng.below(len.min(60)) as usize] ^= 1 << rng.below(8),
            _ => bytes.extend(rng.bytes(5)),
        }
    }
    bytes
}

fn disturb(lab: &mut Lab, rng: &mut Rng) {
    match rng.below(6) {
        0 => lab.run_for(Duration::from_secs(rng.below(400))),
        1 => lab.tunnel("vx0", rng.pick(&kinds())),
        2 => {
            let port = *rng.pick(&["vx0", "vx1", "red", "udp"]);
            lab.down(port);
        }
        3 => lab.change(Change::FlushStations(None, None)),
        4 => ["vx0", "vx1", "red", "udp"].iter().for_each(|port| lab.up(port)),
        _ => lab.run_for(Duration::from_millis(rng.below(2000))),
    }
}

/// A life of `turns` frames and datagrams; the digest of all that left, and how many datagrams that
/// was.
fn life(seed: u64, turns: u32) -> (u64, usize) {
    live(town(seed), seed, turns)
}

/// The same in this town.
pub(crate) fn live(mut lab: Lab, seed: u64, turns: u32) -> (u64, usize) {
    let mut rng = Rng::new(!seed);
    let mut left = 0;
    for _ in 0..turns {
        let bytes = said(&lab, &mut rng);
        if rng.chance(500) {
            lab.send(rng.pick::<&str>(&["red", "alone", "ten", "green", "wan"]), &bytes);
        } else {
            let payload = encapsulated(*rng.pick(&[42, 42, 43, 44, 45]), &bytes);
            let payload = if rng.chance(300) { mutated(&mut rng, payload) } else { payload };
            let underlay = if rng.chance(900) { "udp" } else { "udp2" };
            let class = rng.below(256) as u8;
            lab.from_remote_with(underlay, *rng.pick(&PEERS), class, Frame::copied_from(&payload));
        }
        if rng.chance(20) {
            disturb(&mut lab, &mut rng);
        }
        left += lab.datagrams().len();
    }
    lab.run_for(Duration::from_secs(200));
    assert_eq!(lab.switch().totals().held, 0, "nothing waits for ever");
    (lab.digest(), left)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// VX9, VX10, VX11.
    #[test]
    fn tunnels_learn_and_flood_as_a_naive_model_does(
        frames in prop::collection::vec((0usize..7, 0u8..6, prop::option::weighted(0.85, 0u8..7)), 1..120)
    ) {
        let mut lab = crowd(1);
        let mut known = BTreeMap::new();
        let mut dropped: BTreeMap<(&str, DropReason), u64> = BTreeMap::new();
        for (at, source, to) in frames {
            let from = PLACES[at];
            let bytes = hello(to.map_or(Mac::BROADCAST, stranger), stranger(source));
            if from.port() != "vx1" {
                known.insert(source, from);
            }
            let expected = expected(&known, from, to);
            from.say(&mut lab, &bytes);
            prop_assert_eq!(got(&mut lab), expected.clone().unwrap_or_default());
            if let Err(reason) = expected {
                *dropped.entry((from.port(), reason)).or_default() += 1;
            }
        }
        let mut drops: Vec<_> = dropped.into_iter().map(|((port, reason), n)| (port, reason, n)).collect();
        drops.sort_by_key(|(port, reason, _)| (lab.port_id(port), *reason));
        prop_assert_eq!(lab.drops(), drops);
    }

    /// VX1 to VX13, and the invariant above all.
    #[test]
    fn everything_through_tunnels_is_accounted_for(seed: u64) {
        life(seed, 300);
    }

    #[test]
    fn every_step_through_tunnels_does_what_was_explained_ahead(seed: u64) {
        let mut lab = town(seed);
        lab.foretell();
        prop_assert_eq!(live(lab, seed, 60), life(seed, 60), "questions change nothing");
    }

    #[test]
    fn tunnels_give_the_same_bytes_for_the_same_seed(seed: u64) {
        prop_assert_eq!(life(seed, 100), life(seed, 100));
    }
}

/// The chaos above is no silence.
#[test]
fn much_leaves_through_tunnels_in_a_life() {
    let (_, left) = life(1, 300);
    assert!(left > 50, "only {left} datagrams");
}
