//! Frames out of tunnels whose checksum or cut another kernel has left open, though nothing beside
//! them says so.
//!
//! A VXLAN device leaves both to the network card below it, and on a wire both are done. Between
//! namespaces of one machine there is no card: a veth passes the datagram as it stands, and the UDP
//! socket that takes it tells of its bytes and of nothing else. So the bytes are asked.
//!
//! # Theory of operation
//! A TCP or UDP checksum that equals the pseudo-header's sum is partial. A complete one may equal
//! it by chance, once in 65,535 frames, and is not harmed: completing it adds up what it was made
//! of, and gives the same value again.
//!
//! A partial checksum in a TCP packet that is larger than the tunnel is a super-frame's. How it was
//! to be cut is not known; the largest segments that fit the tunnel are what its sender's own
//! device would have sent. Of a UDP super-frame the socket does tell the size, but as if the whole
//! were a train of datagrams of that size: it is none when the packet inside does not end where the
//! first of them would.

use core::num::NonZeroU16;

use crate::checksum;
use crate::frame::Frame;
use crate::ip::{Ip, Protocol};
use crate::offload::{Offload, SegmentKind, Span};
use crate::transport::{TcpFlags, TcpHeader, UdpHeader};

/// Notes what `frame` owes, out of a tunnel that carries IP packets of `mtu` bytes. Changes no
/// byte, and nothing at all where something is owed already or the checksum is not partial. A few
/// nanoseconds: headers are read and no payload.
pub fn detect(frame: &mut Frame, mtu: u16) {
    if frame.offload() != Offload::Complete {
        return;
    }
    let Some(open) = Open::of(frame.bytes()) else { return };
    frame.set_offload(Offload::Checksum(open.span));
    if open.ip_len <= usize::from(mtu) || open.kind == SegmentKind::Udp {
        return;
    }
    let room = usize::from(mtu).saturating_sub(open.headers);
    if let Some(size) = u16::try_from(room).ok().and_then(NonZeroU16::new) {
        frame.set_offload(Offload::Segment { kind: open.kind, size, span: open.span });
    }
}

/// Whether what a socket tells to be a train of datagrams of `size` bytes is one datagram: `prefix`
/// bytes of outer header and a UDP super-frame of payloads of `size` bytes. If so, that is noted;
/// if not, nothing changes.
pub fn detect_train(frame: &mut Frame, size: usize, prefix: usize) -> bool {
    let Some(inside) = frame.bytes().get(prefix..) else { return false };
    let Some(open) = Open::of(inside).filter(|open| open.kind == SegmentKind::Udp) else {
        return false;
    };
    let shift = i16::try_from(prefix).ok();
    let size = u16::try_from(size).ok().and_then(NonZeroU16::new);
    // `Open::of` takes packets that end with the frame, and a train goes on behind its first
    // datagram.
    let (Some(shift), Some(size)) = (shift, size) else { return false };
    if frame.len() <= usize::from(size.get()) {
        return false;
    }
    let offload = Offload::Segment { kind: open.kind, size, span: open.span };
    frame.set_offload(offload.shifted(shift));
    true
}

/// A TCP or UDP packet with a partial checksum, the last thing in its frame.
struct Open {
    kind: SegmentKind,
    span: Span,
    /// From the IP header on.
    ip_len: usize,
    /// Of IP and transport.
    headers: usize,
}

impl Open {
    fn of(frame: &[u8]) -> Option<Self> {
        let (at, ip) = Ip::in_frame(frame)?;
        let segment = ip.payload();
        let ip_len = ip.header_len() + segment.len();
        if ip.is_fragment() || ip.total_len() != ip_len {
            return None;
        }
        let (kind, header, offset) = match ip.protocol() {
            Protocol::TCP => {
                let tcp = TcpHeader::of(segment)?;
                let ecn = tcp.flags().has(TcpFlags::CWR);
                let kind = match ip {
                    Ip::V4(_) => SegmentKind::Tcp4 { ecn },
                    Ip::V6(_) => SegmentKind::Tcp6 { ecn },
                };
                (kind, tcp.header_len(), TcpHeader::CHECKSUM)
            }
            Protocol::UDP => {
                UdpHeader::of(segment)?;
                (SegmentKind::Udp, UdpHeader::LEN, UdpHeader::CHECKSUM)
            }
            _ => return None,
        };
        let field = segment.get(usize::from(offset)..)?.first_chunk::<2>()?;
        let length = u16::try_from(segment.len()).ok()?;
        let pseudo = checksum::add(u16::from(ip.protocol().0), length);
        let pseudo = checksum::sum(ip.addresses(), pseudo);
        let start = u16::try_from(at + ip.header_len()).ok()?;
        (u16::from_be_bytes(*field) == pseudo).then_some(Self {
            kind,
            span: Span { start, offset },
            ip_len,
            headers: ip.header_len() + header,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use crate::segment::{complete_checksum, segment};
    use proptest::prelude::*;

    /// Ethernet, perhaps a tag, IP, TCP or UDP, with the checksum that `finish` makes of the
    /// pseudo-header's sum.
    fn frame(tags: usize, v6: bool, tcp: bool, payload: usize) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        for _ in 0..tags {
            bytes.extend([0x81, 0x00, 0x00, 0x0a]);
        }
        let transport = if tcp { 20 } else { 8 } + payload;
        let protocol = if tcp { 6 } else { 17 };
        let addresses: Vec<u8> = (0..if v6 { 32 } else { 8 }).map(|at| at * 7 + 1).collect();
        let length = u16::try_from(transport).unwrap().to_be_bytes();
        if v6 {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, length[0], length[1], protocol, 64]);
        } else {
            let [high, low] = u16::try_from(20 + transport).unwrap().to_be_bytes();
            bytes.extend([8, 0, 0x45, 0, high, low, 0, 1, 0x40, 0, 64, protocol, 0, 0]);
        }
        bytes.extend(&addresses);
        let start = bytes.len();
        bytes.extend((0..transport).map(|at| (at * 31 + at / 256).to_le_bytes()[0]));
        if tcp {
            bytes[start + 12..start + 14].copy_from_slice(&[0x50, 0x10]);
        } else {
            bytes[start + 4..start + 6].copy_from_slice(&length);
        }
        let sum = checksum::sum(&addresses, u16::from(protocol));
        let sum = checksum::sum(&length, sum).to_be_bytes();
        let field = start + if tcp { 16 } else { 6 };
        bytes[field..field + 2].copy_from_slice(&sum);
        bytes
    }

    fn each(check: impl Fn(usize, bool, bool)) {
        for tags in 0..=2 {
            for (v6, tcp) in [(false, false), (false, true), (true, false), (true, true)] {
                check(tags, v6, tcp);
            }
        }
    }

    #[test]
    fn a_partial_checksum_is_completed_to_the_right_one() {
        each(|tags, v6, tcp| {
            let bytes = frame(tags, v6, tcp, 101);
            let mut partial = Frame::copied_from(&bytes);
            detect(&mut partial, 1450);
            let Offload::Checksum(span) = partial.offload() else { panic!("{tags} {v6} {tcp}") };
            assert_eq!(partial.bytes(), bytes, "no byte changes");
            complete_checksum(&mut partial);
            let pseudo = u16::from_be_bytes([bytes[span.field()], bytes[span.field() + 1]]);
            let start = usize::from(span.start);
            assert_eq!(checksum::sum(&partial.bytes()[start..], pseudo), 0xffff);
            // And is left alone from then on.
            detect(&mut partial, 1450);
            assert_eq!(partial.offload(), Offload::Complete);
        });
    }

    #[test]
    fn a_tcp_super_frame_is_cut_to_what_the_tunnel_carries() {
        each(|tags, v6, tcp| {
            let mut whole = Frame::copied_from(&frame(tags, v6, tcp, 9000));
            detect(&mut whole, 1450);
            if !tcp {
                assert!(matches!(whole.offload(), Offload::Checksum(_)), "a datagram is not cut");
                return;
            }
            let mut sizes = Vec::new();
            let cut = segment(whole, &mut Pool::new(8), &mut |piece| sizes.push(piece.len()));
            cut.unwrap();
            assert_eq!(sizes.iter().max(), Some(&(14 + 4 * tags + 1450)));
        });
    }

    #[test]
    fn a_train_is_told_from_a_super_frame_by_where_the_first_packet_ends() {
        const PREFIX: usize = 8;
        each(|tags, v6, tcp| {
            let inside = frame(tags, v6, tcp, 3000);
            let bytes = [&[9; PREFIX][..], &inside].concat();
            let mut whole = Frame::copied_from(&bytes);
            assert_eq!(detect_train(&mut whole, 1000, PREFIX), !tcp);
            if !tcp {
                assert!(whole.strip(PREFIX));
                let mut count = 0;
                segment(whole, &mut Pool::new(4), &mut |_| count += 1).unwrap();
                assert_eq!(count, 3);
            }
            let mut train = Frame::copied_from(&[&bytes[..], &bytes].concat());
            assert!(!detect_train(&mut train, bytes.len(), PREFIX));
            assert_eq!(train.offload(), Offload::Complete);
        });
    }

    #[test]
    fn fragments_and_packets_cut_off_owe_nothing() {
        let bytes = frame(0, false, false, 100);
        for end in 0..bytes.len() {
            let mut cut = Frame::copied_from(&bytes[..end]);
            detect(&mut cut, 1450);
            assert_eq!(cut.offload(), Offload::Complete);
        }
        for flags in [[0x20, 0], [0, 1]] {
            let mut fragment = bytes.clone();
            fragment[20..22].copy_from_slice(&flags);
            let mut fragment = Frame::copied_from(&fragment);
            detect(&mut fragment, 1450);
            assert_eq!(fragment.offload(), Offload::Complete);
        }
    }

    /// The payload's first word is such that the complete checksum is the pseudo-header's sum.
    #[test]
    fn a_right_checksum_that_looks_partial_stays_right() {
        each(|tags, v6, tcp| {
            let mut bytes = frame(tags, v6, tcp, 100);
            let mut partial = Frame::copied_from(&bytes);
            detect(&mut partial, 1450);
            let span = partial.offload().span().unwrap();
            let (start, field) = (usize::from(span.start), span.field());
            let pseudo = u16::from_be_bytes([bytes[field], bytes[field + 1]]);
            let word = start + 40;
            bytes[word..word + 2].fill(0);
            let rest = checksum::sum(&bytes[start..], 0);
            bytes[word..word + 2].copy_from_slice(&checksum::add(!pseudo, !rest).to_be_bytes());
            assert_eq!(checksum::sum(&bytes[start..], pseudo), 0xffff, "it is right");
            let mut complete = Frame::copied_from(&bytes);
            detect(&mut complete, 1450);
            assert_eq!(complete.offload(), Offload::Checksum(span));
            complete_checksum(&mut complete);
            assert_eq!(complete.bytes(), bytes);
        });
    }

    proptest! {
        #[test]
        fn what_is_noted_lies_inside_the_frame(
            noise in prop::collection::vec(any::<u8>(), 0..200), at in 12usize..80, prefix in 0usize..80, size: u16,
        ) {
            for head in [vec![], frame(0, false, true, 40), frame(1, true, false, 40)] {
                let bytes = [&head[..at.min(head.len())], &noise].concat();
                let (mut single, mut train) = (Frame::copied_from(&bytes), Frame::copied_from(&bytes));
                detect(&mut single, size);
                detect_train(&mut train, usize::from(size), prefix);
                for span in [single, train].iter().filter_map(|frame| frame.offload().span()) {
                    prop_assert!(span.field() + 2 <= bytes.len());
                }
            }
        }
    }
}
