//! Joining the fragments of a UDP datagram ([`SegmentKind::Fragments`]): it passes the switch once,
//! and is cut into the same fragments again ahead of what cannot take it whole, as by cards with
//! UDP fragmentation offload.

use core::num::NonZeroU16;

use crate::checksum;
use crate::ethernet::{EtherType, HEADER_LEN as ETHERNET};
use crate::frame::Frame;
use crate::ip::{Protocol, V4_HEADER};
use crate::offload::{Offload, SegmentKind, Span};
use crate::pool::Pool;
use crate::segment::MAX_PIECES;

const TRANSPORT: usize = ETHERNET + V4_HEADER;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;
const MOST: usize = 65_535 - V4_HEADER;

/// Fragments that follow one another and are a datagram as far as they go: all equal but for what a
/// cut writes, each where the one before ended, all of the first one's size but the last, which may
/// be smaller.
#[derive(Debug, Default)]
pub struct Fragments {
    frames: Vec<Frame>,
    /// Bytes of IP payload so far.
    len: usize,
}

/// What is read of a fragment.
struct Part {
    offset: usize,
    len: usize,
    is_last: bool,
}

impl Fragments {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Takes the fragment that comes next, or first; `true` when it is the last.
    ///
    /// # Errors
    /// The frame, untouched: it is not that, or has a wrong header checksum.
    pub fn push(&mut self, frame: Frame) -> Result<bool, Frame> {
        let Some(part) = Part::of(&frame).filter(|part| self.continues(&frame, part)) else {
            return Err(frame);
        };
        self.len += part.len;
        self.frames.push(frame);
        Ok(part.is_last)
    }

    /// The datagram in their place, in the first one's buffer; the others' go to `pool`. `None`,
    /// and nothing changes, when that has no room, or when it has no UDP checksum, or not the
    /// right one: nobody may lend it one.
    pub fn join(&mut self, pool: &mut Pool) -> Option<Frame> {
        let first = self.frames.first()?;
        let size = u16::try_from(Part::of(first)?.len).ok().and_then(NonZeroU16::new)?;
        let pseudo = self.pseudo().filter(|_| self.frames.len() <= MAX_PIECES)?;
        if first.room() < self.len - usize::from(size.get()) {
            return None;
        }
        self.len = 0;
        let mut frames = self.frames.drain(..);
        let mut whole = frames.next()?;
        for frame in frames {
            let is_in = whole.append(frame.bytes().get(TRANSPORT..).unwrap_or(&[]));
            debug_assert!(is_in, "there is room");
            pool.give(frame);
        }
        finish(whole.bytes_mut(), pseudo);
        let span = Span { start: TRANSPORT as u16, offset: 6 };
        whole.set_offload(Offload::Segment { kind: SegmentKind::Fragments, size, span });
        Some(whole)
    }

    /// The pseudo-header's sum, if the datagram's checksum is right.
    fn pseudo(&self) -> Option<u16> {
        let first = self.frames.first()?.bytes();
        let [_, _, _, _, l0, l1, c0, c1] = *first.get(TRANSPORT..)?.first_chunk()?;
        let len = u16::try_from(self.len).ok()?;
        let pseudo =
            checksum::sum(first.get(TRANSPORT - 8..TRANSPORT)?, u16::from(Protocol::UDP.0));
        let pseudo = checksum::add(pseudo, len);
        // All but the last are of even length.
        let sum = self.frames.iter().fold(pseudo, |sum, frame| {
            checksum::sum(frame.bytes().get(TRANSPORT..).unwrap_or(&[]), sum)
        });
        let is_right = u16::from_be_bytes([l0, l1]) == len && [c0, c1] != [0, 0] && sum == 0xffff;
        is_right.then_some(pseudo)
    }

    /// Gives them back one by one.
    pub fn drain(&mut self) -> impl Iterator<Item = Frame> {
        self.len = 0;
        self.frames.drain(..)
    }

    fn continues(&self, frame: &Frame, part: &Part) -> bool {
        let (Some(first), next) = (self.frames.first(), frame.bytes()) else {
            return part.offset == 0 && !part.is_last;
        };
        let (size, first) = (first.len() - TRANSPORT, first.bytes());
        let same = |from: usize, to: usize| first.get(from..to) == next.get(from..to);
        let has_dont_fragment = |bytes: &[u8]| bytes.get(20).map(|flags| flags & 0x40);
        part.offset == self.len
            && (part.len == size || part.is_last && part.len < size)
            && self.len + part.len <= MOST
            && same(0, 16)
            && same(18, 20)
            && has_dont_fragment(first) == has_dont_fragment(next)
            && same(22, 24)
            && same(26, TRANSPORT)
    }
}

impl Part {
    /// Nothing for what is no fragment of UDP over IPv4 without options and tags, complete and
    /// without padding.
    fn of(frame: &Frame) -> Option<Self> {
        let bytes = frame.bytes();
        let header = bytes.get(ETHERNET..)?.first_chunk::<V4_HEADER>()?;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let field = u16::from_be_bytes([header[6], header[7]]);
        let is_plain = bytes.get(12..ETHERNET) == Some(&EtherType::IPV4.0.to_be_bytes())
            && (header[0], header[9]) == (0x45, Protocol::UDP.0)
            && ETHERNET + total == bytes.len()
            && field & 0x8000 == 0
            && header[10..12] != [0xff, 0xff]
            && checksum::header_holds(header)
            && frame.tag().is_none()
            && frame.offload() == Offload::Complete;
        let is_last = field & MORE_FRAGMENTS == 0;
        let (offset, len) = (usize::from(field & OFFSET) * 8, total.checked_sub(V4_HEADER)?);
        let is_fragment = len > 0 && if is_last { offset > 0 } else { len.is_multiple_of(8) };
        (is_plain && is_fragment).then_some(Self { offset, len, is_last })
    }
}

/// Makes the first fragment's header that of the whole, and the UDP checksum a partial one.
fn finish(whole: &mut [u8], pseudo: u16) {
    let Some((ahead, udp)) = whole.split_at_mut_checked(TRANSPORT) else { return };
    let total = (V4_HEADER + udp.len()) as u16; // `continues` has seen that it is one.
    let Some(header) = ahead.last_chunk_mut::<V4_HEADER>() else { return };
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header[6] &= 0x40;
    header[7] = 0;
    header[10..12].fill(0);
    let sum = checksum::of(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    if let Some(place) = udp.get_mut(6..8) {
        place.copy_from_slice(&pseudo.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fragment::fragment;
    use crate::frame::HEADROOM;
    use crate::ipv4::Ipv4;
    use crate::segment::{complete_checksum, segment, segment_ip_len};
    use proptest::prelude::*;

    /// A datagram of so many bytes of IP, with a right UDP checksum.
    fn datagram(len: usize, pool: &mut Pool) -> Frame {
        let mut frame = pool.take();
        assert!(frame.reset(ETHERNET + len));
        let bytes = frame.bytes_mut();
        bytes.iter_mut().zip(0u32..).for_each(|(byte, n)| *byte = ((n * 31) >> 3) as u8);
        bytes[12..14].copy_from_slice(&[8, 0]);
        let (ip, udp) = bytes[ETHERNET..].split_at_mut(V4_HEADER);
        ip[..2].copy_from_slice(&[0x45, 0]);
        ip[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        ip[6..12].copy_from_slice(&[0, 0, 64, 17, 0, 0]);
        let sum = checksum::of(ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let length = (len - V4_HEADER) as u16;
        udp[4..6].copy_from_slice(&length.to_be_bytes());
        let pseudo = checksum::add(checksum::sum(&ip[12..20], 17), length);
        udp[6..8].copy_from_slice(&pseudo.to_be_bytes());
        frame.set_offload(Offload::Checksum(Span { start: TRANSPORT as u16, offset: 6 }));
        complete_checksum(&mut frame);
        frame
    }

    fn cut(frame: Frame, mtu: u16, pool: &mut Pool) -> Vec<Frame> {
        let mut parts = Vec::new();
        let packet = Ipv4::in_frame(frame).unwrap();
        fragment(packet, mtu, pool, &mut |part| parts.push(part)).unwrap();
        parts
    }

    proptest! {
        /// What was joined is what was cut, and cuts into the same fragments again.
        #[test]
        fn joining_undoes_a_cut(len in 1600usize..20_000, size in 60u16..185) {
            let (mut pool, mut fragments, mtu) = (Pool::new(8), Fragments::default(), 20 + 8 * size);
            let whole = datagram(len, &mut pool);
            let parts = cut(whole.compact(), mtu, &mut pool);
            let bytes: Vec<_> = parts.iter().map(|part| part.bytes().to_vec()).collect();
            let last = parts.len() - 1;
            for (at, part) in parts.into_iter().enumerate() {
                prop_assert_eq!(fragments.push(part).unwrap(), at == last);
            }
            let mut joined = fragments.join(&mut pool).unwrap();
            prop_assert!(fragments.is_empty());
            prop_assert_eq!(segment_ip_len(&joined), usize::from(mtu));
            let mut again = Vec::new();
            segment(joined.clone(), &mut pool, &mut |part| again.push(part.bytes().to_vec())).unwrap();
            prop_assert_eq!(again, bytes);
            let span = joined.offload().span().unwrap();
            joined.set_offload(Offload::Checksum(span));
            complete_checksum(&mut joined);
            prop_assert_eq!(joined.bytes(), whole.bytes());
        }

        /// One wrong bit anywhere, and nothing is joined: all comes out as it went in.
        #[test]
        fn what_is_wrong_anywhere_is_not_joined(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (mut pool, mut fragments) = (Pool::new(8), Fragments::default());
            let mut parts = cut(datagram(4000, &mut pool), 1500, &mut pool);
            let total = parts.iter().map(Frame::len).sum();
            let mut at = at.index(total);
            for part in &mut parts {
                match part.bytes_mut().get_mut(at) {
                    Some(byte) => {
                        *byte ^= 1 << bit;
                        break;
                    }
                    None => at -= part.len(),
                }
            }
            let sent: Vec<_> = parts.iter().map(|part| part.bytes().to_vec()).collect();
            let (mut left, mut is_whole) = (Vec::new(), false);
            for part in parts {
                match fragments.push(part) {
                    Ok(last) => is_whole |= last,
                    Err(part) => {
                        left.extend(fragments.drain());
                        left.push(part);
                    }
                }
            }
            prop_assert!(!is_whole || fragments.join(&mut pool).is_none());
            left.extend(fragments.drain());
            prop_assert_eq!(left.iter().map(|part| part.bytes().to_vec()).collect::<Vec<_>>(), sent);
        }
    }

    #[test]
    fn other_fragments_are_not_taken() {
        let mut pool = Pool::new(8);
        let parts = || cut(datagram(4000, &mut Pool::new(8)), 1500, &mut Pool::new(8));
        let mut fragments = Fragments::default();
        assert!(fragments.push(parts().remove(1)).is_err(), "not the first");
        assert!(fragments.push(datagram(1000, &mut pool)).is_err(), "whole");
        assert!(!fragments.push(parts().remove(0)).unwrap());
        assert!(fragments.push(parts().remove(2)).is_err(), "one is missing");
        assert!(fragments.push(parts().remove(0)).is_err(), "the same again");
        let mut tagged = parts().remove(1);
        tagged.set_tag(Some(crate::Tag::from_bits(7)));
        assert!(fragments.push(tagged).is_err());
        assert_eq!(fragments.drain().count(), 1);
        let mut padded = parts().remove(2);
        assert!(padded.append(&[0; 9]));
        assert!(fragments.push(padded).is_err());
    }

    #[test]
    fn what_the_first_ones_buffer_has_no_room_for_stays_apart() {
        let mut pool = Pool::new(8);
        for (spare, fits) in [(0, false), (2499, false), (2500, true)] {
            let mut parts = cut(datagram(20 + 1480 + 2500, &mut pool), 1500, &mut pool);
            let mut room = Frame::in_buffer(vec![0; HEADROOM + 1514 + spare].into_boxed_slice());
            assert!(room.append(parts[0].bytes()));
            parts[0] = room;
            let sent: Vec<_> = parts.iter().map(|part| part.bytes().to_vec()).collect();
            let mut fragments = Fragments::default();
            for part in parts {
                fragments.push(part).unwrap();
            }
            assert_eq!(fragments.join(&mut pool).is_some(), fits, "{spare} bytes of room");
            let left: Vec<_> = fragments.drain().map(|part| part.bytes().to_vec()).collect();
            assert_eq!(left, if fits { vec![] } else { sent });
        }
    }

    /// A first fragment, cut to `len` bytes of payload, at this offset, and whether more come.
    fn resized(mut part: Frame, len: usize, offset: u16, more: bool) -> Frame {
        part.truncate(TRANSPORT + len);
        let header = &mut part.bytes_mut()[ETHERNET..TRANSPORT];
        header[2..4].copy_from_slice(&((V4_HEADER + len) as u16).to_be_bytes());
        let field = (offset / 8) | if more { MORE_FRAGMENTS } else { 0 };
        header[6..8].copy_from_slice(&field.to_be_bytes());
        header[10..12].fill(0);
        let sum = checksum::of(header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        part
    }

    #[test]
    fn a_fragment_that_nobody_cuts_is_not_taken() {
        let first = || cut(datagram(4000, &mut Pool::new(8)), 1500, &mut Pool::new(8)).remove(0);
        let mut fragments = Fragments::default();
        assert!(fragments.push(resized(first(), 1003, 0, true)).is_err(), "not of whole words");
        assert!(fragments.push(resized(first(), 0, 0, true)).is_err(), "an empty first one");
        assert!(!fragments.push(resized(first(), 1000, 0, true)).unwrap());
        assert!(fragments.push(resized(first(), 0, 1000, false)).is_err(), "an empty last one");
        assert!(fragments.push(resized(first(), 999, 1000, false)).unwrap());
    }
}
