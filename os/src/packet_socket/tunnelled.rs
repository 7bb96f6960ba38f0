//! Super-frames of a tunnel, which no virtio header can describe and a veth hands over all the same.
//!
//! A guest that runs a tunnel of its own (VXLAN, GRE) over a veth leaves the inner segment whole, because a veth takes
//! such frames. The header then tells the inner span and kind, as if the frame were a plain TCP segment. Whoever
//! believed it would cut the outer headers wrongly, and so does a kernel that is given the frame back.

use packet::{Offload, SegmentKind};

/// Whether a super-frame's span lies elsewhere than in the transport header right behind its network header.
pub(super) fn is_tunnelled(offload: Offload, frame: &[u8]) -> bool {
    let Offload::Segment { kind, span, .. } = offload else {
        return false;
    };
    !transport_starts(frame, kind, usize::from(span.start)).unwrap_or(false)
}

/// Whether the outermost transport header is of `kind` and starts at `start`; `None` when the headers are cut off or
/// are neither IPv4 nor IPv6.
fn transport_starts(frame: &[u8], kind: SegmentKind, start: usize) -> Option<bool> {
    let wanted = match kind {
        SegmentKind::Tcp4 { .. } | SegmentKind::Tcp6 { .. } => TCP,
        SegmentKind::Udp => UDP,
    };
    let mut network = 14;
    for _ in 0..=MAX_TAGS {
        let ethertype = frame.get(network - 2..network)?.first_chunk().copied()?;
        let header = frame.get(network..)?;
        match u16::from_be_bytes(ethertype) {
            SERVICE_TAG | CUSTOMER_TAG => network += 4,
            IPV4 => {
                let len = usize::from(header.first()? & 0x0f) * 4;
                return Some(*header.get(9)? == wanted && start == network + len);
            }
            IPV6 => {
                let next = *header.get(6)?;
                let behind = network + IPV6_HEADER;
                // Behind extension headers, a tunnel is not told from the rest; such super-frames are rare.
                let extended = EXTENSIONS.contains(&next) && start > behind;
                return Some(extended || next == wanted && start == behind);
            }
            _ => return None,
        }
    }
    None
}

/// 802.1ad and 802.1Q tags that may stand in the bytes.
const MAX_TAGS: usize = 2;
const SERVICE_TAG: u16 = 0x88a8;
const CUSTOMER_TAG: u16 = 0x8100;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const IPV6_HEADER: usize = 40;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Hop-by-hop options, routing and destination options (RFC 8200 section 4.1).
const EXTENSIONS: [u8; 3] = [0, 43, 60];

#[cfg(test)]
mod tests {
    use super::*;
    use core::num::NonZeroU16;
    use packet::Span;

    fn segment(kind: SegmentKind, start: u16) -> Offload {
        Offload::Segment { kind, size: NonZeroU16::MIN, span: Span { start, offset: 16 } }
    }

    /// Ethernet with `tags`, then an IPv4 or IPv6 header in front of `protocol`.
    fn frame(tags: &[u16], version: u8, protocol: u8) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        for tag in tags {
            bytes.extend(tag.to_be_bytes());
            bytes.extend([0, 1]);
        }
        let mut header = vec![0; if version == 4 { 20 } else { 40 }];
        header[0] = if version == 4 { 0x45 } else { 0x60 };
        header[if version == 4 { 9 } else { 6 }] = protocol;
        bytes.extend(if version == 4 { IPV4 } else { IPV6 }.to_be_bytes());
        bytes.extend(header);
        bytes.resize(bytes.len() + 100, 0);
        bytes
    }

    const TCP4: SegmentKind = SegmentKind::Tcp4 { ecn: false };
    const TCP6: SegmentKind = SegmentKind::Tcp6 { ecn: true };

    #[test]
    fn a_span_right_behind_the_outer_network_header_is_plain() {
        for (bytes, kind, start) in [
            (frame(&[], 4, 6), TCP4, 34),
            (frame(&[], 4, 17), SegmentKind::Udp, 34),
            (frame(&[0x88a8, 0x8100], 4, 6), TCP4, 42),
            (frame(&[], 6, 6), TCP6, 54),
            (frame(&[0x8100], 6, 17), SegmentKind::Udp, 58),
            (frame(&[], 6, 43), TCP6, 78),
        ] {
            assert!(!is_tunnelled(segment(kind, start), &bytes), "{bytes:?}");
        }
    }

    #[test]
    fn a_span_of_an_inner_segment_is_tunnelled() {
        for (bytes, kind, start) in [
            (frame(&[], 4, 17), TCP4, 84),
            (frame(&[], 4, 47), TCP4, 82),
            (frame(&[], 6, 17), TCP6, 124),
            (frame(&[], 4, 6), TCP4, 84),
            (frame(&[0x8100; 3], 4, 6), TCP4, 46),
            (vec![0; 60], TCP4, 34),
            (frame(&[], 4, 6)[..20].to_vec(), TCP4, 34),
            (vec![0; 13], TCP4, 34),
        ] {
            assert!(is_tunnelled(segment(kind, start), &bytes), "{bytes:?}");
        }
        assert!(!is_tunnelled(Offload::Complete, &[]));
        let span = Span { start: 84, offset: 16 };
        assert!(!is_tunnelled(Offload::Checksum(span), &frame(&[], 4, 17)));
    }
}
