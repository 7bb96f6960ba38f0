//! Packets to test with, complete and partial, whole and super.

use core::num::NonZeroU16;

use etherparse::{PacketBuilder, TcpHeader};
use packet::ethernet::Ethernet;
use packet::{Frame, Ipv4, Offload, SegmentKind, Span};
use proptest::prelude::*;

use crate::naive;

pub(crate) const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const DESTINATION: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// What a sample packet carries.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    Tcp,
    Udp,
    Echo,
}

/// A packet to be made; etherparse writes it, so that the code under test has no part in it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) carried: Carried,
    pub(crate) ipv6: bool,
    pub(crate) addresses: [[u8; 4]; 2],
    pub(crate) ports: [u16; 2],
    pub(crate) sequence: u32,
    pub(crate) flags: u8,
    /// TCP options: words of no-operation.
    pub(crate) option_words: usize,
    pub(crate) payload: Vec<u8>,
}

impl Sample {
    /// A complete frame.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(SOURCE, DESTINATION);
        let [source, destination] = self.addresses;
        let builder = if self.ipv6 {
            let wide = |low: [u8; 4]| {
                let mut address = [0xfd; 16];
                address[12..].copy_from_slice(&low);
                address
            };
            builder.ipv6(wide(source), wide(destination), 64)
        } else {
            builder.ipv4(source, destination, 64)
        };
        let mut bytes = Vec::new();
        let [from, to] = self.ports;
        match self.carried {
            Carried::Tcp => {
                let mut header = TcpHeader::new(from, to, self.sequence, 0xffff);
                header.set_options_raw(&vec![1; self.option_words * 4]).unwrap();
                header.fin = self.flags & 1 != 0;
                header.psh = self.flags & 8 != 0;
                header.ack = true;
                header.cwr = self.flags & 0x80 != 0;
                builder.tcp_header(header).write(&mut bytes, &self.payload).unwrap();
            }
            Carried::Udp => builder.udp(from, to).write(&mut bytes, &self.payload).unwrap(),
            Carried::Echo => {
                let echo = builder.icmpv4_echo_request(from, to);
                echo.write(&mut bytes, &self.payload).unwrap();
            }
        }
        bytes
    }

    /// Where the transport header starts.
    pub(crate) fn transport(&self) -> usize {
        if self.ipv6 { 54 } else { 34 }
    }

    /// Where the transport payload starts.
    pub(crate) fn headers(&self) -> usize {
        self.transport()
            + match self.carried {
                Carried::Tcp => 20 + 4 * self.option_words,
                Carried::Udp | Carried::Echo => 8,
            }
    }

    pub(crate) fn span(&self) -> Span {
        let offset = match self.carried {
            Carried::Tcp => 16,
            Carried::Udp => 6,
            Carried::Echo => panic!("ICMP is never partial"),
        };
        Span { start: self.transport() as u16, offset }
    }

    /// The frame as a kernel hands it over: the sum of the pseudo-header in place of the checksum.
    pub(crate) fn partial(&self) -> Frame {
        let mut bytes = self.bytes();
        let (addresses, protocol) = match (self.ipv6, self.carried) {
            (true, Carried::Tcp) => (&bytes[22..54], 6),
            (true, _) => (&bytes[22..54], 17),
            (false, Carried::Tcp) => (&bytes[26..34], 6),
            (false, _) => (&bytes[26..34], 17),
        };
        let sum = naive::sum(&naive::pseudo(addresses, protocol, bytes.len() - self.transport()));
        let field = self.span().field();
        bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        let mut frame = Frame::copied_from(&bytes);
        frame.set_offload(Offload::Checksum(self.span()));
        frame
    }

    /// The partial frame as a super-frame of segments of `size` bytes.
    pub(crate) fn super_frame(&self, size: u16, ecn: bool) -> Frame {
        let mut frame = self.partial();
        let kind = match (self.carried, self.ipv6) {
            (Carried::Tcp, false) => SegmentKind::Tcp4 { ecn },
            (Carried::Tcp, true) => SegmentKind::Tcp6 { ecn },
            _ => SegmentKind::Udp,
        };
        let size = NonZeroU16::new(size).unwrap();
        frame.set_offload(Offload::Segment { kind, size, span: self.span() });
        frame
    }
}

/// Packets of any of `carried` with up to `payload` bytes, over IPv4, and over IPv6 too where
/// `ipv6` says so.
pub(crate) fn samples(
    carried: &'static [Carried],
    ipv6: bool,
    payload: usize,
) -> impl Strategy<Value = Sample> {
    let fields = (
        prop::sample::select(carried),
        any::<bool>().prop_map(move |wide| ipv6 && wide),
        any::<[[u8; 4]; 2]>(),
        any::<[u16; 2]>(),
        prop_oneof![any::<u32>(), Just(u32::MAX - 1000)],
        any::<u8>(),
        0..=10usize,
        prop::collection::vec(any::<u8>(), 0..=payload),
    );
    fields.prop_map(|(carried, ipv6, addresses, ports, sequence, flags, option_words, payload)| {
        Sample { carried, ipv6, addresses, ports, sequence, flags, option_words, payload }
    })
}

/// The packet in a frame that is known to be good.
pub(crate) fn ipv4(frame: Frame) -> Ipv4 {
    Ipv4::parse(Ethernet::parse(frame).unwrap()).unwrap()
}

/// Writes the header checksum of the IPv4 packet in an untagged frame, as far as there is a header.
pub(crate) fn mend_header(bytes: &mut [u8]) {
    let Some(header_len) = bytes.get(14).map(|b| usize::from(b & 15) * 4) else {
        return;
    };
    if header_len < 20 || bytes.len() < 14 + header_len {
        return;
    }
    bytes[24..26].fill(0);
    let sum = !naive::sum(&bytes[14..14 + header_len]);
    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
}
