//! Why a comparison could not be made, in one sentence each. A difference is none of these.

use std::io;
use std::path::PathBuf;

use super::scenario::ScenarioError;
use labfile::ConfigError;
use labfile::printable;
use offline::capture::CaptureError;

/// No comparison was made, or it broke off.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A program of Open vSwitch's is not there.
    #[error(
        "`{0}` is not installed, and there is nothing to compare with; on Debian, `apt install openvswitch-switch` brings Open vSwitch (it need not be started)"
    )]
    Missing(&'static str),
    /// A program could not be started, or ended badly.
    #[error("`{program}` failed: {wrong}")]
    Program {
        /// Which.
        program: &'static str,
        /// What it said.
        wrong: String,
    },
    /// The private directory, or a file in it.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// The running Open vSwitch did not answer, or not as expected.
    #[error("Open vSwitch, asked for `{asked}`, {wrong}")]
    Answer {
        /// The command.
        asked: String,
        /// What it did instead.
        wrong: String,
    },
    /// Our own switch refuses a part of the scenario.
    #[error("the switch refuses the scenario: {0}")]
    Change(switch::ChangeError),
    /// The scenario file is wrong.
    #[error("{file}: {error}")]
    Scenario {
        /// Its name.
        file: String,
        /// What is wrong.
        error: ScenarioError,
    },
    /// The scenario file's lab is wrong.
    #[error(transparent)]
    Lab(#[from] ConfigError),
    /// A step of the scenario file is wrong.
    #[error("{file}: step {number}: {wrong}")]
    Step {
        /// The file's name.
        file: String,
        /// Counts from 1.
        number: usize,
        /// What is wrong, and what to write.
        wrong: String,
    },
    /// The scenario file is not TOML, or has an unknown key.
    #[error("{file}: {error}")]
    Toml {
        /// The file's name.
        file: String,
        /// The parser's words.
        error: Box<toml::de::Error>,
    },
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The capture is larger than a comparison.
    #[error(
        "{path} holds more than {mebibytes} MiB of frames, and a comparison holds all of them: take a part of it, with \
         `editcap -r {path} part.pcap 1-100000`",
        path = printable::path(path)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        mebibytes: usize,
    },
    /// The port that a capture should enter on does not exist.
    #[error("no port is called {port:?}; the scenario's are {known}")]
    Port {
        /// As typed.
        port: String,
        /// The names there are.
        known: String,
    },
}
