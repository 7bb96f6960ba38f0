//! A datagram in pieces as bytes and back: the headers and the payload as far as they have come, and which parts.

use packet::ethernet::HEADER_LEN as ETHERNET;
use packet::frame::BUFFER_LEN;
use packet::ipv4::MIN_HEADER;
use packet::snapshot::{Damaged, ensure};
use packet::{Frame, Instant, PortId};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fragments::blocks::Blocks;
use crate::fragments::datagram::{Datagram, First, Key, MAX_TOTAL};

/// The longest IPv4 header: fifteen words.
const MAX_HEADER: usize = 60;

/// Fragments of one datagram, repeated ones included: more than come in while one waits.
const MOST_FRAMES: usize = 1 << 32;

/// A place in use.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: Key,
    from: PortId,
    deadline: Instant,
    /// Headers and payload up to the farthest fragment; none once spoilt.
    held: Option<Frame>,
    frames: usize,
    blocks: Blocks,
    total: Option<usize>,
    payload: usize,
    reach: usize,
    first: Option<First>,
    dont_fragment: bool,
    congestion: bool,
}

impl Serialize for Datagram {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let kept = self.key.map(|key| Kept {
            key,
            from: self.from,
            deadline: self.deadline,
            held: (!self.spoilt).then(|| {
                let mut frame = self.frame.clone();
                frame.received(0, self.payload + self.reach);
                frame
            }),
            frames: self.frames,
            blocks: self.blocks.clone(),
            total: self.total,
            payload: self.payload,
            reach: self.reach,
            first: self.first,
            dont_fragment: self.dont_fragment,
            congestion: self.congestion,
        });
        kept.serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Datagram {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let Some(kept) = Option::<Kept>::deserialize(reader)? else { return Ok(Self::idle()) };
        kept.check().map_err(D::Error::custom)?;
        Ok(Self {
            key: Some(kept.key),
            from: kept.from,
            deadline: kept.deadline,
            spoilt: kept.held.is_none(),
            frame: kept.held.as_ref().map_or_else(Frame::default, roomy),
            frames: kept.frames,
            blocks: kept.blocks,
            total: kept.total,
            payload: kept.payload,
            reach: kept.reach,
            first: kept.first,
            dont_fragment: kept.dont_fragment,
            congestion: kept.congestion,
        })
    }
}

impl Kept {
    fn check(&self) -> Result<(), Damaged> {
        let Self { payload, reach, total, first, .. } = *self;
        let header = payload.checked_sub(ETHERNET);
        let header = header.is_some_and(|len| (MIN_HEADER..=MAX_HEADER).contains(&len));
        let lengths = reach <= MAX_TOTAL && total.is_none_or(|total| total <= MAX_TOTAL);
        let first = first.is_none_or(|first| first.payload_len <= reach);
        let held = self.held.as_ref().is_none_or(|held| held.len() == payload + reach);
        ensure(header && lengths && first && held, "a datagram in pieces has no such length")?;
        ensure(self.frames <= MOST_FRAMES, "a datagram has more frames than can come")?;
        self.blocks.check()
    }
}

/// The same bytes in a buffer that any datagram fits; the place they take is not yet a frame.
fn roomy(held: &Frame) -> Frame {
    let mut frame = Frame::in_buffer(vec![0; BUFFER_LEN].into_boxed_slice());
    if let Some(place) = frame.receive_space(0).get_mut(..held.len()) {
        place.copy_from_slice(held.bytes());
    }
    frame
}
