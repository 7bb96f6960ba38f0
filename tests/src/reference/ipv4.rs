//! An IPv4 packet as the router reads it: whether its header is right, and what is behind it.

use packet::{DropReason, Frame, Offload, SegmentKind};

use crate::wire::inside::owed_inside;
use crate::wire::{Packet, sum};

/// What a transport header says that matters to a router with NAT.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    Tcp {
        flags: u8,
    },
    Udp,
    /// An ICMP query or its reply.
    Query {
        reply: bool,
        kind: u8,
    },
    /// An ICMP error.
    Error,
    OtherIcmp,
    Other,
    LaterFragment,
    /// Cut off, or impossible.
    Malformed,
}

impl Transport {
    /// Whether it is a SYN, of those that begin a connection.
    pub(crate) const fn opens(self) -> bool {
        matches!(self, Self::Tcp { flags } if flags & 0x17 == 0x02)
    }

    pub(crate) fn of(packet: &Packet) -> Self {
        let payload = &packet.payload;
        match packet.protocol {
            _ if packet.offset != 0 => Self::LaterFragment,
            1 if payload.len() < 8 => Self::Malformed,
            1 => match payload[0] {
                kind @ (8 | 13 | 15 | 17) => Self::Query { reply: false, kind },
                kind @ (0 | 14 | 16 | 18) => Self::Query { reply: true, kind },
                3 | 4 | 5 | 11 | 12 => Self::Error,
                _ => Self::OtherIcmp,
            },
            6 => match payload.get(12).map(|byte| usize::from(byte >> 4) * 4) {
                Some(len) if len >= 20 && len <= payload.len() => Self::Tcp { flags: payload[13] },
                _ => Self::Malformed,
            },
            17 if payload.len() < 8 => Self::Malformed,
            17 => Self::Udp,
            _ => Self::Other,
        }
    }
}

/// The packet in a frame, or the first of its header's faults.
pub(super) fn read(frame: &Frame) -> Result<Packet, DropReason> {
    let bytes = &frame.bytes()[14..];
    let header = bytes.first_chunk::<20>().ok_or(DropReason::TruncatedIpv4)?;
    let header_len = usize::from(header[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let faults = [
        (header[0] >> 4 != 4, DropReason::BadVersion),
        (header_len < 20 || header_len > bytes.len(), DropReason::BadHeaderLength),
        (total < header_len || total > bytes.len(), DropReason::BadTotalLength),
    ];
    if let Some((_, reason)) = faults.into_iter().find(|(is_fault, _)| *is_fault) {
        return Err(reason);
    }
    if sum(&bytes[..header_len]) != 0xffff {
        return Err(DropReason::BadHeaderChecksum);
    }
    let packet = Packet::parse_quote(bytes).expect("a whole header");
    let to_the_inside = !packet.is_fragment() && owed_inside(frame).is_some();
    if to_the_inside || duty_fits(frame.offload(), &packet, header_len, total) {
        Ok(packet)
    } else {
        Err(DropReason::BadOffload)
    }
}

/// Whether a partial checksum lies in the packet's own TCP or UDP header.
fn duty_fits(duty: Offload, packet: &Packet, header_len: usize, total: usize) -> bool {
    let Some(span) = duty.span() else { return true };
    let kind = match duty {
        Offload::Segment { kind: SegmentKind::Tcp4 { .. }, .. } => Some(6),
        Offload::Segment { kind: SegmentKind::Udp | SegmentKind::Fragments, .. } => Some(17),
        Offload::Segment { .. } => return false,
        Offload::Checksum(_) | Offload::Complete => None,
    };
    let offset = match packet.protocol {
        6 => 16,
        17 => 6,
        _ => return false,
    };
    kind.is_none_or(|kind| kind == packet.protocol)
        && !packet.is_fragment()
        && usize::from(span.start) == 14 + header_len
        && span.offset == offset
        && header_len + usize::from(offset) + 2 <= total
}

/// Why no router forwards or takes a packet, if so (RFC 1812 section 5.3).
pub(super) fn refusal(packet: &Packet, to_group: bool) -> Option<DropReason> {
    let (source, destination) = (packet.source.octets()[0], packet.destination);
    let faults = [
        (matches!(source, 0 | 127 | 224..), DropReason::MartianSource),
        (destination.is_multicast(), DropReason::Multicast),
        (destination.is_broadcast() || to_group, DropReason::BroadcastFrame),
        (matches!(destination.octets()[0], 0 | 127 | 240..), DropReason::MartianDestination),
        (is_source_routed(&packet.options), DropReason::SourceRoute),
    ];
    faults.into_iter().find(|(is_fault, _)| *is_fault).map(|(_, reason)| reason)
}

fn is_source_routed(options: &[u8]) -> bool {
    let mut at = 0;
    while let Some(kind) = options.get(at) {
        match kind {
            0 => return false,
            1 => at += 1,
            131 | 137 => return true,
            _ => match options.get(at + 1) {
                Some(len) if *len >= 2 => at += usize::from(*len),
                _ => return false,
            },
        }
    }
    false
}
