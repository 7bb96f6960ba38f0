//! The headers on the way from a frame's first byte to a transport header deep inside: that of a
//! packet in a tunnel.
//!
//! A kernel that puts TCP into a tunnel of its own (VXLAN, Geneve, GRE, IPIP and others) leaves the
//! *inner* checksum and cut open, and says only where the inner transport header is. What lies
//! between has no mark of its own, and tunnels over UDP no certain port, so the headers are
//! followed under every reading that they allow until one ends at that very place with every length
//! in agreement.
//!
//! # Theory of operation
//! [`Layers`] holds what a cut has to mend in each piece: IP headers, UDP headers of tunnels, GRE
//! headers with a checksum. All else (Ethernet, VXLAN, Geneve with its options, labels) is the same
//! in every piece. The outermost packet ends inside the frame, and each inner one where the outer
//! one ends: nothing may stand behind it. Each step goes forward, and at most [`MAX_LAYERS`]
//! headers are noted, so that a hostile frame costs little.

use crate::ethernet::{EtherType, network_header};
use crate::ip::{Protocol, V4, V6, V6_HEADER};
use crate::transport::UdpHeader;

/// Two tunnels in one another, and room for a third over IP alone; Linux gives up at about as many.
const MAX_LAYERS: usize = 6;

/// Protocol numbers of what carries packets (IANA).
const IPV4_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const MPLS_IN_IP: u8 = 137;

/// IPv6 extension headers of RFC 8200 section 4 and RFC 6275 that say their length in units of 8
/// bytes less one.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;

/// The most extension headers of one packet and labels of one stack that are followed.
const MAX_IN_A_ROW: usize = 8;

/// EtherTypes inside tunnels: Ethernet itself (NVGRE, Geneve), labels (RFC 5332), mirrored frames
/// (ERSPAN II and III).
const ETHERNET_INSIDE: u16 = 0x6558;
const MPLS: u16 = 0x8847;
const MPLS_UPSTREAM: u16 = 0x8848;
const ERSPAN_2: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

/// A header that is another in each piece of a cut, and where it starts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Layer {
    Ipv4(u16),
    Ipv6(u16),
    /// Of a tunnel; behind it comes no payload of its own.
    Udp(u16),
    /// With a checksum.
    Gre(u16),
}

impl Layer {
    pub(crate) const fn at(self) -> usize {
        match self {
            Self::Ipv4(at) | Self::Ipv6(at) | Self::Udp(at) | Self::Gre(at) => at as usize,
        }
    }
}

/// The headers ahead of a transport header, outermost first.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Layers {
    found: [Layer; MAX_LAYERS],
    count: usize,
    /// Where the outermost IP packet ends, and with it all inside.
    end: usize,
    /// A header on the way numbers packets, so that no two may have the same.
    numbered: bool,
    /// Something besides Ethernet, tags and one IP header lies ahead.
    tunnelled: bool,
}

impl Layers {
    /// The headers of the frame `bytes` ahead of the header of `protocol` at `start`; `None` when
    /// no reading leads there.
    pub(crate) fn to(bytes: &[u8], start: usize, protocol: Protocol) -> Option<Self> {
        let (at, ethertype) = network_header(bytes)?;
        let search = Search { bytes, start, protocol };
        let plain = matches!(ethertype, EtherType::IPV4 | EtherType::IPV6);
        let none = Self {
            found: [Layer::Ipv4(0); MAX_LAYERS],
            count: 0,
            end: 0,
            numbered: false,
            tunnelled: !plain,
        };
        search.network(at, ethertype.0, none)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Layer> {
        self.found.iter().take(self.count).copied()
    }

    /// The header right ahead of the transport header, extension headers aside.
    pub(crate) fn innermost(&self) -> Option<Layer> {
        self.iter().next_back()
    }

    pub(crate) const fn end(&self) -> usize {
        self.end
    }

    /// Whether all pieces of a cut may bear copies of these headers.
    pub(crate) const fn may_repeat(&self) -> bool {
        !self.numbered
    }

    /// Whether the transport header is not the frame's outermost.
    pub(crate) const fn is_tunnelled(&self) -> bool {
        self.tunnelled
    }

    fn with(mut self, layer: impl FnOnce(u16) -> Layer, at: usize) -> Option<Self> {
        *self.found.get_mut(self.count)? = layer(u16::try_from(at).ok()?);
        self.count += 1;
        Some(self)
    }

    /// With an IP packet that ends at `end`: the outermost says where all inside have to end.
    const fn ending(mut self, end: usize) -> Option<Self> {
        if self.count == 0 {
            self.end = end;
        }
        if self.end == end { Some(self) } else { None }
    }
}

/// What is looked for. Each function takes a header's position and what has been found ahead of it.
#[derive(Copy, Clone)]
struct Search<'a> {
    bytes: &'a [u8],
    start: usize,
    protocol: Protocol,
}

impl Search<'_> {
    fn network(self, at: usize, ethertype: u16, so_far: Layers) -> Option<Layers> {
        match EtherType(ethertype) {
            EtherType::IPV4 => self.ipv4(at, so_far),
            EtherType::IPV6 => self.ipv6(at, so_far),
            EtherType(MPLS | MPLS_UPSTREAM) => self.labels(at, so_far),
            EtherType(ETHERNET_INSIDE) => self.ethernet(at, so_far),
            _ => None,
        }
    }

    fn ethernet(self, at: usize, so_far: Layers) -> Option<Layers> {
        let (behind, ethertype) = network_header(self.bytes.get(at..)?)?;
        self.network(at + behind, ethertype.0, so_far)
    }

    fn ipv4(self, at: usize, so_far: Layers) -> Option<Layers> {
        let ip = V4::of(self.bytes.get(at..)?).filter(|ip| !ip.is_fragment())?;
        let so_far = so_far.ending(at + ip.total_len())?.with(Layer::Ipv4, at)?;
        self.inside(ip.protocol().0, at + ip.header_len(), so_far)
    }

    fn ipv6(self, at: usize, so_far: Layers) -> Option<Layers> {
        let ip = V6::of(self.bytes.get(at..)?)?;
        let so_far = so_far.ending(at + ip.total_len())?.with(Layer::Ipv6, at)?;
        let (mut next, mut at, mut routed) = (ip.next_header().0, at + V6_HEADER, false);
        for _ in 0..MAX_IN_A_ROW {
            if !matches!(next, HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY) {
                break;
            }
            let [following, words] = self.header::<2>(at)?;
            routed |= next == ROUTING;
            at += 8 * (usize::from(words) + 1);
            next = following;
        }
        // The checksum of a tunnel's UDP would be over another destination than the header's (RFC
        // 8200 section 8.1).
        let summed_over_another = routed && at != self.start && Protocol(next) == Protocol::UDP;
        if summed_over_another { None } else { self.inside(next, at, so_far) }
    }

    /// What an IP packet carries.
    fn inside(self, protocol: u8, at: usize, mut so_far: Layers) -> Option<Layers> {
        if at >= self.start {
            let is_it = at == self.start && Protocol(protocol) == self.protocol;
            return is_it.then_some(so_far);
        }
        so_far.tunnelled = true;
        match protocol {
            IPV4_IN_IP => self.ipv4(at, so_far),
            IPV6_IN_IP => self.ipv6(at, so_far),
            GRE => self.gre(at, so_far),
            MPLS_IN_IP => self.labels(at, so_far),
            17 => self.udp(at, so_far),
            _ => None,
        }
    }

    /// RFC 2784, RFC 2890.
    fn gre(self, at: usize, so_far: Layers) -> Option<Layers> {
        const CHECKSUM: u16 = 0x8000;
        const KEY: u16 = 0x2000;
        const SEQUENCE: u16 = 0x1000;
        let [f0, f1, e0, e1] = self.header(at)?;
        let (flags, ethertype) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([e0, e1]));
        if flags & !(CHECKSUM | KEY | SEQUENCE) != 0 {
            return None;
        }
        let mut so_far = match flags & CHECKSUM {
            0 => so_far,
            _ => so_far.with(Layer::Gre, at)?,
        };
        so_far.numbered |= flags & SEQUENCE != 0;
        let behind = at + 4 + 4 * (flags & (CHECKSUM | KEY | SEQUENCE)).count_ones() as usize;
        match ethertype {
            ERSPAN_2 if flags & SEQUENCE == 0 => self.ethernet(behind, so_far),
            ERSPAN_2 => self.ethernet(behind + 8, so_far),
            ERSPAN_3 => {
                let has_more = self.header::<12>(behind)?[11] & 1 != 0;
                self.ethernet(behind + if has_more { 20 } else { 12 }, so_far)
            }
            _ => self.network(behind, ethertype, so_far),
        }
    }

    /// Labels up to the last (RFC 3032), and the IP packet behind them.
    fn labels(self, at: usize, so_far: Layers) -> Option<Layers> {
        let mut stack = (at..).step_by(4).take(MAX_IN_A_ROW);
        let last = stack.find_map(|at| match self.header::<4>(at) {
            Some([_, _, bits, _]) => (bits & 1 != 0).then_some(Some(at)),
            None => Some(None),
        })??;
        self.ip(last + 4, so_far)
    }

    /// An IP packet of the version that it says.
    fn ip(self, at: usize, so_far: Layers) -> Option<Layers> {
        match self.header::<1>(at)?[0] >> 4 {
            4 => self.ipv4(at, so_far),
            6 => self.ipv6(at, so_far),
            _ => None,
        }
    }

    fn udp(self, at: usize, so_far: Layers) -> Option<Layers> {
        let udp = UdpHeader::of(self.bytes.get(at..)?)?;
        if at + udp.len() != so_far.end {
            return None;
        }
        let (so_far, at) = (so_far.with(Layer::Udp, at)?, at + UdpHeader::LEN);
        self.vxlan(at, so_far)
            .or_else(|| self.geneve(at, so_far))
            .or_else(|| self.gue(at, so_far))
            .or_else(|| self.ip(at, so_far))
            .or_else(|| self.gre(at, so_far))
            .or_else(|| self.labels(at, so_far))
    }

    /// RFC 7348, and its Generic Protocol Extension, which says what follows.
    fn vxlan(self, at: usize, so_far: Layers) -> Option<Layers> {
        const VNI: u8 = 0x08;
        const NEXT_PROTOCOL: u8 = 0x04;
        let [flags, _, _, next, ..] = self.header::<8>(at)?;
        let behind = at + 8;
        match (flags & VNI != 0, flags & NEXT_PROTOCOL != 0, next) {
            (true, false, _) | (true, true, 3) => self.ethernet(behind, so_far),
            (true, true, 1) => self.ipv4(behind, so_far),
            (true, true, 2) => self.ipv6(behind, so_far),
            _ => None,
        }
    }

    /// RFC 8926: version 0, options counted in words.
    fn geneve(self, at: usize, so_far: Layers) -> Option<Layers> {
        let [first, _, e0, e1, ..] = self.header::<8>(at)?;
        let behind = at + 8 + 4 * usize::from(first & 0x3f);
        let is_geneve = first >> 6 == 0;
        is_geneve.then(|| self.network(behind, u16::from_be_bytes([e0, e1]), so_far))?
    }

    /// Generic UDP Encapsulation, variant 0: no control message, optional fields counted in words.
    fn gue(self, at: usize, so_far: Layers) -> Option<Layers> {
        let [first, protocol, ..] = self.header::<4>(at)?;
        let behind = at + 4 + 4 * usize::from(first & 0x1f);
        let is_data = first >> 5 == 0;
        is_data.then(|| self.inside(protocol, behind, so_far))?
    }

    fn header<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }
}
