//! The hosts of the demo, and what is proven with them. The numbers are those of the embedded lab
//! file.

use std::net::{Ipv4Addr, SocketAddrV4};

use os::netns::NetnsError;

use super::probe::{self, Call, Party};
use super::steps::Step;

/// Everything the demo proves, in this order.
pub(super) const STEPS: [Step<Scene>; 6] = [
    Step {
        title: "red reaches blue: one bridge, like two hosts on one switch",
        commands: &["ip netns exec tapswitch-red ping -c 3 192.168.0.3"],
        proof: |scene| probe::ping(&scene.red, BLUE, WHOLE),
    },
    Step {
        title: "red reaches its gateway: the switch's own address on the bridge",
        commands: &["ip netns exec tapswitch-red ping -c 3 192.168.0.1"],
        proof: |scene| probe::ping(&scene.red, GATEWAY, WHOLE),
    },
    Step {
        title: "red reaches the outside: routed, and masqueraded as 203.0.113.1",
        commands: &["ip netns exec tapswitch-red ping -c 3 203.0.113.254"],
        proof: |scene| probe::ping(&scene.red, OUTSIDE, ROUTED),
    },
    Step {
        title: "blue reaches the outside the same way",
        commands: &["ip netns exec tapswitch-blue ping -c 3 203.0.113.254"],
        proof: |scene| probe::ping(&scene.blue, OUTSIDE, ROUTED),
    },
    Step {
        title: "the outside sees neither red nor blue, but 203.0.113.1",
        commands: &[
            "ip netns exec tapswitch-red nc -u 203.0.113.254 7",
            "ip netns exec tapswitch-blue nc -u 203.0.113.254 7",
        ],
        proof: |scene| {
            let echo = SocketAddrV4::new(OUTSIDE, ECHO);
            let red = probe::seen_as(&scene.red, &scene.internet, echo, OWN_OUTSIDE)?;
            let blue = probe::seen_as(&scene.blue, &scene.internet, echo, OWN_OUTSIDE)?;
            Ok([red, blue].concat())
        },
    },
    Step {
        title: "the outside reaches the port that red has published",
        commands: &["ip netns exec tapswitch-internet nc 203.0.113.1 8080"],
        proof: |scene| {
            probe::call(&Call {
                from: &scene.internet,
                to: &scene.red,
                service: SocketAddrV4::new(RED, SERVICE),
                at: SocketAddrV4::new(OWN_OUTSIDE, PUBLISHED),
                caller: OUTSIDE,
            })
        },
    },
];

/// The namespaces of the demo's hosts.
#[derive(Debug)]
pub(super) struct Scene {
    red: Party,
    blue: Party,
    internet: Party,
}

impl Scene {
    /// Finds the namespaces, which the lab has just made.
    pub(super) fn enter() -> Result<Self, NetnsError> {
        Ok(Self {
            red: Party::enter("red", "tapswitch-red")?,
            blue: Party::enter("blue", "tapswitch-blue")?,
            internet: Party::enter("the outside", "tapswitch-internet")?,
        })
    }
}

const RED: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
const BLUE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 3);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);
const OWN_OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// RFC 862.
const ECHO: u16 = 7;
const SERVICE: u16 = 80;
const PUBLISHED: u16 = 8080;
/// The TTL of an answer that no router has passed on.
const WHOLE: u8 = 64;
/// And of one that one router has.
const ROUTED: u8 = 63;

#[cfg(test)]
mod tests {
    use super::*;
    use labfile::{self, Lab, Segment};

    fn address(lab: &Lab, port: &str) -> Ipv4Addr {
        lab.ports[port].address[0].addr()
    }

    #[test]
    fn the_numbers_are_those_of_the_embedded_lab() {
        let lab = labfile::parse(labfile::demo().as_bytes(), "demo.toml").unwrap();
        assert_eq!(address(&lab, "red"), RED);
        assert_eq!(address(&lab, "blue"), BLUE);
        assert_eq!(address(&lab, "wan"), OUTSIDE);
        assert_eq!(lab.bridges["br0"].router[0].addr(), GATEWAY);
        let Segment::Routed { router, .. } = &lab.ports["wan"].segment else { panic!("wan") };
        assert_eq!(router[0].addr(), OWN_OUTSIDE);
        let (listener, target) = lab.publish.first_key_value().unwrap();
        assert_eq!(listener.to_string(), format!("{OWN_OUTSIDE}:{PUBLISHED}/tcp"));
        assert_eq!(target.to_string(), format!("{RED}:{SERVICE}"));
        let names: Vec<String> = lab.ports.values().map(|port| port.attach.to_string()).collect();
        assert_eq!(
            names,
            ["netns tapswitch-blue", "netns tapswitch-red", "netns tapswitch-internet"]
        );
    }
}
