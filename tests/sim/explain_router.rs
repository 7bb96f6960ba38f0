//! What the switch says ahead of a packet's coming, of steps 5 to 8: NAT, route and neighbours. See
//! `explain`.

use core::time::Duration;

use lab::wire::{RST, SYN, frame};
use lab::{Lab, Packet};
use nat::facts::{DnatReason, Endpoints};
use nat::masquerade::RuleMatch;
use packet::DropReason;
use packet::icmp::IcmpError;
use switch::change::{Hop, Reject};
use switch::trace::{Answer, Fate, Note, Step, Untold};
use switch::view::{NeighborState, Target};
use switch::{Change, Explanation};

use crate::common::{crossing, home, masqueraded, notes};

/// What would become of a packet to the router beside a port.
fn explained(lab: &Lab, port: &str, interface: &str, packet: &Packet) -> Explanation {
    lab.explain(port, &frame(lab.router_mac(interface), lab.mac(port)).ip(packet))
}

fn ends(explanation: &Explanation) -> (String, Option<String>) {
    let note = explanation.notes.iter().find_map(|(_, note)| match note {
        Note::Snat { before, after, .. } => Some((before, after)),
        _ => None,
    });
    let (before, after) = note.unwrap_or_else(|| panic!("not translated: {explanation:?}"));
    let words = |ends: &Endpoints| format!("{}:{:?}", ends.source, ends.ports.map(|ports| ports.0));
    (words(before), after.as_ref().map(words))
}

/// RT2, RT3, RT11.
#[test]
fn the_router_tells_its_route_and_its_refusals() {
    let mut lab = crossing();
    lab.route_to("10.9.0.0/16", Hop::Reject(Reject::Prohibit));
    let right = lab.interface_id("right");
    let told = |to: &str, ttl| {
        let packet = Packet::udp("10.1.0.2:1000", &*format!("{to}:2000"), b"?").ttl(ttl);
        explained(&lab, "left", "left", &packet)
    };
    let expected =
        |net: &str, target| Note::Route { route: Some((net.parse().unwrap(), target)), ttl: 64 };
    let explanation = told("10.2.0.2", 64);
    assert_eq!(
        notes(&explanation, Step::Route),
        [&expected("10.2.0.0/24", Target::Connected(right))]
    );
    let [
        Note::NextHop { known: None, address, .. },
        Note::Waits { waiting: 1, lost: None, is_own: false, .. },
    ] = notes(&explanation, Step::Deliver)[..]
    else {
        panic!("{explanation:?}")
    };
    assert_eq!(
        (address.to_string(), explanation.fate()),
        ("10.2.0.2".into(), Some(Ok(Fate::Held)))
    );
    for (to, ttl, reason, error) in [
        ("10.2.0.2", 1, DropReason::TtlExpired, IcmpError::TtlExceeded),
        ("198.51.100.7", 64, DropReason::NoRoute, IcmpError::NetUnreachable),
        ("10.9.1.1", 64, DropReason::Prohibited, IcmpError::Prohibited),
    ] {
        let explanation = told(to, ttl);
        assert_eq!((explanation.fate(), explanation.last), (Some(Err(reason)), Step::Route));
        let (to, from) = ("10.1.0.2".parse().unwrap(), "10.1.0.1".parse().unwrap());
        let told = Note::Told { error, to, from };
        assert!(notes(&explanation, Step::Route).contains(&&told), "{explanation:?}");
    }
    let to_group = told("224.0.0.5", 64);
    assert_eq!((to_group.fate(), to_group.last), (Some(Err(DropReason::Multicast)), Step::Decide));
}

/// RT6, AR6.
#[test]
fn a_silent_neighbour_and_a_held_back_error_are_told() {
    let mut lab = crossing();
    lab.change(Change::SetErrorRate { rate: 0, burst: 0 });
    let packet = Packet::udp("10.1.0.2:1000", "10.2.0.77:2000", b"?");
    lab.ip("left", &packet);
    lab.run_for(Duration::from_millis(3500));
    let explanation = explained(&lab, "left", "left", &packet);
    assert_eq!(explanation.fate(), Some(Err(DropReason::NoNeighbor)));
    let [Note::NextHop { known: Some(known), .. }, Note::NotTold(Untold::RateLimited)] =
        notes(&explanation, Step::Deliver)[..]
    else {
        panic!("{explanation:?}")
    };
    assert_eq!(known.state, NeighborState::Failed);
}

/// NU1, NC1.
#[test]
fn masquerade_tells_its_rule_the_flow_and_the_exception() {
    let mut lab = home();
    let mut rule = lab.rule("192.168.0.0/24", "wan");
    rule.except = vec!["198.51.100.64/28".parse().unwrap()];
    lab.masquerade_with(rule);
    let out = Packet::udp("192.168.0.2:4000", "198.51.100.7:53", b"?");
    let translated = |explanation: &Explanation| {
        let found = notes(explanation, Step::NatOutbound);
        let [Note::Snat { flow, is_new, rule_matches, .. }] = found[..] else {
            panic!("{explanation:?}")
        };
        (flow.map(|flow| flow.is_reply), *is_new, rule_matches.clone())
    };
    let first = explained(&lab, "red", "br0", &out);
    assert_eq!(translated(&first), (Some(false), true, vec![RuleMatch::Covers]));
    let (before, after) = ends(&first);
    assert_eq!(
        (before.as_str(), after.as_deref()),
        ("192.168.0.2:Some(4000)", Some("203.0.113.1:Some(4000)"))
    );
    assert!(lab.switch().flows(lab.now()).is_empty(), "nothing was kept by asking");
    lab.ip("red", &out);
    lab.clear();
    let second = explained(&lab, "red", "br0", &out);
    assert_eq!(translated(&second), (Some(false), false, vec![RuleMatch::Covers]));
    let back = Packet::udp("198.51.100.7:53", "203.0.113.1:4000", b"!");
    let reply = explained(&lab, "wan", "wan", &back);
    let [
        Note::Dnat {
            found: Some(DnatReason::Flow),
            flow: Some(flow),
            before,
            after,
            own: None,
            ..
        },
    ] = notes(&reply, Step::NatInbound)[..]
    else {
        panic!("{reply:?}")
    };
    assert!(flow.is_reply);
    assert_eq!(
        (before.destination.to_string(), after.destination.to_string()),
        ("203.0.113.1".into(), "192.168.0.2".into())
    );
    let excepted =
        explained(&lab, "red", "br0", &Packet::udp("192.168.0.2:4000", "198.51.100.70:53", b"?"));
    let net = "198.51.100.64/28".parse().unwrap();
    assert_eq!(translated(&excepted), (None, false, vec![RuleMatch::Excepted(net)]));
    assert_eq!(ends(&excepted).1.as_deref(), Some("192.168.0.2:Some(4000)"), "as it was");
}

/// NU10, NC4.
#[test]
fn published_ports_and_refused_flows_are_told() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:9000/udp", "192.168.0.3:90");
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    let syn = Packet::tcp("198.51.100.9:5000", "203.0.113.1:8080", SYN, b"");
    let explanation = explained(&lab, "wan", "wan", &syn);
    let [Note::Dnat { found: Some(DnatReason::Publish), publish: Some(2), after, own: None, .. }] =
        notes(&explanation, Step::NatInbound)[..]
    else {
        panic!("{explanation:?}")
    };
    assert_eq!(
        (after.destination.to_string(), after.ports),
        ("192.168.0.2".into(), Some((5000, 80)))
    );
    let hairpin = Packet::tcp("192.168.0.3:5000", "203.0.113.1:8080", SYN, b"");
    let explanation = explained(&lab, "blue", "br0", &hairpin);
    assert_eq!(
        ends(&explanation).1.as_deref(),
        Some("203.0.113.1:Some(5000)"),
        "by the outside address"
    );
    let stray = Packet::tcp("198.51.100.9:5000", "203.0.113.1:8080", RST, b"");
    let explanation = explained(&lab, "wan", "wan", &stray);
    assert_eq!(
        (explanation.fate(), explanation.last),
        (Some(Err(DropReason::NatNoFlow)), Step::NatInbound)
    );
    lab.limits(0, 0);
    let explanation =
        explained(&lab, "red", "br0", &Packet::ping("192.168.0.2", "198.51.100.7", 1, 1));
    assert_eq!(
        (explanation.fate(), explanation.last),
        (Some(Err(DropReason::NatTableFull)), Step::NatOutbound)
    );
    let [Note::Snat { flow: None, after: None, rule_matches, .. }, ..] =
        notes(&explanation, Step::NatOutbound)[..]
    else {
        panic!("{explanation:?}")
    };
    assert_eq!(*rule_matches, [RuleMatch::Covers]);
}

/// RT11.
#[test]
fn what_the_router_answers_itself_is_told() {
    let lab = home();
    let ping = explained(&lab, "red", "br0", &Packet::ping("192.168.0.2", "192.168.0.1", 1, 1));
    assert!(notes(&ping, Step::NatInbound).contains(&&Note::Answered(Answer::Echo)));
    assert_eq!(ping.fate(), Some(Ok(Fate::Consumed)));
    let syn = Packet::tcp("192.168.0.2:5000", "192.168.0.1:22", SYN, b"");
    let refused = explained(&lab, "red", "br0", &syn);
    assert!(notes(&refused, Step::NatInbound).contains(&&Note::Answered(Answer::Reset)));
    assert_eq!(refused.fate(), Some(Err(DropReason::PortUnreachable)));
}

/// RT5, NT7.
#[test]
fn who_asks_from_outside_for_an_address_inside_is_not_answered() {
    let lab = masqueraded();
    let explanation =
        explained(&lab, "wan", "wan", &Packet::ping("203.0.113.254", "192.168.0.1", 1, 1));
    assert_eq!(explanation.fate(), Some(Err(DropReason::Unsolicited)));
    assert!(explanation.sent.is_empty());
}
