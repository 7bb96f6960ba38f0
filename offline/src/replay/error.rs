//! Why captures cannot be replayed, a sentence each.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use switch::ChangeError;

use crate::capture::CaptureError;
use crate::record::Unreadable;
use labfile::printable;
use labfile::{ConfigError, Name};

/// Why a replay did not begin, or ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An input names nothing that frames come in on.
    #[error("the lab has no port `{name}` to take frames in: it has {}", list(known))]
    NoPort {
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// An input names a tunnel, and not which remote VTEP sent the frames.
    #[error(
        "tunnel `{tunnel}` has several remotes: say who sent the frames, as in --in {tunnel}@{remote}=FILE"
    )]
    WhichRemote {
        /// The tunnel.
        tunnel: Name,
        /// One of them.
        remote: Ipv4Addr,
    },
    /// An input names a far end of a port, which has none.
    #[error("`{name}` is a port, and only tunnels have remotes: write --in {name}=FILE")]
    NoTunnel {
        /// The port.
        name: String,
    },
    /// A capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A file would be replaced.
    #[error("{path} is there already: --force replaces it", path = printable::path(path))]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file would be replaced that is being read.
    #[error("{path} is an input of this replay: write into another directory", path = printable::path(path))]
    IsInput {
        /// The file.
        path: PathBuf,
    },
    /// What leaves cannot be written.
    #[error("{path} cannot be written: {error}", path = printable::path(path))]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] Unreadable),
    /// The lab in a record is none.
    #[error(transparent)]
    Lab(#[from] ConfigError),
    /// A moment is not one of the record's.
    #[error("that is before the record begins")]
    BeforeStart,
    /// The same, at the other end.
    #[error("that is after the record ends, {} seconds after its beginning", span.as_secs_f64())]
    AfterEnd {
        /// How long the record is.
        span: Duration,
    },
    /// The switch refused the lab.
    #[error("the switch refuses the lab: {0}")]
    Switch(#[from] ChangeError),
}

impl ReplayError {
    /// Whether what was typed, or what was given to read, is at fault, and not the machine.
    pub const fn is_wrong_input(&self) -> bool {
        match self {
            Self::NoPort { .. } | Self::WhichRemote { .. } | Self::NoTunnel { .. } => true,
            Self::Capture(_) | Self::Record(_) | Self::Lab(_) | Self::BeforeStart => true,
            Self::AfterEnd { .. } => true,
            Self::Exists { .. } | Self::IsInput { .. } | Self::Write { .. } => false,
            Self::Switch(_) => false,
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
