//! What to change so that a frame passes: the remedy for its drop, in terms of what it met; or what
//! comes next for one that waits.

use std::collections::BTreeMap;

use packet::{DropReason, Ethernet, Frame, Protocol, Tag};
use switch::trace::{ArpVerdict, Fate, LeftOut, Note, Step, Verdict};
use switch::{Egress, Explanation};

use super::names::Names;
use super::remedies::remedy;
use crate::replay::input::place;

/// The sentences; none for a frame that passes without ado. `came` says where it came in, and its
/// bytes.
pub(super) fn advice(
    names: Names<'_>,
    came: (&str, &[u8]),
    explanation: &Explanation,
) -> Vec<String> {
    let met = Met::of(names, came, explanation);
    let mut sentences = Vec::new();
    match explanation.fate() {
        Some(Err(reason)) => sentences.push(met.fill(remedy(reason))),
        Some(Ok(Fate::Held)) => sentences.push(met.fill(next(explanation))),
        Some(Ok(Fate::Sent | Fate::Consumed)) | None => {}
    }
    for (_, note) in &explanation.notes {
        match note {
            Note::Arp { verdict: ArpVerdict::Suspicious, .. } => {
                sentences.push(met.fill(remedy(DropReason::ArpSpoofed)));
            }
            Note::Arp { verdict: ArpVerdict::Conflict, .. } => {
                sentences.push(met.fill(remedy(DropReason::ArpConflict)));
            }
            Note::Audience(all) => sentences.extend(met.left_out(names, all)),
            _ => {}
        }
    }
    sentences
}

/// Every reason's remedy, for a frame of which nothing else is known: words in capitals stand for
/// names.
pub fn remedies() -> impl Iterator<Item = (DropReason, String)> {
    let met = Met::default();
    DropReason::ALL.iter().map(move |reason| (*reason, met.fill(remedy(*reason))))
}

/// What a packet that waits is waiting for.
fn next(explanation: &Explanation) -> &'static str {
    match explanation.notes.iter().any(|(_, note)| *note == Note::Fragment) {
        true => {
            "It goes on when the other fragments are there: explain them with it, each with a --frame of its own."
        }
        false => {
            "It goes on when {hop} answers ARP on {away} within 3 s: explain the answer behind it, as one more `--frame \
             PORT=HEX`, or bind the neighbour, `tapswitch neigh add {hop} --mac MAC`."
        }
    }
}

/// What a frame met on its way, by the words that stand for it in remedies.
#[derive(Default)]
struct Met(BTreeMap<&'static str, String>);

impl Met {
    fn of(names: Names<'_>, (input, bytes): (&str, &[u8]), explanation: &Explanation) -> Self {
        let mut met = Self::default();
        if let Ok(ethernet) = Ethernet::parse(Frame::copied_from(bytes)) {
            met.put("smac", ethernet.source());
            met.put("dmac", ethernet.destination());
            if let Some(vlan) = ethernet.tag().and_then(Tag::vlan) {
                met.put("tag", vlan);
            }
        }
        if let Some((port, _)) = explanation.outcome {
            met.put("port", names.port(port));
            met.put("out", names.port(port));
        }
        if let Some((tunnel, remote)) = place(input) {
            met.put("tunnel", tunnel);
            remote.into_iter().for_each(|remote| met.put("remote", remote));
        }
        for (step, note) in &explanation.notes {
            met.meet(names, *step, note);
        }
        if let Some(Egress { port, .. }) = explanation.sent.first().and_then(|s| s.copies.first()) {
            met.0.entry("out").or_insert_with(|| names.port(*port));
        }
        met
    }

    fn put(&mut self, word: &'static str, value: impl ToString) {
        self.0.insert(word, value.to_string());
    }

    fn meet(&mut self, names: Names<'_>, step: Step, note: &Note) {
        match note {
            Note::Bridged { from, bridge, vlan, .. } => {
                self.put("port", from.port().map_or_else(String::new, |port| names.port(port)));
                self.put("bridge", names.bridge(*bridge));
                self.put("vlan", vlan.number());
                self.put("tag", vlan.number());
            }
            Note::Routed { interface, .. } => self.own(names, *interface),
            Note::Addressee { verdict, .. } => match verdict {
                Verdict::Forward(to) => {
                    self.put("out", to.port().map_or_else(String::new, |to| names.port(to)));
                }
                Verdict::Router(interface) => self.own(names, *interface),
                Verdict::Group | Verdict::Unknown | Verdict::Hub | Verdict::Refused(_) => {}
            },
            Note::Packet { ends, .. } => {
                self.put("src", ends.source);
                self.put("dst", ends.destination);
                let transport = if ends.protocol == Protocol::UDP { "udp" } else { "tcp" };
                let port = ends.ports.filter(|_| ends.protocol != Protocol::ICMP);
                let port = port.map_or_else(|| "PORT".to_owned(), |(_, port)| port.to_string());
                self.put("listen", format!("{}:{port}/{transport}", ends.destination));
            }
            Note::Route { route: Some((net, _)), .. } if step == Step::Route => {
                self.put("net", net)
            }
            Note::Snat { out, rule_matches, .. } => {
                self.put("away", names.interface(*out));
                let covers = |said: &nat::RuleMatch| *said == nat::RuleMatch::Covers;
                if let Some(at) = rule_matches.iter().position(covers) {
                    self.put("rule", at + 1);
                }
            }
            Note::NextHop { interface, address, .. } if step == Step::Deliver => {
                self.put("hop", address);
                self.put("away", names.interface(*interface));
            }
            _ => {}
        }
    }

    fn own(&mut self, names: Names<'_>, interface: packet::InterfaceId) {
        let all = names.lab.interfaces();
        let own = all.iter().find(|own| names.ids.known_interface(&own.name) == Some(interface));
        if let Some(own) = own {
            self.put("own", own.mac);
        }
    }

    /// Remedies for ports that were to get a copy of a flooded frame and may not, one a reason.
    fn left_out(
        &self,
        names: Names<'_>,
        all: &[(packet::PortId, Result<Option<Tag>, LeftOut>)],
    ) -> Vec<String> {
        let mut told = Vec::new();
        let mut sentences = Vec::new();
        for (port, verdict) in all {
            // Whoever is in another VLAN, or where the frame came from, was never to get it.
            let Err(LeftOut::Refused(reason)) = verdict else { continue };
            let is_wanted = matches!(
                reason,
                DropReason::PortDown
                    | DropReason::ExceedsPortMtu
                    | DropReason::ExceedsTunnelMtu
                    | DropReason::Isolated
            );
            if is_wanted && !told.contains(reason) {
                told.push(*reason);
                let mut met = Self(self.0.clone());
                met.put("out", names.port(*port));
                let sentence = met.fill(remedy(*reason));
                sentences.push(format!("For {} to get it too: {sentence}", names.port(*port)));
            }
        }
        sentences
    }

    /// A remedy with its words filled in; what is not known stands in capitals.
    fn fill(&self, text: &str) -> String {
        let mut rest = text;
        let mut filled = String::new();
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((word, after)) = behind.split_once('}') else { break };
            filled.push_str(before);
            match (self.0.get(word), word) {
                (Some(value), _) => filled.push_str(value),
                // Where a number must stand.
                (None, "vlan") => filled.push('0'),
                (None, "rule" | "tag") => filled.push('1'),
                (None, word) => filled.push_str(stand_in(word)),
            }
            rest = after;
        }
        filled + rest
    }
}

/// What stands for a thing that the frame did not meet.
fn stand_in(word: &str) -> &'static str {
    match word {
        "port" | "out" => "PORT",
        "bridge" => "BRIDGE",
        "away" => "INTERFACE",
        "tunnel" => "TUNNEL",
        "smac" | "dmac" | "own" => "02:00:00:00:00:01",
        "net" => "NETWORK",
        "listen" => "ADDRESS:PORT",
        _ => "192.0.2.1",
    }
}
