//! What would become of a frame, and why: told step by step, for people and for programs, and
//! without disturbing the switch.
//!
//! # Theory of operation
//! The switch is copied, and the frame lives in the copy: the true steps decide, and a witness
//! notes down what they saw (`switch::trace`). Nothing is decided here a second time; here is only
//! the telling.
//!
//! | step | file |
//! |---|---|
//! | understand what is asked: digits, a capture, a place | `input` |
//! | copy a running switch, or make one from a lab file | here, `Engine::explain` |
//! | put each note into words | `segment` (steps 0 to 4), `routed` (5 to 8), with `names` |
//! | tell headers a line a layer | `headers` |
//! | what became of it, and what to change | `verdict`, `advice` |
//!
//! Several frames are told in turn, each in the state that the one ahead of it left the copy in: an
//! ARP reply goes ahead of the ping that it lets pass. No time passes between them.

use packet::{Frame, Instant, Pool};
use switch::trace::{Note, Part, Sent, Step};
use switch::view::Location;
use switch::{Explanation, Switch};

use crate::listing::notices::say;
use crate::replay::input::{Source, place};
use crate::replay::stage::Stage;
use crate::replay::{label, words};
use labfile::Lab;
use labfile::ids::Ids;

mod advice;
mod error;
mod headers;
mod input;
mod names;
mod remedies;
mod routed;
mod segment;
#[cfg(test)]
mod tests;
mod verdict;

pub use advice::remedies;
pub use error::ExplainError;
pub use input::{Selection, hex};

use control::explain::{CopyView, Fact, Question, SentView, StepView, Story};
use names::Names;

/// Frames that are explained at once: each answer takes some kilobytes.
pub const MAX_FRAMES: usize = 256;

/// A switch to ask, which nobody else has.
pub struct Scene {
    /// The switch, as it is at `now`.
    pub switch: Switch,
    /// The switch's time.
    pub now: Instant,
    /// Which names its numbers stand for.
    pub ids: Ids,
    /// What it was made from.
    pub lab: Lab,
}

impl Scene {
    /// The switch that a lab file asks for, with every port up and nothing learned.
    fn of_lab(lab: &Lab) -> Result<Self, ExplainError> {
        let mut stage = Stage::new(lab, 0);
        stage.begin(Instant::ZERO)?;
        let Stage { switch, now, ids, .. } = stage;
        Ok(Self { switch, now, ids, lab: lab.clone() })
    }

    /// Lets the frames live here, one after the other.
    pub fn tell(mut self, question: &Question) -> Result<Vec<Story>, ExplainError> {
        if question.frames.len() > MAX_FRAMES {
            return Err(ExplainError::TooMany { what: "these are".to_owned() });
        }
        if question.frames.is_empty() {
            return Err(ExplainError::Empty);
        }
        let frames = question.frames.iter().map(|text| self.frame(&question.input, text));
        let frames: Vec<(Source, Vec<u8>)> = frames.collect::<Result<_, _>>()?;
        let mut pool = Pool::new(1);
        let mut stories = Vec::new();
        for (at, (source, bytes)) in frames.iter().enumerate() {
            let event = source.event(bytes, &mut pool);
            let explanation = self.switch.step_explained(self.now, event);
            let names = Names { ids: &self.ids, lab: &self.lab };
            stories.push(story(names, at + 1, &source.label, bytes, &explanation));
        }
        Ok(stories)
    }

    /// A frame and where it comes in: `PLACE=HEX`, or `HEX` at the place that is `usual`.
    fn frame(&self, usual: &str, text: &str) -> Result<(Source, Vec<u8>), ExplainError> {
        let (written, digits) = text.split_once('=').unwrap_or((usual, text));
        let unknown = || ExplainError::NotAPlace { text: written.to_owned() };
        let (name, remote) = place(written.trim()).ok_or_else(unknown)?;
        Ok((Source::find(&name, remote, &self.lab, &self.ids)?, hex(digits)?))
    }
}

/// What would become of frames in a switch as `lab` makes it, with every port up and nothing
/// learned.
///
/// # Errors
/// See [`ExplainError`].
pub fn in_lab(lab: &Lab, question: &Question) -> Result<Vec<Story>, ExplainError> {
    Scene::of_lab(lab)?.tell(question)
}

fn story(
    names: Names<'_>,
    frame: usize,
    input: &str,
    bytes: &[u8],
    explanation: &Explanation,
) -> Story {
    let notices = explanation.notices.iter().map(|notice| say(names.ids, *notice));
    Story {
        frame,
        input: input.to_owned(),
        bytes: bytes.len(),
        headers: headers::headers(bytes),
        steps: steps(names, explanation),
        sent: explanation.sent.iter().map(|sent| names.sent(sent)).collect(),
        notices: notices.collect(),
        verdict: verdict::verdict(names, explanation),
        advice: advice::advice(names, (input, bytes), explanation),
    }
}

/// All eight, and the one ahead of them where there was one.
fn steps(names: Names<'_>, explanation: &Explanation) -> Vec<StepView> {
    let mut from = None;
    let mut steps: Vec<StepView> = STEPS
        .iter()
        .map(|step| StepView { number: number(*step), name: name(*step).to_owned(), facts: vec![] })
        .collect();
    for (step, note) in &explanation.notes {
        if let Note::Bridged { from: place, .. } = note {
            from = Some(*place);
        }
        if let Some(view) = steps.get_mut(usize::from(number(*step))) {
            view.facts.push(names.fact(note, from));
        }
    }
    if let Some(Err(reason)) = explanation.fate()
        && let Some(view) = steps.get_mut(usize::from(number(explanation.last)))
    {
        let fact = Fact::new("dropped", format!("dropped: {reason}"));
        // Whom it is told comes of it.
        let told = view.facts.iter().position(|fact| fact.what.ends_with("told"));
        let at = told.unwrap_or(view.facts.len());
        view.facts.insert(at, fact.with("reason", reason.name()));
    }
    if steps.first().is_some_and(|decap| decap.facts.is_empty()) && explanation.last != Step::Decap
    {
        steps.remove(0);
    }
    steps
}

const STEPS: [Step; 9] = [
    Step::Decap,
    Step::Parse,
    Step::Learn,
    Step::Arp,
    Step::Decide,
    Step::NatInbound,
    Step::Route,
    Step::NatOutbound,
    Step::Deliver,
];

/// A step's number, as ARCHITECTURE.md has it.
const fn number(step: Step) -> u8 {
    step as u8
}

const fn name(step: Step) -> &'static str {
    match step {
        Step::Decap => "decap",
        Step::Parse => "parse",
        Step::Learn => "learn",
        Step::Arp => "arp",
        Step::Decide => "decide",
        Step::NatInbound => "nat inbound",
        Step::Route => "route",
        Step::NatOutbound => "nat outbound",
        Step::Deliver => "deliver",
    }
}

impl Names<'_> {
    /// A note in words; `from` is where the frame came in.
    fn fact(&self, note: &Note, from: Option<Location>) -> Fact {
        match note {
            Note::Decapsulated { tunnel, remote } => self.decapsulated(*tunnel, *remote),
            Note::Bridged { from, bridge, vlan, tag } => self.bridged(*from, *bridge, *vlan, *tag),
            Note::Routed { port, interface } => self.routed(*port, *interface),
            Note::Speaker { mac, known, learning } => {
                self.speaker(*mac, known.as_ref(), *learning, from)
            }
            Note::Arp { interface, arp, verdict, known, now } => {
                self.arp(*interface, arp, *verdict, known.as_ref(), now.as_ref())
            }
            Note::AnsweredFor { address, mac } => {
                let text = format!("answered for {address}, which is {mac} beyond the tunnel");
                Fact::new("answered-for", text).with("address", address.to_string())
            }
            Note::Addressee { mac, known, verdict } => {
                self.addressee(*mac, known.as_ref(), *verdict)
            }
            Note::Audience(all) => self.audience(all),
            Note::Packet { ends, ttl, len } => self.packet(ends, *ttl, *len),
            Note::Fragment => {
                Fact::new("fragment", "a fragment: it waits for the rest of its packet")
            }
            Note::Whole { fragments } => {
                let text = format!("the last of {fragments} fragments: the packet goes on whole");
                Fact::new("whole", text).with("fragments", *fragments)
            }
            Note::Dnat { found, flow, publish, before, after, own } => {
                self.destined(*found, flow.as_ref(), *publish, (before, after), *own)
            }
            Note::Route { route, ttl } => self.way(*route, *ttl),
            Note::Snat { out, flow, is_new, rule_matches, before, after } => {
                let flow = (flow.as_ref(), *is_new);
                self.translated(*out, flow, rule_matches, (before, after.as_ref()))
            }
            Note::NextHop { interface, address, known } => {
                self.next_hop(*interface, *address, known.as_ref())
            }
            Note::Waits { address, waiting, lost, is_own } => {
                routed::waits(*address, *waiting, *lost, *is_own)
            }
            Note::Released { address, packets } => {
                let text = match packets {
                    1 => format!("a packet that waited for {address} is let go"),
                    _ => format!("{packets} packets that waited for {address} are let go"),
                };
                Fact::new("released", text).with("packets", *packets)
            }
            Note::Cut { mtu } => {
                Fact::new("cut", format!("larger than the MTU of {mtu} bytes: cut"))
                    .with("mtu", *mtu)
            }
            Note::Answered(answer) => routed::answered(*answer),
            Note::Told { error, to, from } => routed::told(*error, *to, *from),
            Note::NotTold(why) => routed::not_told(*why),
            Note::Unsent => Fact::new(
                "unsent",
                "that cannot leave after all: there is no way, or an inside address would leave with it",
            ),
        }
    }

    fn sent(&self, sent: &Sent) -> SentView {
        let bytes = sent.frame.bytes();
        let copy = |copy: &switch::Egress| CopyView {
            port: label(self.ids, copy.port, copy.remote),
            vlan: copy.tag.and_then(|tag| tag.vlan()).map(|vlan| vlan.number()),
        };
        let part = match sent.part {
            Part::Frame => "frame",
            Part::Released => "released",
            Part::Spoken => "spoken",
        };
        SentView {
            part: part.to_owned(),
            to: sent.copies.iter().map(copy).collect(),
            headers: headers::headers(bytes),
            words: words::words(Frame::copied_from(bytes)),
            hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}
