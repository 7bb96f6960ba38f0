//! An IPv4 packet as a plain value: built with few words, parsed strictly, compared with `==`.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

use packet::Offload;

use super::{Address, Socket, pseudo, sum};

/// TCP's FIN with ACK.
pub const FIN: u8 = 0x11;
/// TCP's SYN alone.
pub const SYN: u8 = 0x02;
/// TCP's SYN with ACK.
pub const SYN_ACK: u8 = 0x12;
/// TCP's RST alone.
pub const RST: u8 = 0x04;
/// TCP's ACK alone.
pub const ACK: u8 = 0x10;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// An IPv4 packet. `payload` is all behind the header, transport header and checksum included.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// Where it is from.
    pub source: Ipv4Addr,
    /// Where it goes.
    pub destination: Ipv4Addr,
    /// What it carries.
    pub protocol: u8,
    /// Hops left.
    pub ttl: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// What its fragments share.
    pub identification: u16,
    /// DF.
    pub dont_fragment: bool,
    /// MF.
    pub more_fragments: bool,
    /// Fragment offset in bytes.
    pub offset: u16,
    /// Options, a multiple of four bytes.
    pub options: Vec<u8>,
    /// What is behind the header.
    pub payload: Vec<u8>,
}

impl Packet {
    /// A packet of TTL 64 with nothing special about it.
    pub fn new(protocol: u8, from: impl Address, to: impl Address, payload: Vec<u8>) -> Self {
        Self {
            source: from.address(),
            destination: to.address(),
            protocol,
            ttl: 64,
            traffic_class: 0,
            identification: 0,
            dont_fragment: false,
            more_fragments: false,
            offset: 0,
            options: Vec::new(),
            payload,
        }
    }

    /// A UDP datagram.
    pub fn udp(from: impl Socket, to: impl Socket, data: &[u8]) -> Self {
        let (from, to) = (from.socket(), to.socket());
        let mut payload =
            [from.port(), to.port(), 8 + data.len() as u16, 0].map(u16::to_be_bytes).concat();
        payload.extend(data);
        Self::new(UDP, *from.ip(), *to.ip(), payload).summed()
    }

    /// A TCP segment with sequence number 1000 and acknowledgement 2000 where ACK is set.
    pub fn tcp(from: impl Socket, to: impl Socket, flags: u8, data: &[u8]) -> Self {
        let acknowledged = if flags & ACK == 0 { 0 } else { 2000 };
        Self::tcp_at(from, to, flags, 1000, acknowledged, data)
    }

    /// A TCP segment.
    pub fn tcp_at(
        from: impl Socket,
        to: impl Socket,
        flags: u8,
        sequence: u32,
        acknowledged: u32,
        data: &[u8],
    ) -> Self {
        let (from, to) = (from.socket(), to.socket());
        let mut payload = [from.port(), to.port()].map(u16::to_be_bytes).concat();
        payload.extend([sequence, acknowledged].map(u32::to_be_bytes).concat());
        payload.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        payload.extend(data);
        Self::new(TCP, *from.ip(), *to.ip(), payload).summed()
    }

    /// An ICMP message.
    pub fn icmp(
        from: impl Address,
        to: impl Address,
        (kind, code): (u8, u8),
        rest: [u8; 4],
        body: &[u8],
    ) -> Self {
        let mut payload = vec![kind, code, 0, 0];
        payload.extend(rest);
        payload.extend(body);
        Self::new(ICMP, from, to, payload).summed()
    }

    /// An echo request.
    pub fn ping(from: impl Address, to: impl Address, identifier: u16, sequence: u16) -> Self {
        Self::icmp(from, to, (8, 0), echo(identifier, sequence), b"are you there?")
    }

    /// The answer to [`Packet::ping`].
    pub fn pong(from: impl Address, to: impl Address, identifier: u16, sequence: u16) -> Self {
        Self::icmp(from, to, (0, 0), echo(identifier, sequence), b"are you there?")
    }

    /// An ICMP error about `cause`, quoting its header and `quoted` bytes behind it. `rest` is the
    /// word behind the checksum, in which 3/4 carries an MTU.
    pub fn error(
        from: impl Address,
        to: impl Address,
        wire: (u8, u8),
        rest: u32,
        cause: &Self,
        quoted: usize,
    ) -> Self {
        let mut bytes = cause.bytes();
        bytes.truncate(20 + cause.options.len() + quoted);
        Self::icmp(from, to, wire, rest.to_be_bytes(), &bytes)
    }

    /// The same with `ttl` hops left.
    #[must_use]
    pub fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    /// The same, not to be fragmented.
    #[must_use]
    pub fn df(self) -> Self {
        Self { dont_fragment: true, ..self }
    }

    /// The same with an identification.
    #[must_use]
    pub fn id(self, identification: u16) -> Self {
        Self { identification, ..self }
    }

    /// The same with options, padded to a multiple of four bytes.
    #[must_use]
    pub fn options(self, options: &[u8]) -> Self {
        let mut options = options.to_vec();
        options.resize(options.len().next_multiple_of(4), 0);
        Self { options, ..self }
    }

    /// The same with another traffic class.
    #[must_use]
    pub fn class(self, traffic_class: u8) -> Self {
        Self { traffic_class, ..self }
    }

    /// The same TCP segment with another window.
    #[must_use]
    pub fn window(mut self, window: u16) -> Self {
        self.payload[14..16].copy_from_slice(&window.to_be_bytes());
        self.summed()
    }

    /// The same UDP datagram without a checksum.
    #[must_use]
    pub fn unsummed(mut self) -> Self {
        self.payload[6..8].fill(0);
        self
    }

    /// The same with its transport checksum computed anew.
    #[must_use]
    pub fn summed(mut self) -> Self {
        let (at, is_udp) = match self.protocol {
            ICMP => (2, false),
            TCP => (16, false),
            UDP => (6, true),
            _ => return self,
        };
        self.payload[at..at + 2].fill(0);
        let sum = match !self.transport_sum() {
            0 if is_udp => 0xffff,
            sum => sum,
        };
        self.payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        self
    }

    /// The same packet cut into fragments of `size` payload bytes, a multiple of eight.
    pub fn fragments(&self, size: usize) -> Vec<Self> {
        let count = self.payload.len().div_ceil(size);
        let cut = |(index, chunk): (usize, &[u8])| Self {
            offset: self.offset + (index * size) as u16,
            more_fragments: self.more_fragments || index + 1 < count,
            payload: chunk.to_vec(),
            ..self.clone()
        };
        self.payload.chunks(size).enumerate().map(cut).collect()
    }

    /// The packet as it stands on a wire, header checksum included.
    pub fn bytes(&self) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let total = (header_len + self.payload.len()) as u16;
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more_fragments) << 13;
        let mut bytes = vec![0x40 | (header_len / 4) as u8, self.traffic_class];
        bytes.extend(
            [total, self.identification, flags | (self.offset / 8)].map(u16::to_be_bytes).concat(),
        );
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(&self.options);
        let sum = !sum(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// Reads a packet that must be right in every way that can be seen without its transport
    /// header, and may have padding behind.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let packet = Self::parse_quote(bytes)?;
        let header_len = 20 + packet.options.len();
        let total = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        if sum(&bytes[..header_len]) != 0xffff {
            return Err("the header checksum is wrong");
        }
        if header_len + packet.payload.len() != total {
            return Err("the total length is wrong");
        }
        Ok(packet)
    }

    /// Reads a packet as an ICMP error quotes it: it may be cut off behind the header, whose
    /// checksum is not looked at.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse_quote(bytes: &[u8]) -> Result<Self, &'static str> {
        let header = bytes.first_chunk::<20>().ok_or("the header is cut off")?;
        let header_len = usize::from(header[0] & 15) * 4;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let total = usize::from(word(2));
        if header[0] >> 4 != 4 || header_len < 20 || bytes.len() < header_len || total < header_len
        {
            return Err("the header is impossible");
        }
        Ok(Self {
            source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
            destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
            protocol: header[9],
            ttl: header[8],
            traffic_class: header[1],
            identification: word(4),
            dont_fragment: word(6) & 0x4000 != 0,
            more_fragments: word(6) & 0x2000 != 0,
            offset: (word(6) & 0x1fff) * 8,
            options: bytes[20..header_len].to_vec(),
            payload: bytes[header_len..bytes.len().min(total)].to_vec(),
        })
    }

    /// Whether it is a part of a packet.
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.offset != 0
    }

    /// Address and port it is from; for an ICMP query, its identifier.
    pub fn from(&self) -> SocketAddrV4 {
        let at = if self.protocol == ICMP { 4 } else { 0 };
        SocketAddrV4::new(self.source, self.word(at))
    }

    /// Address and port it goes to; for an ICMP query, its identifier.
    pub fn to(&self) -> SocketAddrV4 {
        let at = if self.protocol == ICMP { 4 } else { 2 };
        SocketAddrV4::new(self.destination, self.word(at))
    }

    /// Type and code of an ICMP message; (255, 255) of anything else.
    pub fn kind(&self) -> (u8, u8) {
        match self.payload.first_chunk::<2>() {
            Some(&[kind, code]) if self.protocol == ICMP => (kind, code),
            _ => (255, 255),
        }
    }

    /// The MTU in an ICMP 3/4.
    pub fn next_hop_mtu(&self) -> u16 {
        self.word(6)
    }

    /// The packet that an ICMP error is about.
    pub fn quote(&self) -> Self {
        Self::parse_quote(&self.payload[8..]).unwrap_or_else(|wrong| panic!("{wrong}: {self:?}"))
    }

    /// Whether this is an ICMP error.
    pub fn is_error(&self) -> bool {
        self.protocol == ICMP && self.offset == 0 && matches!(self.kind().0, 3 | 4 | 5 | 11 | 12)
    }

    /// TCP's control bits.
    pub fn flags(&self) -> u8 {
        self.payload.get(13).copied().unwrap_or(0)
    }

    /// What is behind the transport header.
    pub fn data(&self) -> &[u8] {
        let header = match self.protocol {
            TCP => usize::from(self.payload[12] >> 4) * 4,
            UDP | ICMP => 8,
            _ => 0,
        };
        &self.payload[header..]
    }

    /// Whether the transport checksum is right: the whole one, or, where `offload` says that it is
    /// partial, the sum of the pseudo-header. Fragments, other protocols and cut-off headers
    /// are not judged.
    pub fn checksum_holds(&self, offload: Offload) -> bool {
        let (at, least) = match self.protocol {
            ICMP => (2, 8),
            TCP => (16, 20),
            UDP => (6, 8),
            _ => return true,
        };
        if self.is_fragment() || self.payload.len() < least {
            return true;
        }
        if offload != Offload::Complete {
            let sum = pseudo(self.source, self.destination, self.protocol, self.payload.len());
            return self.protocol != ICMP && self.word(at) % 0xffff == sum % 0xffff;
        }
        (self.protocol == UDP && self.word(at) == 0) || self.transport_sum() == 0xffff
    }

    fn transport_sum(&self) -> u16 {
        let mut covered = &self.payload[..];
        if self.protocol == UDP {
            let len = usize::from(self.word(4));
            covered = covered.get(..len).unwrap_or(covered);
        }
        let start = match self.protocol {
            ICMP => 0,
            protocol => pseudo(self.source, self.destination, protocol, covered.len()),
        };
        sum(&[&start.to_be_bytes()[..], covered].concat())
    }

    fn word(&self, at: usize) -> u16 {
        let bytes = self.payload.get(at..).and_then(|bytes| bytes.first_chunk::<2>());
        bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} proto {} ttl {}", self.from(), self.to(), self.protocol, self.ttl)?;
        write!(f, " tos {:#x} id {}", self.traffic_class, self.identification)?;
        if self.dont_fragment {
            f.write_str(" DF")?;
        }
        if self.is_fragment() {
            write!(f, " at {}{}", self.offset, if self.more_fragments { " MF" } else { "" })?;
        }
        write!(f, " options {:02x?} payload {} bytes", self.options, self.payload.len())?;
        f.write_str(" ")?;
        self.payload.iter().take(48).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn echo(identifier: u16, sequence: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (identifier.to_be_bytes(), sequence.to_be_bytes());
    [a, b, c, d]
}
