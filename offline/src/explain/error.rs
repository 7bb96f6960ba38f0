//! Why a frame's life cannot be told, a sentence each.

use std::path::PathBuf;

use switch::ChangeError;

use super::MAX_FRAMES;
use crate::capture::CaptureError;
use crate::replay::ReplayError;
use labfile::printable;

/// Why nothing can be said of a frame.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Text is no frame in hexadecimal digits.
    #[error("this is no frame in hexadecimal digits: {found:?} at character {at}")]
    NotHex {
        /// What is no digit.
        found: char,
        /// Where, from 1.
        at: usize,
    },
    /// Digits come in pairs.
    #[error(
        "a frame of {digits} hexadecimal digits ends in half a byte: one is missing, or one is too many"
    )]
    HalfByte {
        /// How many there are.
        digits: usize,
    },
    /// There is no frame.
    #[error("there is no frame to explain: give its bytes as hexadecimal digits")]
    Empty,
    /// More than a device can send.
    #[error("a frame of {bytes} bytes is longer than any device sends: the most is {most}", most = packet::frame::MAX_FRAME)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More frames than are explained at once.
    #[error(
        "{what} more frames than are explained at once, {MAX_FRAMES}: say which one, as in --pcap FILE:{MAX_FRAMES}"
    )]
    TooMany {
        /// Who has so many: `a.pcap has`, or `these are`.
        what: String,
    },
    /// The text names no port and no remote VTEP of a tunnel.
    #[error(
        "{text:?} names nothing that frames come in on: write PORT, or TUNNEL@ADDRESS for a remote VTEP of a tunnel"
    )]
    NotAPlace {
        /// The text.
        text: String,
    },
    /// Frames are counted from 1.
    #[error("{path}: frames are counted from 1", path = printable::path(.0))]
    FrameZero(PathBuf),
    /// The capture has fewer frames.
    #[error("{path} has {frames} frames and no frame {wanted}", path = printable::path(path))]
    PastEnd {
        /// The capture.
        path: PathBuf,
        /// How many it has.
        frames: u64,
        /// Which was asked for.
        wanted: u64,
    },
    /// The capture has no frames.
    #[error("{path} holds no frames", path = printable::path(.0))]
    NoFrames(PathBuf),
    /// The capture could not be read up to a frame.
    #[error("{why}, and frame {wanted} with it")]
    Broken {
        /// The capture, and why.
        why: String,
        /// The first frame that was asked for and is lost.
        wanted: u64,
    },
    /// A frame was not captured whole.
    #[error(
        "only the first {bytes} bytes of frame {frame} of {path} were captured, and its fate hangs on the rest: capture \
         it whole, with `tcpdump -s 0`",
        path = printable::path(path)
    )]
    Truncated {
        /// The capture.
        path: PathBuf,
        /// The frame, from 1.
        frame: u64,
        /// What there is of it.
        bytes: usize,
    },
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The place is not there.
    #[error("{}", said(.0))]
    Replay(#[from] ReplayError),
    /// The switch refused the lab.
    #[error("the switch refuses the lab: {0}")]
    Switch(#[from] ChangeError),
}

impl ExplainError {
    /// Whether it names something that is not there.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Replay(ReplayError::NoPort { .. }))
    }
}

/// What a replay would say, in words that fit one frame.
fn said(error: &ReplayError) -> String {
    match error {
        ReplayError::WhichRemote { tunnel, remote } => format!(
            "tunnel `{tunnel}` has several remotes: say which of them sent the frame, as in --in {tunnel}@{remote}"
        ),
        ReplayError::NoTunnel { name } => {
            format!("`{name}` is a port, and only tunnels have remotes: write --in {name}")
        }
        other => other.to_string(),
    }
}
