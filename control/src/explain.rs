//! What is told of one frame, as values for whoever shows it: the command line, or a program that
//! reads JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A question: what would become of these frames, one after the other?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Where they come in: a port, or `TUNNEL@ADDRESS` for a remote VTEP of a tunnel, whose frames
    /// are those inside.
    #[serde(rename = "in")]
    pub input: String,
    /// Each in hexadecimal digits, with `PLACE=` ahead of them where it comes in elsewhere. Each
    /// meets the switch as the one ahead of it would leave it.
    pub frames: Vec<String>,
}

/// The life of one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// Which of the frames it is, from 1.
    pub frame: usize,
    /// Where it comes in.
    #[serde(rename = "in")]
    pub input: String,
    /// Its length.
    pub bytes: usize,
    /// Its headers as it comes, from the outside in.
    pub headers: Vec<String>,
    /// The steps of its life, in order: one ahead of the eight for what comes through a tunnel,
    /// then all eight.
    pub steps: Vec<StepView>,
    /// What leaves the switch, in order.
    pub sent: Vec<SentView>,
    /// What a daemon would log.
    pub notices: Vec<String>,
    /// What became of it.
    pub verdict: VerdictView,
    /// What to change so that it passes, or what comes next; a sentence each.
    pub advice: Vec<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Its number: 0 for the opening of a datagram, then 1 to 8.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// What it saw and decided; empty when the frame did not come so far, or passed through
    /// without a word.
    pub facts: Vec<Fact>,
}

/// One thing that a step saw or decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Its kind, for programs.
    pub what: String,
    /// In words.
    pub text: String,
    /// Its parts, for programs.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

impl Fact {
    /// A fact without parts.
    pub fn new(what: &str, text: impl Into<String>) -> Self {
        Self { what: what.to_owned(), text: text.into(), details: Map::new() }
    }

    /// With one more part.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}

/// Something that leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentView {
    /// `frame`: the one that came in, or a piece of it; `released`: one that had waited; `spoken`:
    /// the switch's own.
    pub part: String,
    /// The ports and remote VTEPs that get it, with the tags that they get it with.
    pub to: Vec<CopyView>,
    /// Its headers as they leave, from the outside in, without a tag.
    pub headers: Vec<String>,
    /// What it is, in a few words.
    pub words: String,
    /// Its bytes without a tag, in hexadecimal digits.
    pub hex: String,
}

/// One copy of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyView {
    /// The port, or `TUNNEL@ADDRESS`.
    pub port: String,
    /// The VLAN of its tag; none when it leaves untagged.
    pub vlan: Option<u16>,
}

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictView {
    /// Whether it goes on: it leaves, waits, or was for the switch itself.
    pub passes: bool,
    /// `sent`, `held`, `consumed` or `dropped`.
    pub fate: String,
    /// The reason's short name, of one that is dropped.
    pub reason: Option<String>,
    /// The step that was the last.
    pub step: u8,
    /// The port that it is counted at.
    pub port: String,
    /// In words.
    pub text: String,
}
