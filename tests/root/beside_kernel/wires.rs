//! The four wires of a router, held at their far ends: everything that its hosts send and see.
//!
//! There are no hosts. A packet socket at each far end sends what a script says, answers ARP for
//! the addresses that the wire is meant to have, and keeps every IPv4 packet that arrives, so that
//! no kernel adds a word of its own.
//!
//! # Theory of operation
//! An exchange sends frames on one wire and returns what arrived on all of them. Silence is told
//! from slowness by *marks*: behind the frames, from the same wire, goes one packet to every wire.
//! A router takes the frames of a wire in order and sends in order, so once a wire's mark has
//! arrived, all that the frames caused there has.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use lab::wire::{Packet, arp_reply, arp_request, frame};
use packet::Mac;
use packet::arp::{Arp, Operation};

use crate::host::Host;
use crate::raw::Raw;
use crate::wait::PATIENCE;

/// One wire, by who is on it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wire {
    /// An inside host, 192.168.7.2, on a bridge with [`Wire::Blue`].
    Red,
    /// Another, 192.168.7.3.
    Blue,
    /// The outside, 203.0.113.0/24, with a router 203.0.113.2 to 198.18.0.0/15.
    Wan,
    /// Another outside, 198.51.100.0/24, whose MTU is 600.
    Thin,
}

impl Wire {
    pub(crate) const ALL: [Self; 4] = [Self::Red, Self::Blue, Self::Wan, Self::Thin];

    /// The name of the device at the router's end, and of the port.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Blue => "blue",
            Self::Wan => "wan",
            Self::Thin => "thin",
        }
    }

    pub(crate) const fn mtu(self) -> u32 {
        match self {
            Self::Thin => 600,
            _ => 1500,
        }
    }

    /// The Ethernet address of everybody on it.
    pub(crate) const fn mac(self) -> Mac {
        Mac([2, 0, 0, 0, 7, 2 + self as u8])
    }

    /// The router's Ethernet address on it.
    pub(crate) const fn router_mac(self) -> Mac {
        match self {
            Self::Red | Self::Blue => Mac([2, 0, 0, 0, 8, 1]),
            Self::Wan => Mac([2, 0, 0, 0, 8, 2]),
            Self::Thin => Mac([2, 0, 0, 0, 8, 3]),
        }
    }

    /// The router's IPv4 address on it.
    pub(crate) const fn router(self) -> Ipv4Addr {
        match self {
            Self::Red | Self::Blue => Ipv4Addr::new(192, 168, 7, 1),
            Self::Wan => Ipv4Addr::new(203, 0, 113, 1),
            Self::Thin => Ipv4Addr::new(198, 51, 100, 1),
        }
    }

    /// The host that marks are sent from and to; outside, one that nobody is masqueraded towards.
    const fn host(self) -> Ipv4Addr {
        match self {
            Self::Red => Ipv4Addr::new(192, 168, 7, 2),
            Self::Blue => Ipv4Addr::new(192, 168, 7, 3),
            Self::Wan => Ipv4Addr::new(203, 0, 113, 9),
            Self::Thin => Ipv4Addr::new(198, 51, 100, 9),
        }
    }

    /// Everybody on it.
    fn hosts(self) -> Vec<Ipv4Addr> {
        let net = |numbers: [u8; 3], hosts: &[u8]| {
            let [a, b, c] = numbers;
            hosts.iter().map(|host| Ipv4Addr::new(a, b, c, *host)).collect()
        };
        match self {
            Self::Red | Self::Blue => vec![self.host()],
            Self::Wan => net([203, 0, 113], &[2, 3, 9]),
            Self::Thin => net([198, 51, 100], &[2, 9]),
        }
    }
}

/// A frame with an IPv4 packet that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) bytes: Vec<u8>,
}

impl Arrived {
    /// The packet in it, where it is a right one.
    pub(crate) fn packet(&self) -> Result<Packet, &'static str> {
        Packet::parse(&self.bytes[ETHERNET..])
    }
}

/// What arrived on each wire, in order.
pub(crate) type Arrivals = [Vec<Arrived>; 4];

/// How much longer than its marks an exchange lasts: until so many packets have arrived in all, or
/// the time is over.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Patience {
    pub(crate) packets: usize,
    pub(crate) time: Duration,
}

/// See the file's head.
pub(crate) struct Wires {
    ends: [Raw; 4],
    _field: Host,
}

impl Wires {
    /// Takes up the far ends, which are devices of a namespace with the wires' names.
    pub(crate) fn new(field: Host) -> Self {
        let ends = Wire::ALL.map(|wire| Raw::on_device(&field, wire.name()));
        Self { ends, _field: field }
    }

    /// Makes every host known to router and bridge, so that no packet of a script waits for an
    /// answer to ARP.
    pub(crate) fn greet(&self) {
        for wire in Wire::ALL {
            for host in wire.hosts() {
                let question = arp_request(wire.mac(), host, wire.router());
                self.send(wire, &frame(Mac::BROADCAST, wire.mac()).arp(&question));
            }
        }
        for wire in Wire::ALL {
            let arrived = self.exchange(wire, &[], None);
            assert!(arrived.iter().all(Vec::is_empty), "before anybody spoke: {arrived:?}");
        }
    }

    /// Sends frames on a wire, and returns what they led to on every wire.
    pub(crate) fn exchange(
        &self,
        from: Wire,
        frames: &[Vec<u8>],
        patience: Option<Patience>,
    ) -> Arrivals {
        for frame in frames {
            self.send(from, frame);
        }
        let mut marked = [false; 4];
        for to in Wire::ALL {
            self.send(from, &mark(from, to));
        }
        let mut arrivals = Arrivals::default();
        let deadline = Instant::now() + PATIENCE;
        while marked.contains(&false) {
            assert!(Instant::now() < deadline, "marks from {from:?} arrived on {marked:?} only");
            self.gather(&mut arrivals, &mut marked);
        }
        let Some(patience) = patience else { return arrivals };
        let deadline = Instant::now() + patience.time;
        while arrivals.iter().flatten().count() < patience.packets && Instant::now() < deadline {
            self.gather(&mut arrivals, &mut marked);
        }
        arrivals
    }

    fn send(&self, wire: Wire, frame: &[u8]) {
        self.ends[wire as usize].send(frame);
    }

    /// Takes what has arrived, after waiting for it a moment.
    fn gather(&self, arrivals: &mut Arrivals, marked: &mut [bool; 4]) {
        Raw::await_any(&self.ends, Duration::from_millis(50));
        for wire in Wire::ALL {
            let at = wire as usize;
            while let Some(bytes) = self.ends[at].receive() {
                match bytes.get(12..ETHERNET) {
                    Some([0x08, 0x06]) => self.answer(wire, &bytes),
                    Some([0x08, 0x00]) if is_mark(&bytes) => marked[at] = true,
                    // A kernel's bridge tells that it hears multicast.
                    Some([0x08, 0x00]) if bytes.get(IP_PROTOCOL) == Some(&IGMP) => {}
                    Some([0x08, 0x00]) => arrivals[at].push(Arrived { bytes }),
                    _ => {}
                }
            }
        }
    }

    /// Answers an ARP request for an address that the wire has.
    fn answer(&self, wire: Wire, bytes: &[u8]) {
        let Some(arp) = Arp::parse(&bytes[ETHERNET..]) else { return };
        if arp.operation == Operation::Request && wire.hosts().contains(&arp.target) {
            let reply = arp_reply(wire.mac(), arp.target, arp.sender_mac, arp.sender);
            self.send(wire, &frame(arp.sender_mac, wire.mac()).arp(&reply));
        }
    }
}

/// The packet that marks on wire `to` the end of what was sent on wire `from`. To the own wire it
/// is a ping to the router, which comes back as the reply.
fn mark(from: Wire, to: Wire) -> Vec<u8> {
    let socket = |wire: Wire| std::net::SocketAddrV4::new(wire.host(), MARK_PORT);
    let packet = match from == to {
        true => Packet::icmp(from.host(), from.router(), (8, 0), [0, MARK_PORT as u8, 0, 0], MARK),
        false => Packet::udp(socket(from), socket(to), MARK),
    };
    let bridged = matches!((from, to), (Wire::Red, Wire::Blue) | (Wire::Blue, Wire::Red));
    let next = if bridged { to.mac() } else { from.router_mac() };
    frame(next, from.mac()).ip(&packet)
}

fn is_mark(bytes: &[u8]) -> bool {
    bytes.get(ETHERNET + 28..).is_some_and(|data| data.starts_with(MARK))
}

/// The port that marks come from and go to: "discard". No script uses it.
pub(crate) const MARK_PORT: u16 = 9;
const MARK: &[u8] = b"all that was sent ahead of this has arrived";
const ETHERNET: usize = 14;
const IP_PROTOCOL: usize = ETHERNET + 9;
const IGMP: u8 = 2;
