//! One Ethernet frame, owned: its bytes, the tag taken out of them, and what it still owes.
//!
//! # Theory of operation
//! A frame lies in a buffer with [`HEADROOM`] ahead of it, so that a virtio header or VLAN tags are
//! put in front without moving the rest. The tag that tells its VLAN is kept beside the bytes
//! (`tag`) while the frame is inside the switch, and [`Frame::push_tag`] puts it back on the way
//! out: where there was no other, IPv4 starts at byte 14. Buffers come from a [`Pool`](crate::Pool)
//! and go back to it; a frame that is merely dropped frees its buffer.

use core::fmt;
use core::num::NonZeroU32;
use core::ops::Range;

use crate::drop::DropReason;
use crate::offload::Offload;
use crate::vlan::Tag;

/// Bytes kept free ahead of a received frame: virtio header (10), two VLAN tags (8), and room to
/// align.
pub const HEADROOM: usize = 64;
/// The largest frame: 64 KiB of IP in one super-frame, behind Ethernet and two tags.
pub const MAX_FRAME: usize = 65_535 + 14 + 8;
/// Size of a buffer that takes any frame.
pub const BUFFER_LEN: usize = HEADROOM + MAX_FRAME + 3;

/// An Ethernet frame without FCS, with the duties its sender left open. The default is an empty
/// frame, no buffer.
///
/// One pointer wide, because it is moved through every step of a packet's life: moving the fields
/// themselves cost a third of the time of a routed frame.
#[derive(Default, Clone)]
pub struct Frame(Box<Fields>);

#[derive(Default, Clone)]
struct Fields {
    buffer: Box<[u8]>,
    start: u32,
    end: u32,
    tag: Option<Tag>,
    offload: Offload,
    flow_hint: Option<NonZeroU32>,
}

impl Frame {
    /// An empty frame in `buffer`, ready for [`Frame::receive_space`]. Shorter buffers hold shorter
    /// frames.
    pub fn in_buffer(buffer: Box<[u8]>) -> Self {
        let start = HEADROOM.min(buffer.len()) as u32;
        Self(Box::new(Fields {
            buffer,
            start,
            end: start,
            tag: None,
            offload: Offload::Complete,
            flow_hint: None,
        }))
    }

    /// A frame of these bytes in a buffer of just its size. Allocates: for tests, waiting queues
    /// and set-up.
    pub fn copied_from(bytes: &[u8]) -> Self {
        let mut frame = Self::in_buffer(vec![0; HEADROOM + bytes.len()].into_boxed_slice());
        frame.0.end = frame.0.start + bytes.len() as u32;
        frame.bytes_mut().copy_from_slice(bytes);
        frame
    }

    /// The bytes from the destination address on, without the tag that [`Frame::tag`] holds.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.0.buffer.get(self.0.start as usize..self.0.end as usize).unwrap_or(&[])
    }

    /// The same bytes, to edit in place.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.buffer.get_mut(self.0.start as usize..self.0.end as usize).unwrap_or(&mut [])
    }

    /// Length of [`Frame::bytes`].
    #[inline]
    pub fn len(&self) -> usize {
        (self.0.end - self.0.start) as usize
    }

    /// Whether there are no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.end == self.0.start
    }

    /// Bytes this frame can hold behind its headroom.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.0.buffer.len().saturating_sub(HEADROOM)
    }

    /// The tag that stands outside the bytes.
    #[inline]
    pub fn tag(&self) -> Option<Tag> {
        self.0.tag
    }

    /// Puts a tag beside the bytes, or takes it away. The bytes stay.
    #[inline]
    pub fn set_tag(&mut self, tag: Option<Tag>) {
        self.0.tag = tag;
    }

    /// What is left to do to it.
    #[inline]
    pub fn offload(&self) -> Offload {
        self.0.offload
    }

    /// Says what is left to do; spans count from the first byte of [`Frame::bytes`].
    #[inline]
    pub fn set_offload(&mut self, offload: Offload) {
        self.0.offload = offload;
    }

    /// Where its flow probably is, from a prefetch. It may be wrong, and nobody relies on it.
    #[inline]
    pub fn flow_hint(&self) -> Option<NonZeroU32> {
        self.0.flow_hint
    }

    /// Leaves a hint where its flow is.
    #[inline]
    pub fn set_flow_hint(&mut self, hint: Option<NonZeroU32>) {
        self.0.flow_hint = hint;
    }

    /// Room for a receiver to write into: `prefix` bytes of header that do not belong to the frame,
    /// then the frame. Call [`Frame::received`] with the count written. A `prefix` beyond the
    /// headroom gets no room.
    #[inline]
    pub fn receive_space(&mut self, prefix: usize) -> &mut [u8] {
        let from = HEADROOM.checked_sub(prefix);
        from.and_then(|from| self.0.buffer.get_mut(from..)).unwrap_or(&mut [])
    }

    /// Makes the frame the `count - prefix` bytes that [`Frame::receive_space`] took, with no tag
    /// and no duties; an empty frame when `count` is short of `prefix`.
    #[inline]
    pub fn received(&mut self, prefix: usize, count: usize) {
        self.0.start = HEADROOM.min(self.0.buffer.len()) as u32;
        let end = (HEADROOM + count).saturating_sub(prefix).min(self.0.buffer.len());
        self.0.end = (end as u32).max(self.0.start);
        self.0.tag = None;
        self.0.offload = Offload::Complete;
        self.0.flow_hint = None;
    }

    /// The frame with `prefix` bytes of headroom ahead of it, for a sender to write a header into
    /// and send at once. `None` when the headroom is used up.
    #[inline]
    pub fn with_prefix(&mut self, prefix: usize) -> Option<&mut [u8]> {
        let from = (self.0.start as usize).checked_sub(prefix)?;
        self.0.buffer.get_mut(from..self.0.end as usize)
    }

    /// Empties the frame and makes it `len` zero bytes long, keeping its buffer. `false` when they
    /// do not fit.
    #[must_use]
    pub fn reset(&mut self, len: usize) -> bool {
        if len > self.capacity() {
            return false;
        }
        self.0.start = HEADROOM as u32;
        self.0.end = (HEADROOM + len) as u32;
        self.0.tag = None;
        self.0.offload = Offload::Complete;
        self.0.flow_hint = None;
        self.bytes_mut().fill(0);
        true
    }

    /// Cuts the frame off after `len` bytes; does nothing when it is shorter.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.0.end = self.0.start + len as u32;
        }
    }

    /// Takes `count` bytes off the front, as an outer header is taken off what it carries; spans
    /// shift with it. `false`, and nothing happens, when the frame is shorter or a tag stands
    /// beside it.
    #[must_use]
    #[inline]
    pub fn strip(&mut self, count: usize) -> bool {
        let Ok(shift) = i16::try_from(count) else { return false };
        if count > self.len() || self.0.tag.is_some() {
            return false;
        }
        self.0.start += count as u32;
        self.0.offload = self.0.offload.shifted(-shift);
        true
    }

    /// Makes the frame those of its bytes that lie in `range`, in the same buffer; duties and tag
    /// stay as they are. Nothing happens when the range is not inside.
    pub(crate) fn narrow(&mut self, range: Range<usize>) {
        if range.start <= range.end && range.end <= self.len() {
            self.0.end = self.0.start + range.end as u32;
            self.0.start += range.start as u32;
        }
    }

    /// Bytes that [`Frame::append`] has room for.
    #[inline]
    pub fn room(&self) -> usize {
        self.0.buffer.len() - self.0.end as usize
    }

    /// Puts `bytes` behind the last; `false`, and nothing happens, when the buffer has no room for
    /// them.
    #[must_use]
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let end = self.0.end as usize;
        let Some(place) = self.0.buffer.get_mut(end..end + bytes.len()) else {
            return false;
        };
        place.copy_from_slice(bytes);
        self.0.end += bytes.len() as u32;
        true
    }

    /// Adds zero bytes up to a length of `len`, as far as the buffer goes: a frame's minimum is 60
    /// without FCS.
    pub fn pad(&mut self, len: usize) {
        let end = (self.0.start as usize + len).min(self.0.buffer.len());
        if let Some(tail) = self.0.buffer.get_mut(self.0.end as usize..end) {
            tail.fill(0);
            self.0.end = end as u32;
        }
    }

    /// Takes an outermost 802.1Q tag (TPID 0x8100) out of the bytes into [`Frame::tag`]; nothing
    /// happens when there is none, or when a tag stands beside the bytes already. `false`: the tag
    /// is cut off by the frame's end.
    #[must_use]
    #[inline]
    pub fn pop_tag(&mut self) -> bool {
        self.pop(Tag::from_bits(0))
    }

    /// [`Frame::pop_tag`] for an outermost 802.1ad tag (TPID 0x88a8).
    #[must_use]
    pub fn pop_service_tag(&mut self) -> bool {
        self.pop(Tag::from_bits(0).service())
    }

    /// Takes out an outermost tag of the kind of `like`.
    #[inline(always)]
    fn pop(&mut self, like: Tag) -> bool {
        if self.0.tag.is_some() || self.bytes().get(12..14) != Some(&like.tpid()) {
            return true;
        }
        let bytes = self.bytes_mut();
        let Some(&[high, low]) = bytes.get(14..16).and_then(|b| b.first_chunk::<2>()) else {
            return false;
        };
        if bytes.len() < 18 {
            return false;
        }
        bytes.copy_within(0..12, 4);
        self.0.start += 4;
        let tag = Tag::from_bits(u16::from_be_bytes([high, low]));
        self.0.tag = Some(if like == like.service() { tag.service() } else { tag });
        self.0.offload = self.0.offload.shifted(-4);
        true
    }

    /// Puts the tag beside the bytes back into them. Nothing happens without a tag; `false` when
    /// the headroom is used up.
    #[must_use]
    pub fn push_tag(&mut self) -> bool {
        let Some(tag) = self.0.tag else { return true };
        if self.0.start < 4 || self.len() < 12 {
            return false;
        }
        self.0.start -= 4;
        let ([t0, t1], [high, low]) = (tag.tpid(), tag.bits().to_be_bytes());
        let bytes = self.bytes_mut();
        bytes.copy_within(4..16, 0);
        if let Some(place) = bytes.get_mut(12..16) {
            place.copy_from_slice(&[t0, t1, high, low]);
        }
        self.0.tag = None;
        self.0.offload = self.0.offload.shifted(4);
        true
    }

    /// A copy in a buffer of just its size, for waiting: a big buffer should not wait with it.
    #[must_use]
    pub fn compact(&self) -> Self {
        let mut copy = Self::copied_from(self.bytes());
        copy.0.tag = self.0.tag;
        copy.0.offload = self.0.offload;
        copy
    }

    /// Ends this frame's life for `reason`; `Err(frame.refuse(..))` is how a step says no.
    #[inline]
    pub fn refuse(self, reason: DropReason) -> Dropped {
        Dropped { reason, frame: self }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes, {:?}, {:?}, ", self.len(), self.0.tag, self.0.offload)?;
        for byte in self.bytes().iter().take(64) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

impl PartialEq for Frame {
    /// Same bytes, tag and duties; where they lie in the buffer does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
            && self.0.tag == other.0.tag
            && self.0.offload == other.0.offload
    }
}

/// A frame that ends here, and why. The buffer travels along, so that whoever counts the drop can
/// reuse it.
#[derive(Debug)]
pub struct Dropped {
    /// What it is counted under.
    pub reason: DropReason,
    /// The frame, as it was when the refusal was made.
    pub frame: Frame,
}

#[cfg(test)]
mod tests;
