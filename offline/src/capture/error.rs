//! Why a file is no capture that can be read, a sentence each.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use labfile::printable;

/// Why there are no frames. What goes wrong behind the beginning of a file is no error: it ends the
/// capture there.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be read.
    #[error("{path}: {error}", path = printable::path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The file is something else.
    #[error("{path} is not a capture: neither pcap nor pcapng begins like this", path = printable::path(path))]
    NotACapture {
        /// The file.
        path: PathBuf,
    },
    /// The file is a capture of a kind that nobody here knows.
    #[error("{path} cannot be read: {why}", path = printable::path(path))]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// What is unknown, and what is known.
        why: Cow<'static, str>,
    },
    /// The file holds frames of another medium.
    #[error(
        "{path} holds frames of link type {link_type}, and the switch carries Ethernet (1) alone: capture on one device, \
         not on `any`",
        path = printable::path(path)
    )]
    NotEthernet {
        /// The file.
        path: PathBuf,
        /// As tcpdump.org numbers them.
        link_type: u32,
    },
}

/// Why there is no next packet.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stream's, or its end in the middle of something.
    Io(io::Error),
    /// What contradicts the format.
    Says(Cow<'static, str>),
    /// The next packet is of this link type.
    LinkType(u32),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<&'static str> for Fault {
    fn from(why: &'static str) -> Self {
        Self::Says(why.into())
    }
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Says(why.into())
    }
}
