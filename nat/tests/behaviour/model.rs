//! Mappings and flows against a naive model of RFC 4787: lists that are searched from front to
//! back.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use tapswitch_nat::{Filtering, Masquerade, PortRange};

use crate::common::*;

type End = (Ipv4Addr, u16);

/// What RFC 4787 asks, without times or tables: who was mapped where, and who spoke to whom.
struct Model {
    filtering: Filtering,
    mapped: Vec<(End, u16)>,
    /// Inside end, remote end, last packet that refreshed it, whether it is mutual.
    flows: Vec<(End, End, u64, bool)>,
}

const LIFE: u64 = 300;

impl Model {
    fn forget(&mut self, now: u64) {
        self.flows.retain(|flow| flow.2 + LIFE > now);
        let flows = &self.flows;
        self.mapped.retain(|(inside, _)| flows.iter().any(|flow| flow.0 == *inside));
    }

    fn external(&self, inside: End) -> Option<u16> {
        let mut mapped = self.mapped.iter();
        mapped.find(|(owner, _)| *owner == inside).map(|(_, port)| *port)
    }

    fn outbound(&mut self, now: u64, inside: End, remote: End, port: u16) {
        if self.external(inside).is_none() {
            self.mapped.push((inside, port));
        }
        let mut flows = self.flows.iter_mut();
        match flows.find(|flow| (flow.0, flow.1) == (inside, remote)) {
            Some(flow) => (flow.2, flow.3) = (now, true),
            None => self.flows.push((inside, remote, now, true)),
        }
    }

    /// Whom a packet from outside reaches.
    fn inbound(&mut self, now: u64, remote: End, port: u16) -> Option<End> {
        let (inside, _) = *self.mapped.iter().find(|(_, external)| *external == port)?;
        let mut flows = self.flows.iter_mut();
        if let Some(flow) = flows.find(|flow| (flow.0, flow.1) == (inside, remote)) {
            if flow.3 {
                flow.2 = now;
            }
            return Some(inside);
        }
        let admitted = match self.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => {
                self.flows.iter().any(|flow| flow.0 == inside && flow.1.0 == remote.0)
            }
            Filtering::AddressAndPortDependent => false,
        };
        if !admitted {
            return None;
        }
        self.flows.push((inside, remote, now, false));
        Some(inside)
    }
}

#[derive(Copy, Clone, Debug)]
enum Step {
    Out(u8, u16, usize),
    In(usize, u16),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (2u8..6, 4000u16..4004, 0usize..4).prop_map(|(host, port, to)| Step::Out(host, port, to)),
        4 => (0usize..4, 4000u16..4008).prop_map(|(from, port)| Step::In(from, port)),
        1 => (1u64..200).prop_map(Step::Wait),
    ]
}

const REMOTES: [End; 4] = [(REMOTE, 53), (REMOTE, 54), (OTHER, 53), (OTHER, 54)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nat_agrees_with_a_naive_model(
        filtering in prop::sample::select(vec![
            Filtering::EndpointIndependent, Filtering::AddressDependent, Filtering::AddressAndPortDependent,
        ]),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let rule = Masquerade {
            filtering,
            // As many of each parity as there are endpoints of it, and what rests is left.
            ports: PortRange::new(4000, 4031),
            ..inside_rule()
        };
        let mut router = Router::with(vec![rule], vec![]);
        let mut model = Model { filtering, mapped: vec![], flows: vec![] };
        let mut now = 0;
        for step in steps {
            model.forget(now);
            match step {
                Step::Wait(span) => {
                    now += span;
                    if span % 2 == 0 {
                        router.nat.timeout(s(now));
                    }
                    model.forget(now);
                    prop_assert_eq!(router.nat.flows(s(now)).count(), model.flows.len());
                }
                Step::Out(host, port, to) => {
                    let (inside, remote) = ((Ipv4Addr::new(192, 168, 0, host), port), REMOTES[to]);
                    let known = model.external(inside);
                    let packet = router.pass(s(now), udp(inside, remote)).sent();
                    let ((address, external), destination) = ends(&packet);
                    prop_assert_eq!((address, destination), (EXTERNAL, remote));
                    prop_assert_eq!(known.unwrap_or(external), external, "endpoint-independent");
                    prop_assert_eq!(external % 2, port % 2);
                    let others = |(owner, used): &(End, u16)| *used == external && *owner != inside;
                    prop_assert!(!model.mapped.iter().any(others), "overloaded");
                    model.outbound(now, inside, remote, external);
                }
                Step::In(from, port) => {
                    let expected = model.inbound(now, REMOTES[from], port);
                    match router.pass(s(now), udp(REMOTES[from], (EXTERNAL, port))) {
                        Outcome::Sent(packet, _) => {
                            prop_assert_eq!(Some(ends(&packet).1), expected);
                            prop_assert_eq!(ends(&packet).0, REMOTES[from]);
                        }
                        _ => prop_assert_eq!(expected, None),
                    }
                }
            }
        }
    }
}
