//! What became of one frame, as a value for whoever shows it.

use serde::Serialize;

use control::view::DropView;

/// One thing that happened, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Account {
    /// When: nanoseconds since the first frame.
    pub at: u64,
    /// What happened.
    pub cause: Cause,
    /// What became of the frame that came in; none when none did.
    pub fate: Option<Fate>,
    /// What the switch sent, in order.
    pub sent: Vec<Sent>,
    /// What ended beside the frame: earlier ones, and copies of this one.
    pub drops: Vec<DropView>,
    /// What a daemon would log.
    pub notices: Vec<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The ports came up.
    Start,
    /// A timer ran.
    Timer,
    /// A frame came in.
    Frame(Arrival),
    /// Somebody changed something, or a port came or went.
    Change(String),
}

/// A frame that came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// Where.
    pub input: String,
    /// How much of it was captured.
    pub bytes: usize,
    /// Whether it was longer.
    pub truncated: bool,
    /// What it is, in a few words.
    pub words: String,
}

/// What became of a frame that came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It left, on one port or more.
    Sent,
    /// It waits, for a neighbour or for the rest of its packet.
    Held,
    /// It was for the switch itself.
    Consumed,
    /// It ended.
    Dropped {
        /// The reason's short name.
        reason: String,
        /// What it means.
        meaning: String,
    },
}

/// Something that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Whose it is.
    pub part: Part,
    /// Its bytes, without the tags of its copies.
    pub bytes: usize,
    /// The ports and remote VTEPs that got it.
    pub to: Vec<String>,
    /// What it is, in a few words.
    pub words: String,
}

/// Whose a frame is that left.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The frame that came in, or a piece of it.
    Frame,
    /// One that had waited.
    Released,
    /// The switch's own.
    Spoken,
}
