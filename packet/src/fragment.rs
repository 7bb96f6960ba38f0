//! Cutting an IPv4 packet into fragments for a next hop with a smaller MTU (RFC 791 section 3.2).
//!
//! Only packets that were not to be left whole come here; a fragment may itself be cut again.
//! Putting fragments together needs memory and time, and is not done here.

use crate::checksum;
use crate::drop::DropReason;
use crate::ethernet::HEADER_LEN as ETHERNET;
use crate::frame::{Dropped, Frame};
use crate::ip::{Options, V4_HEADER};
use crate::ipv4::Ipv4;
use crate::offload::Offload;
use crate::pool::Pool;
use crate::segment::{MAX_PIECES, complete_checksum, joined};

/// Every link carries IPv4 packets of this size: a header of 60 bytes and 8 of data (RFC 791
/// section 3.2).
pub const MIN_MTU: u16 = 68;

const MAX_OPTIONS: usize = 40;
const MORE_FRAGMENTS: u16 = 0x2000;
/// An option that every fragment carries has this bit in its type (RFC 791 section 3.1).
const COPIED: u8 = 0x80;

/// Cuts `packet` into fragments of at most `mtu` bytes of IP, in order, each in a buffer from
/// `pool`, where the packet's own buffer goes. A partial checksum is completed first. A packet that
/// fits is emitted itself.
///
/// Ethernet header, tag and identification are the same in all. The first fragment has all options,
/// later ones have those to be copied.
///
/// # Errors
/// Nothing is emitted, and the frame is as it was but for its checksum:
/// - [`DropReason::FragmentationNeeded`]: DF is set, `mtu` is below [`MIN_MTU`], or it takes more
///   than [`MAX_PIECES`].
/// - [`DropReason::BadFragment`]: it is itself a fragment, one that reaches beyond 65,535 bytes, or
///   whose length others cannot follow.
/// - [`DropReason::BadOffload`]: the packet is a super-frame, to be cut by [`crate::segment`]
///   first.
pub fn fragment(
    mut packet: Ipv4,
    mtu: u16,
    pool: &mut Pool,
    emit: &mut impl FnMut(Frame),
) -> Result<(), Dropped> {
    if matches!(packet.frame().offload(), Offload::Segment { .. }) {
        return Err(packet.refuse(DropReason::BadOffload));
    }
    complete_checksum(packet.frame_mut());
    if packet.total_len() <= usize::from(mtu) {
        emit(packet.into_frame());
        return Ok(());
    }
    if let Err(reason) = cut(&packet, mtu, pool, emit) {
        return Err(packet.refuse(reason));
    }
    pool.give(packet.into_frame());
    Ok(())
}

/// Emits the fragments of a packet longer than `mtu`, or nothing.
fn cut(
    packet: &Ipv4,
    mtu: u16,
    pool: &mut Pool,
    emit: &mut impl FnMut(Frame),
) -> Result<(), DropReason> {
    let mut rest = packet.payload();
    let mut offset = usize::from(packet.ip().fragment_offset());
    if packet.ip().dont_fragment() || mtu < MIN_MTU {
        return Err(DropReason::FragmentationNeeded);
    }
    // Only a packet's last fragment may end off a multiple of 8.
    if offset + rest.len() > 0xffff || packet.ip().more_fragments() && !rest.len().is_multiple_of(8)
    {
        return Err(DropReason::BadFragment);
    }
    let (Some(mut header), Some(later)) =
        (FragmentHeader::first(packet), FragmentHeader::later(packet))
    else {
        return Err(DropReason::BadHeaderLength);
    };
    let mtu = usize::from(mtu);
    // The first may carry less than the later ones, whose header is no longer than its own.
    if rest.len().div_ceil(later.room(mtu)) >= MAX_PIECES {
        return Err(DropReason::FragmentationNeeded);
    }
    let ethernet = packet.frame().bytes().get(..ETHERNET).unwrap_or(&[]);
    let tag = packet.frame().tag();
    while header.len + rest.len() > mtu
        && let Some((chunk, behind)) = rest.split_at_checked(header.room(mtu))
    {
        header.finish(chunk.len(), offset, true);
        emit(joined(pool, [ethernet, header.bytes(), chunk], tag));
        offset += chunk.len();
        rest = behind;
        header = later;
    }
    header.finish(rest.len(), offset, packet.ip().more_fragments());
    emit(joined(pool, [ethernet, header.bytes(), rest], tag));
    Ok(())
}

/// A fragment's IPv4 header with its options.
#[derive(Copy, Clone)]
struct FragmentHeader {
    bytes: [u8; V4_HEADER + MAX_OPTIONS],
    len: usize,
}

impl FragmentHeader {
    /// The packet's own, with all its options.
    fn first(packet: &Ipv4) -> Option<Self> {
        let mut bytes = [0; V4_HEADER + MAX_OPTIONS];
        let header = packet.ip().header();
        bytes.get_mut(..header.len())?.copy_from_slice(header);
        Some(Self { bytes, len: header.len() })
    }

    /// The packet's own, with the options that every fragment carries. An option of impossible
    /// length ends the list, as it does for whoever reads it.
    fn later(packet: &Ipv4) -> Option<Self> {
        let mut bytes = [0; V4_HEADER + MAX_OPTIONS];
        let (fixed, options) = bytes.split_first_chunk_mut::<V4_HEADER>()?;
        *fixed = *packet.bytes().first_chunk()?;
        // The zeros behind the last option are end-of-options octets.
        let len = V4_HEADER + copied_options(packet.ip().options(), options)?.next_multiple_of(4);
        fixed[0] = 0x40 | (len / 4) as u8;
        Some(Self { bytes, len })
    }

    /// Payload bytes that fit behind it: a multiple of 8, at least 8 since the MTU is at least
    /// [`MIN_MTU`].
    const fn room(&self, mtu: usize) -> usize {
        (mtu - self.len) & !7
    }

    /// Writes lengths, position and checksum for `payload` bytes at `offset` of the whole packet's.
    fn finish(&mut self, payload: usize, offset: usize, more: bool) {
        let total = (self.len + payload) as u16; // No more than the MTU or the packet it was cut from.
        let flag = if more { MORE_FRAGMENTS } else { 0 };
        let reserved = u16::from(self.bytes[6] & 0x80) << 8;
        let position = reserved | flag | (offset / 8) as u16; // `cut` has seen that it is below 2^13.
        self.bytes[2..4].copy_from_slice(&total.to_be_bytes());
        self.bytes[6..8].copy_from_slice(&position.to_be_bytes());
        self.bytes[10..12].fill(0);
        let sum = checksum::of(self.bytes());
        self.bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// Copies those of `options` that every fragment carries into `place`, which takes any header's
/// options; their length.
fn copied_options(options: &[u8], place: &mut [u8]) -> Option<usize> {
    let mut len = 0;
    for option in Options(options) {
        if option.first().is_some_and(|kind| kind & COPIED != 0) {
            place.get_mut(len..len + option.len())?.copy_from_slice(option);
            len += option.len();
        }
    }
    Some(len)
}
