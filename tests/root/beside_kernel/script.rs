//! What is played: cases, which are steps, which are frames on a wire.

use std::collections::BTreeSet;
use std::time::Duration;

use lab::wire::{Packet, frame};
use packet::Mac;

use super::wires::{Patience, Wire};

/// One situation with a name, played from an empty table of flows.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) steps: Vec<Step>,
}

/// Frames that enter the router on one wire, all at once.
pub(crate) struct Step {
    pub(crate) wire: Wire,
    what: What,
    pub(crate) patience: Option<Patience>,
}

enum What {
    /// To the router's Ethernet address, numbered by identification.
    Packets(Vec<Packet>),
    /// From Ethernet header to end.
    Frames(Vec<Vec<u8>>),
    /// Made from the last packet that arrived on the wire.
    Answer(fn(&Packet) -> Packet),
}

/// A case.
pub(crate) fn case(name: &'static str, steps: impl Into<Vec<Step>>) -> Case {
    Case { name, steps: steps.into() }
}

/// A packet for the router to forward.
pub(crate) fn send(wire: Wire, packet: Packet) -> Step {
    all(wire, vec![packet])
}

/// Packets one behind the other.
pub(crate) fn all(wire: Wire, packets: Vec<Packet>) -> Step {
    Step { wire, what: What::Packets(packets), patience: None }
}

/// Frames as they are.
pub(crate) fn frames(wire: Wire, frames: Vec<Vec<u8>>) -> Step {
    Step { wire, what: What::Frames(frames), patience: None }
}

/// Bytes behind an Ethernet header that says IPv4, whatever they are.
pub(crate) fn bytes(wire: Wire, bytes: &[u8]) -> Step {
    frames(wire, vec![frame(wire.router_mac(), wire.mac()).payload(0x0800, bytes)])
}

/// A packet in a broadcast frame.
pub(crate) fn broadcast(wire: Wire, packet: &Packet) -> Step {
    frames(wire, vec![frame(Mac::BROADCAST, wire.mac()).ip(packet)])
}

/// An answer to the last packet that arrived on the wire.
pub(crate) fn answer(wire: Wire, make: fn(&Packet) -> Packet) -> Step {
    Step { wire, what: What::Answer(make), patience: None }
}

impl Step {
    /// The same, but it is not over until so many packets have arrived in all, or so many seconds
    /// have gone by.
    pub(crate) fn until(self, packets: usize, seconds: u64) -> Self {
        let time = Duration::from_secs(seconds);
        Self { patience: Some(Patience { packets, time }), ..self }
    }

    /// Its frames. `last` is what arrived on the wire last; without it there is nothing to answer,
    /// and no frame.
    pub(crate) fn frames(&self, number: usize, last: Option<&Packet>) -> Vec<Vec<u8>> {
        let (to, from) = (self.wire.router_mac(), self.wire.mac());
        match &self.what {
            What::Frames(frames) => frames.clone(),
            What::Packets(packets) => {
                let packets = packets.iter().map(|packet| numbered(packet.clone(), number));
                packets.map(|packet| frame(to, from).ip(&packet)).collect()
            }
            What::Answer(make) => {
                let answer = last.map(|last| numbered(make(last), number));
                answer.map(|packet| frame(to, from).ip(&packet)).into_iter().collect()
            }
        }
    }

    /// One line that says what is sent.
    pub(crate) fn tell(&self) -> String {
        match &self.what {
            What::Packets(packets) => match packets.as_slice() {
                [packet] => format!("{packet:?}"),
                several => format!("{} packets, the first {:?}", several.len(), several.first()),
            },
            What::Frames(frames) => format!("{frames:02x?}"),
            What::Answer(_) => "an answer to what arrived there last".to_owned(),
        }
    }
}

impl Case {
    /// Every port that the script itself names: any other was chosen by a router.
    pub(crate) fn ports(&self) -> BTreeSet<u16> {
        let packets = self.steps.iter().flat_map(|step| match &step.what {
            What::Packets(packets) => packets.as_slice(),
            What::Frames(_) | What::Answer(_) => &[],
        });
        packets.flat_map(|packet| [packet.from().port(), packet.to().port()]).collect()
    }
}

/// The identification of a step's packets that have none: unlike any other step's, and never zero.
const fn identification(number: usize) -> u16 {
    IDENTIFICATIONS + number as u16
}

fn numbered(packet: Packet, number: usize) -> Packet {
    match packet.identification {
        0 => packet.id(identification(number)),
        _ => packet,
    }
}

/// Scripts that write their own write others.
const IDENTIFICATIONS: u16 = 0x5100;
