//! Guests that run tunnels of their kernel's behind the switch: their kernel leaves checksums and
//! cuts of the packets inside to whoever carries them, and the far kernel verifies what arrives.

use crate::daemon::Daemon;
use crate::host::Host;
use crate::transfer::WHOLE;
use crate::underlay::{has_ip, lab, no_wrong_checksums, pair, tcp_both_ways, udp_both_ways};
use crate::world::world;

const INNER: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

/// Two subnets, joined by the router; `keys` for both ports.
fn routed(keys: &str) -> String {
    format!(
        "[port.one]\nrouter = \"10.0.0.1/24\"\nnetns = \"one\"\naddress = \"10.0.0.2/24\"\n{keys}\n\
         [port.two]\nrouter = \"10.0.1.1/24\"\nnetns = \"two\"\naddress = \"10.0.1.2/24\"\n{keys}\n"
    )
}

/// One bridge, with keys for each port.
fn bridged(one: &str, two: &str) -> String {
    format!(
        "[bridge.lan]\n[port.one]\nbridge = \"lan\"\nnetns = \"one\"\naddress = \"10.0.0.2/24\"\n{one}\n\
         [port.two]\nbridge = \"lan\"\nnetns = \"two\"\naddress = \"10.0.0.3/24\"\n{two}\n"
    )
}

/// A VXLAN device in a guest; its name's length is its VNI.
fn vxlan(guest: &Host, name: &str, remote: &str, address: &str, words: &str) {
    let id = name.len();
    guest.ip(&format!("link add {name} type vxlan id {id} remote {remote} dstport 4789{words}"));
    guest.ip(&format!("address add {address}/24 dev {name}"));
    guest.ip(&format!("link set {name} up"));
}

fn streams_cross(one: &Host, two: &Host, total: usize) {
    let ends = ((one, INNER[0]), (two, INNER[1]));
    one.ping_at_last(INNER[1]);
    tcp_both_ways(ends.0, ends.1, total);
    udp_both_ways(ends.0, ends.1, 1000, total / 16);
    no_wrong_checksums(&[one, two]);
}

/// Guests `one` and `two` of a lab reach each other at `remotes`, and put streams into a tunnel.
fn through(text: &str, remotes: [&str; 2], words: &str) {
    let Some(world) = world().filter(|_| has_ip()) else { return };
    let _daemon = Daemon::with(&world, text);
    let (one, two) = (world.host("one"), world.host("two"));
    vxlan(&one, "vx0", remotes[0], INNER[0], words);
    vxlan(&two, "vx0", remotes[1], INNER[1], words);
    streams_cross(&one, &two, WHOLE / 8);
    let drops = world.rows(&["drops"]);
    assert!(drops.iter().all(|row| row["reason"] != "bad-offload"), "{drops:?}");
}

/// OF2.
#[test]
fn a_guests_vxlan_crosses_the_router_between_ports_of_every_kind() {
    for keys in ["", "offload = false", "link = \"veth\""] {
        through(&routed(keys), ["10.0.1.2", "10.0.0.2"], "");
    }
    through(&routed(""), ["10.0.1.2", "10.0.0.2"], " noudpcsum");
}

/// OF2.
#[test]
fn a_guests_vxlan_crosses_a_bridge_between_ports_of_every_kind() {
    let veth = "link = \"veth\"";
    for (one, two) in [(veth, veth), (veth, ""), (veth, "offload = false"), ("", "")] {
        through(&bridged(one, two), ["10.0.0.3", "10.0.0.2"], "");
    }
    through(&bridged(veth, ""), ["10.0.0.3", "10.0.0.2"], " noudpcsum");
}

/// OF2.
#[test]
fn a_guests_vxlan_is_masqueraded_and_published() {
    for (keys, words) in [("", ""), ("link = \"veth\"", ""), ("link = \"veth\"", " noudpcsum")] {
        let nat = "[[masquerade]]\nsource = \"10.0.0.0/24\"\nout = \"two\"\n\
                   [[publish]]\nlisten = \"10.0.1.1:4789/udp\"\nto = \"10.0.0.2:4789\"\n";
        through(&(routed(keys) + nat), ["10.0.1.2", "10.0.1.1"], words);
    }
}

/// OF2. A tunnel in a tunnel of the same guest.
#[test]
fn a_guests_tunnel_in_its_tunnel_crosses() {
    let Some(world) = world().filter(|_| has_ip()) else { return };
    let _daemon = Daemon::with(&world, &bridged("link = \"veth\"", ""));
    let (one, two) = (world.host("one"), world.host("two"));
    for (guest, remote, number) in [(&one, "10.0.0.3", 1), (&two, "10.0.0.2", 2)] {
        vxlan(guest, "vx", remote, &format!("10.66.0.{number}"), "");
        vxlan(guest, "deep", &format!("10.66.0.{}", 3 - number), INNER[number - 1], "");
    }
    streams_cross(&one, &two, WHOLE / 16);
}

/// OF2. Through the switch's own tunnel, from one machine to another.
#[test]
fn a_guests_vxlan_crosses_the_switches_tunnel() {
    for keys in ["", "\nlink = \"veth\""] {
        let Some([near, far]) = pair(1500).filter(|_| has_ip()) else { return };
        let text = |number: u8, other: u8| {
            let address = format!("address = \"10.1.0.{number}/16\"");
            lab(number, &[other], "").replace(&address, &format!("{address}{keys}"))
        };
        let _daemons = [Daemon::with(&near, &text(1, 2)), Daemon::with(&far, &text(2, 1))];
        let (one, two) = (near.host("c1"), far.host("c2"));
        vxlan(&one, "vx0", "10.1.0.2", INNER[0], "");
        vxlan(&two, "vx0", "10.1.0.1", INNER[1], "");
        streams_cross(&one, &two, WHOLE / 16);
    }
}
