//! An IPv4 packet in its frame, header checked (RFC 791, RFC 1812 section 5.2.2).

use core::net::Ipv4Addr;

use crate::checksum;
use crate::drop::DropReason;
use crate::ethernet::{Ethernet, HEADER_LEN as ETHERNET};
use crate::frame::{Dropped, Frame};
use crate::ip::{Protocol, V4};
use crate::offload::{Offload, SegmentKind};
use crate::segment::{self, InnerOffload};
use crate::transport::{Transport, UdpHeader};

/// An IPv4 packet whose header is whole, of version 4, with a right checksum, and whose frame ends
/// with it.
#[derive(Debug)]
pub struct Ipv4 {
    frame: Frame,
    header_len: u8,
}

impl Ipv4 {
    /// Checks the header and cuts Ethernet padding off behind the total length.
    ///
    /// # Errors
    /// One [`DropReason`] for each field that is wrong; [`DropReason::BadOffload`] when the frame's
    /// partial checksum lies neither in this packet's transport header nor in that of a packet
    /// which this one carries in a tunnel.
    #[inline]
    pub fn parse(ethernet: Ethernet) -> Result<Self, Dropped> {
        Self::in_frame(ethernet.into_frame())
    }

    /// [`Ipv4::parse`] for a frame whose Ethernet header was written here.
    ///
    /// # Errors
    /// As [`Ipv4::parse`].
    #[inline]
    pub fn in_frame(mut frame: Frame) -> Result<Self, Dropped> {
        let bytes = frame.bytes().get(ETHERNET..).unwrap_or(&[]);
        let (header_len, total) = match V4::parse(bytes) {
            Ok(ip) if ip.total_len() < ip.header_len() || ip.total_len() > bytes.len() => {
                return Err(frame.refuse(DropReason::BadTotalLength));
            }
            Ok(ip) if !ip.checksum_holds() => {
                return Err(frame.refuse(DropReason::BadHeaderChecksum));
            }
            Ok(ip) => (ip.header_len() as u8, ip.total_len()),
            Err(reason) => return Err(frame.refuse(reason)),
        };
        frame.truncate(ETHERNET + total);
        let mut packet = Self { frame, header_len };
        if packet.offload_fits() || packet.completes_inner() {
            Ok(packet)
        } else {
            Err(packet.refuse(DropReason::BadOffload))
        }
    }

    /// Whether what is owed is owed to a packet in a tunnel, whose headers are all there. A partial
    /// checksum in there is completed: nobody behind here has to know of it, and whatever sums this
    /// packet sums what will arrive. A super-frame stays one.
    #[cold]
    fn completes_inner(&mut self) -> bool {
        !self.is_fragment()
            && match segment::inner_offload(&self.frame) {
                Some(InnerOffload::Checksum) => {
                    segment::complete_checksum(&mut self.frame);
                    true
                }
                Some(InnerOffload::Segments) => true,
                None => false,
            }
    }

    /// Whether the partial checksum, if there is one, is that of this packet's own TCP or UDP
    /// header.
    #[inline]
    fn offload_fits(&self) -> bool {
        let Some(span) = self.frame.offload().span() else {
            return true;
        };
        let offset = match self.protocol() {
            Protocol::TCP => 16,
            Protocol::UDP => 6,
            _ => return false,
        };
        let kind_fits = match self.frame.offload() {
            Offload::Segment { kind: SegmentKind::Tcp4 { .. }, .. } => offset == 16,
            Offload::Segment { kind: SegmentKind::Tcp6 { .. }, .. } => false,
            Offload::Segment { kind: SegmentKind::Udp | SegmentKind::Fragments, .. } => offset == 6,
            Offload::Checksum(_) | Offload::Complete => true,
        };
        kind_fits
            && !self.is_fragment()
            && usize::from(span.start) == self.transport_offset()
            && span.offset == offset
            && span.field() + 2 <= self.frame.len()
    }

    /// Its header.
    #[inline]
    pub fn ip(&self) -> V4<'_> {
        V4::parsed(self.bytes())
    }

    /// Source address.
    #[inline]
    pub fn source(&self) -> Ipv4Addr {
        self.ip().source()
    }

    /// Destination address.
    #[inline]
    pub fn destination(&self) -> Ipv4Addr {
        self.ip().destination()
    }

    /// What it carries.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.ip().protocol()
    }

    /// Hops left.
    #[inline]
    pub fn ttl(&self) -> u8 {
        self.ip().ttl()
    }

    /// Whether it is a part of a packet and not the whole.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.ip().is_fragment()
    }

    /// Whether it stands in place of the fragments that it came in.
    #[inline]
    pub fn stands_for_fragments(&self) -> bool {
        matches!(self.frame.offload(), Offload::Segment { kind: SegmentKind::Fragments, .. })
    }

    /// Length of the header with its options: 20 to 60.
    #[inline]
    pub const fn header_len(&self) -> usize {
        self.header_len as usize
    }

    /// Length of header and payload.
    #[inline]
    pub fn total_len(&self) -> usize {
        self.frame.len() - ETHERNET
    }

    /// Header and payload.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.frame.bytes().get(ETHERNET..).unwrap_or(&[])
    }

    /// Position of the transport header in the frame.
    #[inline]
    pub const fn transport_offset(&self) -> usize {
        ETHERNET + self.header_len as usize
    }

    /// What lies behind the header.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.frame.bytes().get(self.transport_offset()..).unwrap_or(&[])
    }

    /// What lies behind the header, to edit.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let offset = self.transport_offset();
        self.frame.bytes_mut().get_mut(offset..).unwrap_or_default()
    }

    /// Whether the checksum of this packet's own transport header is partial: not that of a packet
    /// inside it.
    #[inline]
    pub(crate) fn is_partial(&self) -> bool {
        let span = self.frame.offload().span();
        span.is_some_and(|span| usize::from(span.start) == self.transport_offset())
    }

    /// The transport header, as far as flows care.
    #[inline]
    pub fn transport(&self) -> Transport {
        Transport::of(self.ip())
    }

    /// Whether the checksum behind the header is right: that of ICMP, TCP or UDP, where there is
    /// one and it is not left to whoever takes the frame. A fragment's and a super-frame's cannot
    /// be judged, and count as right.
    pub fn transport_checksum_holds(&self) -> bool {
        if self.is_fragment() || self.frame.offload().span().is_some() {
            return true;
        }
        let payload = self.payload();
        let covered = match (self.protocol(), UdpHeader::of(payload)) {
            (Protocol::ICMP, _) => return checksum::holds(payload),
            (Protocol::TCP, _) => Some(payload),
            (Protocol::UDP, Some(udp)) if !udp.has_checksum() => return true,
            (Protocol::UDP, Some(udp)) => payload.get(..udp.len()).filter(|_| udp.len() >= 8),
            (Protocol::UDP, None) => None,
            _ => return true,
        };
        covered.is_some_and(|covered| {
            let (protocol, len) = (self.protocol().0, covered.len() as u16);
            let pseudo = checksum::pseudo_header(self.source(), self.destination(), protocol, len);
            checksum::sum(covered, pseudo) == 0xffff
        })
    }

    /// Takes one hop away and mends the header checksum (RFC 1141, RFC 1624). Call only with `ttl()
    /// > 1`.
    #[inline]
    pub fn decrement_ttl(&mut self) {
        let header = self.header_mut();
        let old = u16::from_be_bytes([header[8], header[9]]);
        header[8] = header[8].saturating_sub(1);
        let new = u16::from_be_bytes([header[8], header[9]]);
        let sum = checksum::update(u16::from_be_bytes([header[10], header[11]]), old, new);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }

    /// Sets the hops left, mending the header checksum: for packets that start here.
    pub fn set_ttl(&mut self, ttl: u8) {
        let header = self.header_mut();
        if let Some(&[hops, protocol, c0, c1]) = header.get(8..).and_then(|b| b.first_chunk()) {
            let (old, new) =
                (u16::from_be_bytes([hops, protocol]), u16::from_be_bytes([ttl, protocol]));
            let sum = checksum::update(u16::from_be_bytes([c0, c1]), old, new).to_be_bytes();
            header[8] = ttl;
            header[10..12].copy_from_slice(&sum);
        }
    }

    /// The frame around it.
    #[inline]
    pub const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The frame around it, to edit its Ethernet header or duties.
    #[inline]
    pub const fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    /// The frame around it, given back.
    #[inline]
    pub fn into_frame(self) -> Frame {
        self.frame
    }

    /// Ends this packet's life.
    #[inline]
    pub fn refuse(self, reason: DropReason) -> Dropped {
        self.frame.refuse(reason)
    }

    #[inline]
    pub(crate) fn header_mut(&mut self) -> &mut [u8] {
        let end = self.transport_offset();
        self.frame.bytes_mut().get_mut(ETHERNET..end).unwrap_or_default()
    }

    /// Header and payload, apart.
    #[inline]
    pub(crate) fn parts_mut(&mut self) -> (&mut [u8], &mut [u8]) {
        let bytes = self.frame.bytes_mut().get_mut(ETHERNET..).unwrap_or_default();
        bytes.split_at_mut_checked(usize::from(self.header_len)).unwrap_or_default()
    }
}
