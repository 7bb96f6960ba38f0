//! The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then packets behind 16 bytes
//! each.

use std::io::{self, ErrorKind, Read};

use super::Packet;
use super::bytes::{Order, array, array_unless_end, packet, skip};
use super::error::Fault;

/// What the header says of the packets.
#[derive(Debug)]
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in a unit of a time's fraction.
    unit: u64,
    /// Bytes between a packet's header and the packet: Kuznetsov's "modified" format has interface
    /// and protocol there.
    modified: u64,
    /// Files older than 2.3 have a packet's two lengths the other way around; those of 2.3 either
    /// way.
    minor: u16,
    /// Bytes of FCS at the end of each packet.
    fcs: u32,
}

impl Pcap {
    /// Reads the header.
    pub(super) fn open(from: &mut dyn Read) -> Result<Self, Fault> {
        let magic: [u8; 4] = array(from)?;
        let orders =
            [(u32::from_le_bytes(magic), Order::Little), (u32::from_be_bytes(magic), Order::Big)];
        let kind = orders.into_iter().find_map(|(magic, order)| match magic {
            MICROSECONDS => Some((order, 1000, 0)),
            NANOSECONDS => Some((order, 1, 0)),
            MODIFIED => Some((order, 1000, 8)),
            _ => None,
        });
        let Some((order, unit, modified)) = kind else {
            return Err(io::Error::from(ErrorKind::InvalidData).into());
        };
        let [major, minor] = [order.u16(array(from)?), order.u16(array(from)?)];
        if major != VERSION {
            return Err(format!(
                "it is pcap of version {major}.{minor}, and only version {VERSION} is known"
            )
            .into());
        }
        let [_zone, _accuracy, _snap_length, network] = order.words(from)?;
        let (link_type, fcs) = (network & LINK_TYPE, network >> 28);
        if link_type != ETHERNET {
            return Err(Fault::LinkType(link_type));
        }
        let fcs = if network & HAS_FCS == 0 { 0 } else { fcs * 2 };
        Ok(Self { order, unit, modified, minor, fcs })
    }

    /// The next packet; none at the end.
    pub(super) fn next(&mut self, from: &mut dyn Read) -> Result<Option<Packet>, Fault> {
        let Some(seconds) = array_unless_end(from)? else { return Ok(None) };
        let seconds = self.order.u32(seconds);
        let [fraction, mut captured, mut length] = self.order.words(from)?;
        if self.minor < SWAPPED || self.minor == SWAPPED && captured > length {
            (captured, length) = (length, captured);
        }
        skip(from, self.modified)?;
        let bytes = packet(from, captured)?;
        // Both factors are of 32 bits, so this cannot overflow.
        let at = u64::from(seconds) * NANOS + u64::from(fraction) * self.unit;
        Ok(Some(Packet { at: Some(at), bytes, captured, length, fcs: self.fcs }))
    }
}

/// Magic numbers, as a reader of the writer's own byte order sees them.
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;
const VERSION: u16 = 2;
/// The minor version whose lengths may be either way around.
const SWAPPED: u16 = 3;
/// The link type in the last field of the header. The bits above are the FCS's length in 16-bit
/// words (4 bits), one reserved bit, and whether that length is said at all.
const LINK_TYPE: u32 = 0x03ff_ffff;
const HAS_FCS: u32 = 0x0400_0000;
/// LINKTYPE_ETHERNET.
pub(super) const ETHERNET: u32 = 1;
pub(super) const NANOS: u64 = 1_000_000_000;
