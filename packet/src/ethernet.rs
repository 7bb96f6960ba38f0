//! Step 1 of a packet's life: is it a frame, and with which tag?

use core::fmt;

use crate::drop::DropReason;
use crate::frame::{Dropped, Frame};
use crate::mac::Mac;
use crate::vlan::Tag;

/// Length of an Ethernet header without tags.
pub const HEADER_LEN: usize = 14;
/// 802.1ad and 802.1Q tags that [`network_header`] looks behind, besides the one beside the bytes.
const MAX_TAGS: usize = 2;
/// Bytes of the shortest IP header: IPv4's without options (RFC 791 section 3.1).
const LEAST_IP_HEADER: usize = 20;

/// The two bytes after the addresses: a protocol, or a length up to 1500 (802.3).
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// ARP.
    pub const ARP: Self = Self(0x0806);
    /// IPv6, which is bridged and not routed.
    pub const IPV6: Self = Self(0x86dd);
    /// An 802.1Q customer tag.
    pub const VLAN: Self = Self(0x8100);
    /// An 802.1ad service tag: opaque to a bridge whose VLANs are customer VLANs.
    pub const SERVICE_VLAN: Self = Self(0x88a8);

    /// Whether four bytes of tag and another EtherType follow: 802.1Q's and 802.1ad's, and those
    /// that stacked tags had ahead of 802.1ad.
    #[inline]
    pub const fn is_tag(self) -> bool {
        matches!(self, Self::VLAN | Self::SERVICE_VLAN | Self(0x9100 | 0x9200 | 0x9300))
    }
}

impl fmt::Debug for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// An Ethernet header without tags: addresses, and the two bytes behind them.
#[derive(Copy, Clone, Debug)]
pub struct EthernetHeader<'a>(&'a [u8; HEADER_LEN]);

impl<'a> EthernetHeader<'a> {
    /// The header at the start of a frame of `bytes`; `None` when it is cut off.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.first_chunk().map(Self)
    }

    /// Destination address.
    #[inline]
    pub const fn destination(self) -> Mac {
        let [a, b, c, d, e, f, ..] = *self.0;
        Mac([a, b, c, d, e, f])
    }

    /// Source address.
    #[inline]
    pub const fn source(self) -> Mac {
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = *self.0;
        Mac([a, b, c, d, e, f])
    }

    /// What follows: a protocol, or a tag.
    #[inline]
    pub const fn ethertype(self) -> EtherType {
        let [.., high, low] = *self.0;
        EtherType(u16::from_be_bytes([high, low]))
    }
}

/// A frame of at least 14 bytes whose outermost 802.1Q tag stands beside them.
#[derive(Debug)]
pub struct Ethernet {
    frame: Frame,
}

impl Ethernet {
    /// Takes the tag out.
    ///
    /// # Errors
    /// [`DropReason::Runt`] under 14 bytes, [`DropReason::PartialTag`] when a tag is cut off,
    /// [`DropReason::BadOffload`] when the frame's partial checksum would be written where a
    /// transport header cannot be: over addresses that the switch has looked at by then.
    #[inline]
    pub fn parse(mut frame: Frame) -> Result<Self, Dropped> {
        if frame.len() < HEADER_LEN {
            return Err(frame.refuse(DropReason::Runt));
        }
        if !frame.pop_tag() {
            return Err(frame.refuse(DropReason::PartialTag));
        }
        let ethernet = Self { frame };
        if ethernet.offload_fits() {
            Ok(ethernet)
        } else {
            Err(ethernet.refuse(DropReason::BadOffload))
        }
    }

    /// Whether the partial checksum, if there is one, lies behind an IP header. [`crate::Ipv4`]
    /// asks for more.
    fn offload_fits(&self) -> bool {
        let Some(span) = self.frame.offload().span() else {
            return true;
        };
        usize::from(span.start) >= HEADER_LEN + LEAST_IP_HEADER
            && self.ethertype() != EtherType::ARP
    }

    /// Takes an 802.1ad tag out, where the bridge's VLANs are service VLANs. An 802.1Q tag that is
    /// out stays.
    ///
    /// # Errors
    /// [`DropReason::PartialTag`] when it is cut off.
    pub fn without_service_tag(mut self) -> Result<Self, Dropped> {
        match self.frame.pop_service_tag() {
            true => Ok(self),
            false => Err(self.refuse(DropReason::PartialTag)),
        }
    }

    /// Puts the tag that is out, a customer's, back into the bytes, and `tag` beside them in its
    /// place.
    ///
    /// # Errors
    /// [`DropReason::PartialTag`] when there is no room for it.
    pub fn stacked(mut self, tag: Tag) -> Result<Self, Dropped> {
        if !self.frame.push_tag() {
            return Err(self.refuse(DropReason::PartialTag));
        }
        self.frame.set_tag(Some(tag));
        Ok(self)
    }

    /// Makes a frame's first 14 bytes a header with these fields; the frame must be at least that
    /// long already.
    #[inline]
    pub fn emit(frame: &mut Frame, destination: Mac, source: Mac, ethertype: EtherType) {
        let [high, low] = ethertype.0.to_be_bytes();
        if let Some(header) = frame.bytes_mut().first_chunk_mut::<HEADER_LEN>() {
            header[..6].copy_from_slice(&destination.0);
            header[6..12].copy_from_slice(&source.0);
            header[12..].copy_from_slice(&[high, low]);
        }
    }

    /// Whom it is for.
    #[inline]
    pub fn destination(&self) -> Mac {
        self.header().destination()
    }

    /// Who sent it.
    #[inline]
    pub fn source(&self) -> Mac {
        self.header().source()
    }

    /// What it carries.
    #[inline]
    pub fn ethertype(&self) -> EtherType {
        self.header().ethertype()
    }

    /// The tag it came with.
    #[inline]
    pub fn tag(&self) -> Option<Tag> {
        self.frame.tag()
    }

    /// Everything behind the header, padding included.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.frame.bytes().get(HEADER_LEN..).unwrap_or(&[])
    }

    /// The frame inside.
    #[inline]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The frame inside, given back.
    #[inline]
    pub fn into_frame(self) -> Frame {
        self.frame
    }

    /// Ends this frame's life.
    #[inline]
    pub fn refuse(self, reason: DropReason) -> Dropped {
        self.frame.refuse(reason)
    }

    #[inline]
    fn header(&self) -> EthernetHeader<'_> {
        // `parse` has seen 14 bytes and nothing shortens the frame since; the zeros are never read.
        EthernetHeader(self.frame.bytes().first_chunk().unwrap_or(&[0; HEADER_LEN]))
    }
}

/// Where the network header starts in a frame of `bytes`, and which it is, behind up to two tags
/// that are still in them. `None` when that is cut off, or behind more tags. It may start at the
/// frame's end.
#[inline]
pub fn network_header(bytes: &[u8]) -> Option<(usize, EtherType)> {
    (0..=MAX_TAGS).find_map(|tags| {
        let at = HEADER_LEN + 4 * tags;
        let ethertype = bytes.get(at - 2..at)?.first_chunk::<2>()?;
        let ethertype = EtherType(u16::from_be_bytes(*ethertype));
        (!ethertype.is_tag()).then_some((at, ethertype))
    })
}

/// The tag that a frame of `bytes` begins with, of 802.1Q or 802.1ad.
#[inline]
pub fn first_tag(bytes: &[u8]) -> Option<Tag> {
    let [t0, t1, high, low] = *bytes.get(HEADER_LEN - 2..)?.first_chunk()?;
    let tag = Tag::from_bits(u16::from_be_bytes([high, low]));
    match EtherType(u16::from_be_bytes([t0, t1])) {
        EtherType::VLAN => Some(tag),
        EtherType::SERVICE_VLAN => Some(tag.service()),
        _ => None,
    }
}

/// Bytes of all the tags that are still in a frame of `bytes`, however many. A tag counts when it
/// is whole.
#[inline]
pub fn tags_len(bytes: &[u8]) -> usize {
    if is_tag_at(bytes, 0) { 4 + further_tags_len(bytes) } else { 0 }
}

#[cold]
fn further_tags_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    while is_tag_at(bytes, 4 + len) {
        len += 4;
    }
    len
}

/// Whether a whole tag lies so far behind the addresses.
#[inline]
fn is_tag_at(bytes: &[u8], at: usize) -> bool {
    let tag = bytes.get(HEADER_LEN - 2 + at..).and_then(|bytes| bytes.first_chunk::<4>());
    tag.is_some_and(|[t0, t1, ..]| EtherType(u16::from_be_bytes([*t0, *t1])).is_tag())
}
