//! The virtio-net header between us and a kernel's TAP or packet socket (virtio 1.2 section 5.1.6,
//! legacy host byte order).
//!
//! What comes from the kernel describes bytes that a guest chose: [`parse`] believes nothing that
//! it has not compared with the frame.

use core::num::NonZeroU16;

use crate::ethernet::HEADER_LEN as ETHERNET;
use crate::frame::Frame;
use crate::offload::{Offload, SegmentKind, Span};
use crate::transport::{TcpHeader, UdpHeader};

/// Length of the header without `num_buffers`, of which neither a TAP nor a packet socket says
/// anything: what either has unless it is told otherwise.
pub const HEADER_LEN: usize = 10;

const FLAG_NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_UDP: u8 = 3;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// What the header says is left to do to `frame`; `None` when it contradicts the frame or itself.
///
/// A header without NEEDS_CSUM on a frame to be segmented is refused: every segment would get a
/// wrong checksum.
pub fn parse(header: &[u8; HEADER_LEN], frame: &[u8]) -> Option<Offload> {
    let [flags, gso, _, _, s0, s1, c0, c1, o0, o1] = *header;
    if flags & FLAG_NEEDS_CSUM == 0 {
        return (gso & !GSO_ECN == GSO_NONE).then_some(Offload::Complete);
    }
    let span = Span { start: u16::from_ne_bytes([c0, c1]), offset: u16::from_ne_bytes([o0, o1]) };
    if usize::from(span.start) < ETHERNET || frame.len() < span.field() + 2 {
        return None;
    }
    let ecn = gso & GSO_ECN != 0;
    let kind = match gso & !GSO_ECN {
        GSO_NONE => return Some(Offload::Checksum(span)),
        GSO_TCPV4 => SegmentKind::Tcp4 { ecn },
        GSO_TCPV6 => SegmentKind::Tcp6 { ecn },
        GSO_UDP_L4 => SegmentKind::Udp,
        _ => return None,
    };
    let size = NonZeroU16::new(u16::from_ne_bytes([s0, s1]))?;
    let expected = if kind == SegmentKind::Udp { 6 } else { 16 };
    let header_end = usize::from(span.start) + transport_header_len(kind, span, frame)?;
    (span.offset == expected && frame.len() >= header_end).then_some(Offload::Segment {
        kind,
        size,
        span,
    })
}

/// The header that tells a kernel what is left to do to `frame`. A datagram in place of its
/// fragments is only given to a kernel, and never taken from one.
pub fn emit(frame: &Frame) -> [u8; HEADER_LEN] {
    let Some(span) = frame.offload().span() else {
        return [0; HEADER_LEN];
    };
    let [c0, c1] = span.start.to_ne_bytes();
    let [o0, o1] = span.offset.to_ne_bytes();
    let (gso, size, header_len) = match frame.offload() {
        Offload::Segment { kind, size, span } => {
            let transport = transport_header_len(kind, span, frame.bytes()).unwrap_or(0);
            let gso = match kind {
                SegmentKind::Tcp4 { ecn } => GSO_TCPV4 | if ecn { GSO_ECN } else { 0 },
                SegmentKind::Tcp6 { ecn } => GSO_TCPV6 | if ecn { GSO_ECN } else { 0 },
                SegmentKind::Udp => GSO_UDP_L4,
                SegmentKind::Fragments => GSO_UDP,
            };
            (gso, size.get(), span.start.saturating_add(transport as u16))
        }
        Offload::Complete | Offload::Checksum(_) => (GSO_NONE, 0, 0),
    };
    let [h0, h1] = header_len.to_ne_bytes();
    let [s0, s1] = size.to_ne_bytes();
    [FLAG_NEEDS_CSUM, gso, h0, h1, s0, s1, c0, c1, o0, o1]
}

/// Length of the TCP or UDP header at `span.start`; `None` when it is cut off or impossible.
pub(crate) fn transport_header_len(kind: SegmentKind, span: Span, frame: &[u8]) -> Option<usize> {
    match kind {
        SegmentKind::Udp | SegmentKind::Fragments => Some(UdpHeader::LEN),
        SegmentKind::Tcp4 { .. } | SegmentKind::Tcp6 { .. } => {
            TcpHeader::of(frame.get(usize::from(span.start)..)?).map(TcpHeader::header_len)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tcp_frame() -> Frame {
        let mut frame = Frame::copied_from(&[0; 14 + 20 + 20 + 3000]);
        frame.bytes_mut()[14 + 20 + 12] = 0x50;
        frame
    }

    #[test]
    fn every_offload_survives_the_way_through_a_header() {
        let span = Span { start: 34, offset: 16 };
        let size = NonZeroU16::new(1448).unwrap();
        for offload in [
            Offload::Complete,
            Offload::Checksum(span),
            Offload::Segment { kind: SegmentKind::Tcp4 { ecn: false }, size, span },
            Offload::Segment { kind: SegmentKind::Tcp6 { ecn: true }, size, span },
            Offload::Segment { kind: SegmentKind::Udp, size, span: Span { start: 34, offset: 6 } },
        ] {
            let mut frame = tcp_frame();
            frame.set_offload(offload);
            assert_eq!(parse(&emit(&frame), frame.bytes()), Some(offload));
        }
    }

    proptest! {
        #[test]
        fn no_header_yields_a_span_beyond_its_frame(
            header: [u8; HEADER_LEN], frame in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            if let Some(span) = parse(&header, &frame).and_then(Offload::span) {
                prop_assert!(span.field() + 2 <= frame.len());
            }
        }
    }

    #[test]
    fn segments_without_checksum_and_unknown_kinds_are_refused() {
        let frame = tcp_frame();
        let mut header = [0; HEADER_LEN];
        header[1] = GSO_TCPV4;
        assert_eq!(parse(&header, frame.bytes()), None);
        header[0] = FLAG_NEEDS_CSUM;
        header[1] = 3; // UFO, never negotiated.
        header[6..8].copy_from_slice(&34u16.to_ne_bytes());
        header[8..10].copy_from_slice(&16u16.to_ne_bytes());
        header[4..6].copy_from_slice(&100u16.to_ne_bytes());
        assert_eq!(parse(&header, frame.bytes()), None);
        header[1] = GSO_TCPV4;
        assert!(parse(&header, frame.bytes()).is_some());
        header[4..6].copy_from_slice(&[0, 0]);
        assert_eq!(parse(&header, frame.bytes()), None, "size 0");
    }
}
