//! Flows whose rule changes or goes.

use lab::{Lab, Packet};
use nat::Rules;

use crate::common::masqueraded;

use crate::nat_changes::{answered, ask, connected, establish};

/// Changes `lab`'s rules.
fn alter(lab: &mut Lab, change: impl FnOnce(&mut Rules)) {
    let mut rules = lab.rules().clone();
    change(&mut rules);
    lab.set_rules(rules);
    lab.clear();
}

/// NC11: a sender that never pauses follows the rule.
#[test]
fn a_published_datagram_goes_where_its_rule_leads_today() {
    let listen = "203.0.113.1:5140";
    let log = Packet::udp("198.51.100.77:40000", listen, b"log");
    let begun = || {
        let mut lab = masqueraded();
        lab.publish("203.0.113.1:5140/udp", "192.168.0.2:514");
        lab.ip("wan", &log);
        lab.clear();
        lab
    };
    let mut lab = begun();
    alter(&mut lab, |rules| rules.publish[0].to = "192.168.0.3:514".parse().unwrap());
    lab.ip("wan", &log);
    assert_eq!(lab.packet("blue").to().to_string(), "192.168.0.3:514");
    let mut lab = begun();
    alter(&mut lab, |rules| rules.publish.clear());
    lab.ip("wan", &log);
    assert!(lab.packets("red").is_empty(), "the rule is gone");
    let mut lab = begun();
    alter(&mut lab, |rules| rules.publish[0].port = 5141);
    lab.ip("wan", &log);
    assert!(lab.packets("red").is_empty(), "it listens elsewhere");
    let mut lab = begun();
    alter(&mut lab, |rules| {
        let first = nat::Publish { to: "192.168.0.3:514".parse().unwrap(), ..rules.publish[0] };
        rules.publish.insert(0, first);
    });
    lab.ip("wan", &log);
    assert_eq!(lab.packets("blue").len(), 1, "another rule is asked first");
    let mut lab = begun();
    alter(&mut lab, |rules| {
        rules.publish[0].listen = nat::Listen::Any;
        rules.publish.push(nat::Publish { port: 9, ..rules.publish[0] });
    });
    assert_eq!(lab.flows().len(), 1, "what leads to the same stays");
    let mut lab = begun();
    alter(&mut lab, |rules| rules.publish[0].keep = true);
    assert_eq!(lab.flows().len(), 1);
    alter(&mut lab, |rules| rules.publish.clear());
    lab.ip("wan", &log);
    assert_eq!(lab.packet("red").to().to_string(), "192.168.0.2:514", "the rule said keep");
}

/// NC11.
#[test]
fn a_masqueraded_flow_ends_with_what_its_rule_said_of_it() {
    type Alter = fn(&mut Rules);
    let changes: [(&str, Alter); 6] = [
        ("the rule is gone", |rules| rules.masquerade.clear()),
        ("its destination is excepted", |rules| {
            rules.masquerade[0].except.push("198.51.100.0/24".parse().unwrap());
        }),
        ("its source is no longer covered", |rules| {
            rules.masquerade[0].source = "192.168.0.3/32".parse().unwrap();
        }),
        ("its port is out of the range", |rules| {
            rules.masquerade[0].ports = nat::PortRange::new(6000, 6999);
        }),
        ("it is filtered otherwise", |rules| {
            rules.masquerade[0].filtering = nat::Filtering::EndpointIndependent;
        }),
        ("another rule is asked first", |rules| {
            let first = nat::Masquerade {
                mapping: nat::Mapping::AddressAndPortDependent,
                ..rules.masquerade[0].clone()
            };
            rules.masquerade.insert(0, first);
        }),
    ];
    for (why, change) in changes {
        for keep in [false, true] {
            let mut lab = masqueraded();
            alter(&mut lab, |rules| rules.masquerade[0].keep = keep);
            establish(&mut lab);
            ask(&mut lab);
            lab.ip("red", &Packet::ping("192.168.0.2", "198.51.100.9", 6500, 1));
            assert_eq!(lab.flows().len(), 3);
            alter(&mut lab, change);
            let pinged = u16::from(!keep && why != "its port is out of the range");
            let living: Vec<_> = lab.flows().iter().map(|flow| flow.protocol.0).collect();
            let expected = match (keep, pinged) {
                (true, _) => vec![6, 17, 1],
                (false, 0) => vec![6, 1],
                (false, _) => vec![6],
            };
            assert_eq!(living, expected, "{why}, keep {keep}");
            assert!(connected(&mut lab), "{why}: what is established goes on");
        }
    }
    let mut lab = masqueraded();
    ask(&mut lab);
    alter(&mut lab, |rules| {
        rules.masquerade[0].source = "192.168.0.0/16".parse().unwrap();
        rules.masquerade[0].ports = nat::PortRange::new(5000, 5009);
        let other = nat::Masquerade::new("10.0.0.0/8".parse().unwrap(), rules.masquerade[0].out);
        rules.masquerade.insert(0, other);
    });
    assert!(answered(&mut lab), "what says the same of it ends nothing");
}

/// NC11.
#[test]
fn a_hairpin_follows_its_rule() {
    let mut lab = masqueraded();
    lab.publish("203.0.113.1:53/udp", "192.168.0.2:53");
    let ask = Packet::udp("192.168.0.3:5000", "203.0.113.1:53", b"?");
    lab.ip("blue", &ask);
    assert_eq!(lab.packets("red").len(), 1);
    alter(&mut lab, |rules| rules.publish[0].to = "192.168.0.3:53".parse().unwrap());
    lab.ip("blue", &ask);
    assert_eq!(lab.packet("blue").to().to_string(), "192.168.0.3:53");
}
