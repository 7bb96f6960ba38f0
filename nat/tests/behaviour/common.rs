//! A router around `Nat` that is as small as can be, and packets to send through it.

use std::net::Ipv4Addr;

use packet::fields::Fields;
use packet::transport::{self, TcpFlags};
use packet::{
    DropReason, Dropped, EtherType, Ethernet, Frame, IcmpHeader, Instant, InterfaceId, Ipv4,
    Ipv4Net, Mac, Offload, PortId, Protocol, Span, Transport, checksum, icmp,
};
use tapswitch_nat::{Arrival, Departure, Limits, Masquerade, Nat, Publish, Rules};

/// Inside interface; the hosts are 192.168.0.0/24.
pub(crate) const BR0: InterfaceId = InterfaceId::new(1);
/// Outside interface.
pub(crate) const WAN: InterfaceId = InterfaceId::new(2);
/// A second inside interface; the hosts are 192.168.1.0/24, which no rule of [`Router::new`]
/// covers.
pub(crate) const BR1: InterfaceId = InterfaceId::new(3);
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
pub(crate) const EXTERNAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub(crate) const RED: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
pub(crate) const BLUE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 3);
pub(crate) const GREEN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 2);
pub(crate) const REMOTE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);
pub(crate) const OTHER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

pub(crate) const SYN: u8 = TcpFlags::SYN;
pub(crate) const ACK: u8 = TcpFlags::ACK;
pub(crate) const FIN: u8 = TcpFlags::FIN;
pub(crate) const RST: u8 = TcpFlags::RST;

pub(crate) fn hasher() -> ahash::RandomState {
    ahash::RandomState::with_seeds(1, 2, 3, 4)
}

pub(crate) fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

pub(crate) fn inside_rule() -> Masquerade {
    Masquerade::new(net("192.168.0.0/24"), WAN)
}

pub(crate) const fn s(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// What became of a packet.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It left here.
    Sent(Ipv4, InterfaceId),
    /// It was for the router.
    Local,
    /// It was refused.
    Refused(DropReason),
}

impl Outcome {
    #[track_caller]
    pub(crate) fn sent(self) -> Ipv4 {
        match self {
            Self::Sent(packet, _) => packet,
            other => panic!("not sent: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn refused(self) -> DropReason {
        match self {
            Self::Refused(reason) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Local)
    }
}

pub(crate) struct Router {
    pub(crate) nat: Nat,
    pub(crate) external: Option<Ipv4Addr>,
}

impl Router {
    /// 192.168.0.0/24 masqueraded out of the wan.
    pub(crate) fn new() -> Self {
        Self::with(vec![inside_rule()], vec![])
    }

    pub(crate) fn with(masquerade: Vec<Masquerade>, publish: Vec<Publish>) -> Self {
        let mut nat = Nat::new(7);
        nat.set_limits(Limits { flows: 70_000, flows_per_host: 70_000 });
        nat.set_rules(Rules { masquerade, publish });
        Self { nat, external: Some(EXTERNAL) }
    }

    pub(crate) fn owner(address: Ipv4Addr) -> Option<InterfaceId> {
        match address {
            GATEWAY => Some(BR0),
            EXTERNAL => Some(WAN),
            _ => None,
        }
    }

    fn way(address: Ipv4Addr) -> InterfaceId {
        match address.octets() {
            [192, 168, 0, _] => BR0,
            [192, 168, 1, _] => BR1,
            _ => WAN,
        }
    }

    /// Sends a packet through, from the interface that its source is behind; checks all checksums
    /// on the way out.
    pub(crate) fn pass(&mut self, now: Instant, packet: Ipv4) -> Outcome {
        let interface = Self::way(packet.source());
        self.pass_from(now, packet, interface)
    }

    pub(crate) fn pass_from(
        &mut self,
        now: Instant,
        packet: Ipv4,
        interface: InterfaceId,
    ) -> Outcome {
        self.pass_by(now, packet, interface, PortId::new(interface.index() as u32))
    }

    /// Sends a packet through that comes in by this port of the switch.
    pub(crate) fn pass_by(
        &mut self,
        now: Instant,
        packet: Ipv4,
        interface: InterfaceId,
        port: PortId,
    ) -> Outcome {
        let owner = Self::owner(packet.destination());
        let before = packet.frame().clone();
        let whole = checksums_hold(&packet);
        let refused = |dropped: Dropped| {
            assert_eq!(dropped.frame, before, "a refused packet is as its sender knew it");
            Outcome::Refused(dropped.reason)
        };
        let arrival = Arrival { interface, owner, port: Some(port) };
        let destined = match self.nat.inbound(now, packet, arrival) {
            Ok(destined) => destined,
            Err(dropped) => return refused(dropped),
        };
        if destined.is_local() {
            return Outcome::Local;
        }
        let out = Self::way(destined.packet().destination());
        let external = match out {
            WAN => self.external,
            BR0 => Some(GATEWAY),
            _ => None,
        };
        let departure = Departure { interface: out, external };
        match self.nat.outbound(now, destined, arrival, departure) {
            Ok(translated) => {
                let packet = translated.into_packet();
                let bytes = packet.bytes();
                assert!(checksum::holds(&bytes[..packet.header_len()]), "header checksum");
                assert!(!whole || checksums_hold(&packet), "checksum of {packet:?}");
                Outcome::Sent(packet, out)
            }
            Err(dropped) => refused(dropped),
        }
    }

    /// [`Router::map`], and an answer: what is answered and goes on is never evicted.
    #[track_caller]
    pub(crate) fn exchange(
        &mut self,
        now: Instant,
        from: (Ipv4Addr, u16),
        to: (Ipv4Addr, u16),
    ) -> u16 {
        let port = self.map(now, from, to);
        self.pass(now, udp(to, (EXTERNAL, port))).sent();
        port
    }

    /// Opens a UDP flow and returns the external port it got.
    #[track_caller]
    pub(crate) fn map(&mut self, now: Instant, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> u16 {
        let sent = self.pass(now, udp(from, to)).sent();
        assert_eq!(sent.source(), EXTERNAL);
        ports(&sent).0
    }
}

/// Whether a full recompute agrees with the transport checksum. Packets whose checksum is someone
/// else's duty agree.
pub(crate) fn checksums_hold(packet: &Ipv4) -> bool {
    let payload = packet.payload();
    let pseudo = checksum::pseudo_header(
        packet.source(),
        packet.destination(),
        packet.protocol().0,
        payload.len() as u16,
    );
    if let Some(span) = packet.frame().offload().span() {
        let field = &packet.frame().bytes()[span.field()..span.field() + 2];
        return pseudo == u16::from_be_bytes([field[0], field[1]]);
    }
    match packet.protocol() {
        Protocol::UDP if payload.get(6..8) == Some(&[0, 0]) => true,
        Protocol::UDP | Protocol::TCP => checksum::sum(payload, pseudo) == 0xffff,
        Protocol::ICMP => checksum::holds(payload),
        _ => true,
    }
}

pub(crate) fn ports(packet: &Ipv4) -> (u16, u16) {
    match packet.transport() {
        Transport::Tcp { source, destination, .. } | Transport::Udp { source, destination } => {
            (source, destination)
        }
        Transport::Query { identifier, .. } => (identifier, identifier),
        other => panic!("no ports in {other:?}"),
    }
}

/// Source and destination with ports.
pub(crate) fn ends(packet: &Ipv4) -> ((Ipv4Addr, u16), (Ipv4Addr, u16)) {
    let (source, destination) = ports(packet);
    ((packet.source(), source), (packet.destination(), destination))
}

/// An IPv4 packet around `payload`, right header checksum, nothing else done.
pub(crate) fn raw(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: Protocol,
    payload: &[u8],
) -> Ipv4 {
    let mut frame = Frame::copied_from(&[&[0; 34], payload].concat());
    Ethernet::emit(&mut frame, Mac::ZERO, Mac::ZERO, EtherType::IPV4);
    let header = Fields {
        source,
        destination,
        protocol,
        ttl: 64,
        traffic_class: 0,
        identification: 0,
        dont_fragment: false,
    };
    assert!(header.emit(&mut frame));
    Ipv4::in_frame(frame).unwrap()
}

fn summed(source: Ipv4Addr, to: Ipv4Addr, protocol: Protocol, at: usize, bytes: &mut [u8]) -> Ipv4 {
    let pseudo = match protocol {
        Protocol::ICMP => 0,
        _ => checksum::pseudo_header(source, to, protocol.0, bytes.len() as u16),
    };
    bytes[at..at + 2].fill(0);
    let sum = !checksum::sum(bytes, pseudo);
    let sum = if sum == 0 && protocol == Protocol::UDP { 0xffff } else { sum };
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    raw(source, to, protocol, bytes)
}

pub(crate) fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Ipv4 {
    let mut bytes = [0; 8].to_vec();
    bytes.extend(b"hello");
    bytes[..2].copy_from_slice(&from.1.to_be_bytes());
    bytes[2..4].copy_from_slice(&to.1.to_be_bytes());
    bytes[4..6].copy_from_slice(&13u16.to_be_bytes());
    summed(from.0, to.0, Protocol::UDP, 6, &mut bytes)
}

pub(crate) fn tcp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), flags: u8) -> Ipv4 {
    let mut bytes = [0; 20].to_vec();
    bytes[..2].copy_from_slice(&from.1.to_be_bytes());
    bytes[2..4].copy_from_slice(&to.1.to_be_bytes());
    bytes[12] = 5 << 4;
    bytes[13] = flags;
    bytes.extend(b"data");
    summed(from.0, to.0, Protocol::TCP, 16, &mut bytes)
}

/// TCP whose checksum is left to the receiver.
pub(crate) fn partial_tcp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), flags: u8) -> Ipv4 {
    let mut packet = tcp(from, to, flags);
    let len = packet.payload().len() as u16;
    let pseudo = checksum::pseudo_header(from.0, to.0, 6, len);
    packet.payload_mut()[16..18].copy_from_slice(&pseudo.to_be_bytes());
    let mut frame = packet.into_frame();
    frame.set_offload(Offload::Checksum(Span { start: 34, offset: 16 }));
    Ipv4::in_frame(frame).unwrap()
}

/// An ICMP query or reply: 8 and 0 for echo, 13 and 14 for timestamps.
pub(crate) fn query(source: Ipv4Addr, destination: Ipv4Addr, kind: u8, identifier: u16) -> Ipv4 {
    let [high, low] = identifier.to_be_bytes();
    let mut bytes = vec![kind, 0, 0, 0, high, low, 0, 1];
    bytes.extend(b"abcdefgh");
    summed(source, destination, Protocol::ICMP, 2, &mut bytes)
}

/// An ICMP error about `cause`, of which it quotes at most `quoted` bytes.
pub(crate) fn error(source: Ipv4Addr, kind: u8, code: u8, cause: &Ipv4, quoted: usize) -> Ipv4 {
    let quote = &cause.bytes()[..cause.bytes().len().min(quoted)];
    let mut bytes = [&[kind, code, 0, 0, 0, 0, 0, 0], quote].concat();
    summed(source, cause.source(), Protocol::ICMP, 2, &mut bytes)
}

/// The packet that an ICMP error quotes, as far as it quotes it; its checksums are checked where
/// they are whole.
pub(crate) fn quoted(packet: &Ipv4) -> ((Ipv4Addr, u16), (Ipv4Addr, u16)) {
    assert!(checksum::holds(packet.payload()));
    let quote = icmp::quote(packet.payload()).unwrap();
    assert!(quote.checksum_holds());
    let (from, to) = match quote.protocol() {
        Protocol::ICMP => {
            let identifier = IcmpHeader::of(quote.payload()).unwrap().identifier();
            (identifier, identifier)
        }
        _ => transport::ports(quote.payload()).unwrap(),
    };
    let bytes = &packet.payload()[8..];
    if usize::from(u16::from_be_bytes([bytes[2], bytes[3]])) == bytes.len() {
        let inner = raw(quote.source(), quote.destination(), quote.protocol(), &bytes[20..]);
        assert!(checksums_hold(&inner), "checksum in the quote");
    }
    ((quote.source(), from), (quote.destination(), to))
}

pub(crate) fn lines(nat: &Nat, now: Instant) -> Vec<String> {
    nat.flows(now).map(|flow| flow.to_string()).collect()
}
