//! The router on a network card that the machine goes on using: an address of its own beside the
//! machine's.

use std::net::Ipv4Addr;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::interfaces::LAB;
use crate::transfer::{self, WHOLE};
use crate::underlay::{cable, has_ip, no_wrong_checksums};
use crate::world::{World, world};

const ROUTED: &str = "[port.lan]\ninterface = \"eth0\"\nrouter = \"192.168.10.50/24\"\n\
                      [[masquerade]]\nsource = \"10.1.0.0/16\"\nout = \"lan\"\n\
                      [[publish]]\nlisten = \"192.168.10.50:8080/tcp\"\nto = \"10.1.0.1:80\"\n";

/// The machine has 192.168.10.1 on `eth0`, and forwards nothing; a host of the LAN has
/// 192.168.10.2.
fn on_a_lan() -> Option<(World, Host)> {
    let (world, host) = (world()?, Host::anonymous("the LAN host"));
    let (near, far) = (Some("192.168.10.1/24"), Some("192.168.10.2/24"));
    cable((&world.here(), "eth0", near), (&host, "eth0", far), 1500);
    os::sysctl::set_in(world.here().netns(), "net/ipv4/ip_forward", "0").unwrap();
    Some((world, host))
}

#[test]
fn the_router_has_an_address_beside_the_machines_own() {
    let Some((world, lan)) = on_a_lan() else { return };
    let daemon = Daemon::with(&world, &(LAB.to_owned() + ROUTED));
    for _ in 0..2 {
        lan.ping("192.168.10.50");
        lan.ping("192.168.10.1");
        world.here().ping("192.168.10.2");
    }
    if has_ip() {
        let neighbours = lan.ip("neighbour show dev eth0");
        let mac = |address: &str| {
            let line = neighbours.lines().find(|line| line.starts_with(&format!("{address} ")));
            let mut words = line.unwrap_or_else(|| panic!("{neighbours}")).split_whitespace();
            words.find(|word| *word == "lladdr").and_then(|_| words.next()).unwrap().to_owned()
        };
        assert_eq!(mac("192.168.10.1"), world.here().link("eth0").mac.to_string());
        assert_ne!(mac("192.168.10.50"), mac("192.168.10.1"));
    }
    // A connection of the machine's own is none of the switch's business.
    let listener = world.here().listen(4000);
    transfer::tcp(lan.connect("192.168.10.1:4000".parse().unwrap(), &listener), WHOLE / 4);
    assert!(world.rows(&["conntrack", "list"]).is_empty());
    daemon.stop(nix::sys::signal::Signal::SIGTERM);
    lan.ping("192.168.10.1");
}

#[test]
fn the_inside_reaches_the_lan_and_is_reached_from_there() {
    let Some((world, lan)) = on_a_lan() else { return };
    let _daemon = Daemon::with(&world, &(LAB.to_owned() + ROUTED));
    let c1 = world.host("c1");
    c1.ping("192.168.10.2");
    c1.ping("192.168.10.50");
    let listener = lan.listen(4000);
    let (near, far) = c1.connect("192.168.10.2:4000".parse().unwrap(), &listener);
    assert_eq!(far.peer_addr().unwrap().ip(), Ipv4Addr::new(192, 168, 10, 50));
    transfer::tcp((near, far), WHOLE);
    let listener = c1.listen(80);
    let (near, far) = lan.connect("192.168.10.50:8080".parse().unwrap(), &listener);
    assert_eq!(far.peer_addr().unwrap().ip(), Ipv4Addr::new(192, 168, 10, 2));
    transfer::tcp((near, far), WHOLE);
    no_wrong_checksums(&[&c1, &lan, &world.here()]);
    let forwarding = world.run(|| std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward"));
    assert_eq!(forwarding.unwrap().trim(), "0", "nobody switched it on");
}
