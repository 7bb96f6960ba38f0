//! What a frame still owes: nothing, a checksum, or being cut into segments.
//!
//! Frames come from a kernel that may leave the transport checksum to us, and may hand over one
//! super-frame of up to 64 KiB in place of many segments. Both travel through the switch untouched
//! and are settled by whoever takes them: the receiving kernel when it can, `segment` when it
//! cannot.

use core::num::NonZeroU16;

use serde::{Deserialize, Serialize};

/// Where a partial checksum lies. Offsets count from the frame's first byte.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Span {
    /// First byte that the checksum covers; it covers everything to the frame's end.
    pub start: u16,
    /// From `start` to the two bytes that hold the sum: 16 for TCP, 6 for UDP.
    pub offset: u16,
}

impl Span {
    /// Position of the checksum field in the frame.
    pub const fn field(self) -> usize {
        self.start as usize + self.offset as usize
    }
}

/// Which protocol's rules cut the super-frame.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SegmentKind {
    /// TCP over IPv4; `ecn` when CWR is set and belongs in the first segment only.
    Tcp4 {
        /// Whether the sender asked for ECN-aware cutting.
        ecn: bool,
    },
    /// TCP over IPv6.
    Tcp6 {
        /// Whether the sender asked for ECN-aware cutting.
        ecn: bool,
    },
    /// UDP datagrams of equal size (USO) over IPv4 or IPv6.
    Udp,
    /// One UDP datagram over IPv4 in place of the fragments that it came in, and is cut into again
    /// (UFO).
    Fragments,
}

/// What is left to do to a frame before it may stand on a wire.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Offload {
    /// Nothing: every checksum is as its sender made it.
    #[default]
    Complete,
    /// The transport checksum field holds the uncomplemented sum of the pseudo-header only.
    Checksum(Span),
    /// To be cut into segments of `size` payload bytes, each with a checksum of its own where it is
    /// no fragment.
    Segment {
        /// How to cut.
        kind: SegmentKind,
        /// Transport payload bytes a segment, of fragments IP payload bytes; the last may be
        /// shorter.
        size: NonZeroU16,
        /// Where the partial checksum lies.
        span: Span,
    },
}

impl Offload {
    /// The partial checksum's place, if the checksum is partial.
    pub const fn span(self) -> Option<Span> {
        match self {
            Self::Complete => None,
            Self::Checksum(span) | Self::Segment { span, .. } => Some(span),
        }
    }

    /// The same duty after the frame grew (`by > 0`) or shrank by bytes ahead of the network
    /// header. Saturates, which no frame within the buffer's bounds reaches.
    #[must_use]
    pub const fn shifted(self, by: i16) -> Self {
        match self {
            Self::Complete => self,
            Self::Checksum(span) => Self::Checksum(shift(span, by)),
            Self::Segment { kind, size, span } => {
                Self::Segment { kind, size, span: shift(span, by) }
            }
        }
    }
}

const fn shift(span: Span, by: i16) -> Span {
    Span { start: span.start.saturating_add_signed(by), offset: span.offset }
}
