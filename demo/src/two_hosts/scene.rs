//! Who is there, and what is proven with them. The numbers are those of the lab files.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use os::netns::NetnsError;
use packet::Mac;

use super::outer::outer_packet;
use crate::probe::{self, Call, Party, ProbeError, refused};
use crate::steps::Step;

/// What the containers prove of one network across both hosts.
pub(super) const ACROSS: [Step<Containers>; 8] = [
    Step {
        title: "the hosts reach each other: the underlay",
        commands: &["ip netns exec host1 ping -c 3 192.168.10.164"],
        proof: |scene| probe::ping(&scene.host1, UNDERLAY2, WHOLE),
    },
    Step {
        title: "c1 on host1 reaches c2 on host2: ttl 63, its gateway is the one router",
        commands: &["ip netns exec c1 ping -c 3 10.2.0.2"],
        proof: |scene| probe::ping(&scene.c1, C2, ROUTED),
    },
    Step {
        title: "the hosts' own devices on the switch: ttl 64, they are on one cable",
        commands: &["ip netns exec host1 ping -c 3 10.100.0.2"],
        proof: |scene| probe::ping(&scene.host1, OVS2, WHOLE),
    },
    Step {
        title: "d1 on docker0 of host1 reaches d2 on docker0 of host2",
        commands: &["ip netns exec d1 ping -c 3 10.2.0.10"],
        proof: |scene| probe::ping(&scene.d1, D2, ROUTED),
    },
    Step {
        title: "a TCP message to port 8080 crosses, in both directions",
        commands: &["ip netns exec c1 nc 10.2.0.2 8080", "ip netns exec d2 nc 10.1.0.10 8080"],
        proof: |scene| {
            let there = message(&scene.c1, C1, &scene.c2, C2)?;
            let back = message(&scene.d2, D2, &scene.d1, D1)?;
            Ok([there, back].concat())
        },
    },
    Step {
        title: "between the hosts each frame is in a UDP datagram to port 4789",
        commands: &["ip netns exec host2 tcpdump -n -t -i eth0 udp port 4789"],
        proof: |scene| outer_packet(&scene.c1, C2, ROUTED, &scene.host2),
    },
    Step {
        title: "within 10.0.0.0/8 nobody is masqueraded: c2 sees c1 itself",
        commands: &["ip netns exec c1 nc -u 10.2.0.2 7"],
        proof: |scene| probe::seen_as(&scene.c1, &scene.c2, SocketAddrV4::new(C2, ECHO), C1),
    },
    Step {
        title: "towards the outside everybody is: each host has a way out of its own",
        commands: &[
            "ip netns exec c1 nc -u 203.0.113.254 7",
            "ip netns exec d2 nc -u 198.51.100.254 7",
        ],
        proof: |scene| {
            let (first, second) =
                (SocketAddrV4::new(OUTSIDE1, ECHO), SocketAddrV4::new(OUTSIDE2, ECHO));
            let one = probe::seen_as(&scene.c1, &scene.internet1, first, OWN_OUTSIDE1)?;
            let two = probe::seen_as(&scene.d2, &scene.internet2, second, OWN_OUTSIDE2)?;
            Ok([one, two].concat())
        },
    },
];

/// What they prove of one subnet across a routed underlay.
pub(super) const STRETCHED: [Step<Stretched>; 4] = [
    Step {
        title: "between the hosts there is a router now: ttl 63",
        commands: &["ip netns exec host1 ping -c 3 192.168.20.164"],
        proof: |scene| probe::ping(&scene.host1, ROUTED_UNDERLAY2, ROUTED),
    },
    Step {
        title: "s1 on host1 reaches s2 on host2: ttl 64, no router is between them",
        commands: &["ip netns exec s1 ping -c 3 10.5.0.3"],
        proof: |scene| probe::ping(&scene.s1, S2, WHOLE),
    },
    Step {
        title: "s1 knows s2 by its own MAC address, which it asked for by ARP",
        commands: &["ip netns exec s1 ip neigh show 10.5.0.3"],
        proof: |scene| known_by(&scene.s1, S2, scene.s2_mac),
    },
    Step {
        title: "a TCP message to port 8080 crosses",
        commands: &["ip netns exec s1 nc 10.5.0.3 8080"],
        proof: |scene| message(&scene.s1, S1, &scene.s2, S2),
    },
];

/// The hosts, their containers and their outsides.
#[derive(Debug)]
pub(super) struct Containers {
    host1: Party,
    host2: Party,
    c1: Party,
    c2: Party,
    d1: Party,
    d2: Party,
    internet1: Party,
    internet2: Party,
}

impl Containers {
    /// Finds the namespaces, which the labs have just made.
    pub(super) fn enter() -> Result<Arc<Self>, NetnsError> {
        Ok(Arc::new(Self {
            host1: Party::enter("host1", "host1")?,
            host2: Party::enter("host2", "host2")?,
            c1: Party::enter("c1", "c1")?,
            c2: Party::enter("c2", "c2")?,
            d1: Party::enter("d1", "d1")?,
            d2: Party::enter("d2", "d2")?,
            internet1: Party::enter("internet1", "internet1")?,
            internet2: Party::enter("internet2", "internet2")?,
        }))
    }
}

/// A host, and the containers of the stretched subnet.
#[derive(Debug)]
pub(super) struct Stretched {
    host1: Party,
    s1: Party,
    s2: Party,
    s2_mac: Mac,
}

impl Stretched {
    /// Finds the namespaces; the lab knows the address of s2.
    pub(super) fn enter(s2_mac: Mac) -> Result<Arc<Self>, NetnsError> {
        let (host1, s1) = (Party::enter("host1", "host1")?, Party::enter("s1", "s1")?);
        Ok(Arc::new(Self { host1, s1, s2: Party::enter("s2", "s2")?, s2_mac }))
    }
}

fn message(
    from: &Party,
    caller: Ipv4Addr,
    to: &Party,
    at: Ipv4Addr,
) -> Result<Vec<String>, ProbeError> {
    let service = SocketAddrV4::new(at, SERVICE);
    probe::call(&Call { from, to, service, at: service, caller })
}

/// Looks into the kernel's own table of neighbours (proc(5), net/arp).
fn known_by(who: &Party, whom: Ipv4Addr, expected: Mac) -> Result<Vec<String>, ProbeError> {
    let read = who.netns.run(|| std::fs::read_to_string("/proc/thread-self/net/arp"));
    let table = read.and_then(|read| read).map_err(refused("the neighbours cannot be read"))?;
    let whom = whom.to_string();
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = rows.find_map(|row| match row.as_slice() {
        [address, _, _, mac, _, device] if *address == whom => Some((mac.parse::<Mac>(), *device)),
        _ => None,
    });
    match found {
        Some((Ok(mac), device)) if mac == expected => {
            Ok(vec![format!("{whom} dev {device} lladdr {mac}")])
        }
        found => {
            let name = who.name;
            let wrong = format!("{name} knows {found:?} for {whom}, and not {expected}");
            Err(ProbeError::Unexpected(wrong))
        }
    }
}

const UNDERLAY2: Ipv4Addr = Ipv4Addr::new(192, 168, 10, 164);
const ROUTED_UNDERLAY2: Ipv4Addr = Ipv4Addr::new(192, 168, 20, 164);
const C1: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const C2: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 2);
const D1: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 10);
const D2: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 10);
const OVS2: Ipv4Addr = Ipv4Addr::new(10, 100, 0, 2);
const S1: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 2);
const S2: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 3);
const OUTSIDE1: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);
const OUTSIDE2: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 254);
const OWN_OUTSIDE1: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const OWN_OUTSIDE2: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// RFC 862.
const ECHO: u16 = 7;
const SERVICE: u16 = 8080;
/// The TTL of an answer that no router has passed on.
const WHOLE: u8 = 64;
/// And of one that one router has.
const ROUTED: u8 = 63;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::two_hosts::docker;
    use crate::two_hosts::files::{self, LabFile};
    use labfile::{self, Lab, Segment};

    fn lab(file: LabFile) -> Lab {
        labfile::parse(file.text.as_bytes(), file.name).unwrap()
    }

    fn address(lab: &Lab, port: &str) -> Ipv4Addr {
        lab.ports[port].address[0].addr()
    }

    fn own_outside(lab: &Lab) -> Ipv4Addr {
        let Segment::Routed { router, .. } = &lab.ports["wan"].segment else { panic!("wan") };
        router[0].addr()
    }

    #[test]
    fn the_numbers_are_those_of_the_lab_files() {
        let (one, two) = (lab(files::HOST1), lab(files::HOST2));
        assert_eq!((address(&one, "c1"), address(&two, "c2")), (C1, C2));
        assert_eq!(address(&two, "ovs_sw0"), OVS2);
        assert_eq!((address(&one, "wan"), address(&two, "wan")), (OUTSIDE1, OUTSIDE2));
        assert_eq!((own_outside(&one), own_outside(&two)), (OWN_OUTSIDE1, OWN_OUTSIDE2));
        assert_eq!((docker::D1.address.addr(), docker::D2.address.addr()), (D1, D2));
        for (lab, container) in [(&one, docker::D1), (&two, docker::D2)] {
            assert_eq!(lab.bridges["sw0"].router[0].addr(), container.gateway);
            assert_eq!(lab.bridges["sw0"].router[0].trunc(), container.address.trunc());
        }
        assert_eq!(address(&lab(files::UNDERLAY), "host2"), UNDERLAY2);
        assert_eq!(address(&lab(files::ROUTED_UNDERLAY), "host2"), ROUTED_UNDERLAY2);
        assert_eq!(address(&lab(files::STRETCHED1), "s1"), S1);
        assert_eq!(address(&lab(files::STRETCHED2), "s2"), S2);
    }

    #[test]
    fn the_tunnels_lead_to_each_other() {
        for (underlay, one, two, tunnel) in [
            (files::UNDERLAY, files::HOST1, files::HOST2, "vx0"),
            (files::ROUTED_UNDERLAY, files::STRETCHED1, files::STRETCHED2, "vx5"),
        ] {
            let (underlay, one, two) = (lab(underlay), lab(one), lab(two));
            let (one, two) = (&one.tunnels[tunnel], &two.tunnels[tunnel]);
            assert_eq!(one.remotes, [address(&underlay, "host2")]);
            assert_eq!(two.remotes, [address(&underlay, "host1")]);
            assert_eq!(one.vni, two.vni);
        }
    }
}
