//! What the switch says ahead of a step, held against the step: the same frames to the same places,
//! the same fate under the same reason, and not a trace of the question in the switch itself.

use core::fmt::Write;

use packet::{BridgeId, DropReason, Frame, Instant, PortId};
use switch::trace::{Fate, Learning, Note, Verdict};
use switch::view::StationOrigin;
use switch::{Egress, Event, Explanation, Switch, Totals};

use crate::lab::Lab;

/// Bridges and tunnels that are looked at; no test has more.
const MOST: u16 = 64;

/// An explanation, with what the switch was like ahead of the step.
pub(crate) struct Foretold {
    explanation: Explanation,
    totals: Totals,
    drops: Vec<(PortId, DropReason, u64)>,
}

impl Lab {
    /// From here on the switch is asked about every step ahead of it, and has to be right.
    pub const fn foretell(&mut self) {
        self.foretells = true;
    }

    /// What would become of a frame from the end of a port's cable.
    pub fn explain(&self, port: &str, bytes: &[u8]) -> Explanation {
        let port = self.names.port(port);
        self.switch.explain(self.now, Event::Frame { port, frame: Frame::copied_from(bytes) })
    }
}

impl Foretold {
    /// Asks, and asserts that the question changes nothing.
    pub(crate) fn of(switch: &Switch, now: Instant, event: &Event) -> Self {
        let before = everything(switch, now);
        let explanation = switch.explain(now, event.clone());
        assert_eq!(before, everything(switch, now), "a question changed the switch");
        Self { explanation, totals: switch.totals(), drops: switch.drops() }
    }

    /// Asserts that the step did what was said.
    pub(crate) fn came_true(&self, switch: &Switch, now: Instant, sent: &[(Frame, Vec<Egress>)]) {
        let Self { explanation, totals: old, drops } = self;
        let said: Vec<_> =
            explanation.sent.iter().map(|sent| (&sent.frame, &sent.copies)).collect();
        let left: Vec<_> = sent.iter().map(|(frame, copies)| (frame, copies)).collect();
        assert_eq!(said, left, "other frames leave than was said: {explanation:?}");
        let new = switch.totals();
        let Some(fate) = explanation.fate() else {
            return assert_eq!(old.received, new.received, "a frame that nobody spoke of");
        };
        assert_eq!(new.received, old.received + 1);
        let (port, _) = explanation.outcome.unwrap();
        match fate {
            Ok(Fate::Sent) => assert!(new.sent > old.sent, "{explanation:?}"),
            Ok(Fate::Consumed) => assert!(new.consumed > old.consumed),
            // Others may have stopped waiting meanwhile: the fragments that it was put together
            // from.
            Ok(Fate::Held) => assert!(new.held > 0, "{explanation:?}"),
            Err(reason) => {
                let count = |drops: &[(PortId, DropReason, u64)]| {
                    let mut same = drops.iter().filter(|drop| (drop.0, drop.1) == (port, reason));
                    same.next().map_or(0, |drop| drop.2)
                };
                assert!(count(&switch.drops()) > count(drops), "{reason}: {explanation:?}");
                assert!(new.dropped > old.dropped);
            }
        }
        self.stands_to_its_notes(switch, now);
    }

    /// What was noted of tables is what stands there now.
    fn stands_to_its_notes(&self, switch: &Switch, now: Instant) {
        let mut segment = None;
        for (_, note) in &self.explanation.notes {
            match note {
                Note::Bridged { from, bridge, vlan, .. } => segment = Some((*from, *bridge, *vlan)),
                Note::Speaker { mac, known, learning: Learning::Here } => {
                    let Some((from, bridge, vlan)) = segment else { panic!("learned nowhere") };
                    let stations = switch.stations(now, bridge);
                    let station =
                        stations.iter().find(|s| (s.mac, s.vlan) == (*mac, vlan)).copied();
                    match known.filter(|known| known.origin != StationOrigin::Learned) {
                        Some(bound) => {
                            assert_eq!(station.map(|s| s.location), Some(bound.location))
                        }
                        None => assert_eq!(station.map(|s| s.location), Some(from)),
                    }
                }
                Note::Addressee { known, verdict: Verdict::Forward(to), .. } => {
                    assert_eq!(known.map(|station| station.location), Some(*to));
                }
                Note::Snat { flow: Some(flow), .. } => {
                    let flows = switch.flows(now);
                    assert!(flows.contains(&flow.view), "{flow:?} is not kept");
                }
                _ => {}
            }
        }
    }
}

/// All that can be seen of a switch, in words.
fn everything(switch: &Switch, now: Instant) -> String {
    let mut words =
        format!("{:?} {:?} {:?}", switch.totals(), switch.drops(), switch.unknown_vteps());
    let tables = (switch.neighbors(), switch.routes(), switch.flows(now), switch.nat_stats());
    let _ = write!(words, "{tables:?} {:?}", switch.next_timeout());
    for bridge in (0..MOST).map(BridgeId::new) {
        let _ = write!(words, "{:?}{:?}", switch.stations(now, bridge), switch.fdb_counts(bridge));
    }
    for tunnel in (0..u32::from(MOST)).map(PortId::new) {
        let _ = write!(words, "{:?}{:?}", switch.received_through(tunnel), switch.silent(tunnel));
    }
    words
}
