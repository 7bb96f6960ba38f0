//! A lab that reaches the world beyond its host, as docs/internet.md has it: on a network of its
//! own, with the host of the daemon, a gateway and a server behind it. What would cut the host off
//! is refused.

use nix::sys::signal::Signal;

use crate::daemon::{Daemon, example};
use crate::host::Host;
use crate::process::locate;
use crate::transfer;
use crate::underlay::{cable, enslave, has_ip};
use crate::world::{World, skip, world};

/// What is beyond the gateway: the address that the examples and docs/internet.md have one try.
const SERVER: &str = "9.9.9.9";

/// The network of a host: a Linux bridge that joins the host's `eth0`, 192.168.1.10, and the
/// gateway, 192.168.1.1. The gateway has the server's address itself, and no way back but to its
/// own network: what comes is masqueraded.
pub(crate) struct Lan {
    pub(crate) world: World,
    gateway: Host,
    _switch: Host,
}

pub(crate) fn lan() -> Option<Lan> {
    let world = world()?;
    if !has_ip() {
        return None;
    }
    let (switch, gateway) = (Host::anonymous("the network"), Host::anonymous("the gateway"));
    switch.ip("link add lan up type bridge");
    cable((&switch, "p0", None), (&world.here(), "eth0", Some("192.168.1.10/24")), 1500);
    cable((&switch, "p1", None), (&gateway, "eth0", Some("192.168.1.1/24")), 1500);
    for port in ["p0", "p1"] {
        enslave(&switch, port, "lan");
    }
    gateway.ip("link set lo up");
    gateway.ip(&format!("address add {SERVER}/32 dev lo"));
    world.here().ip("route add default via 192.168.1.1");
    world.here().ping_at_last(SERVER);
    Some(Lan { world, gateway, _switch: switch })
}

/// Both hosts of the lab reach the server, under this address; the daemon's host goes on as before.
fn check(lan: &Lan, under: &str) {
    let listener = lan.gateway.listen(443);
    let to = format!("{SERVER}:443").parse().unwrap();
    for name in ["red", "blue"] {
        let host = lan.world.host(name);
        host.ping_at_last(SERVER);
        let (near, far) = host.connect(to, &listener);
        assert_eq!(far.peer_addr().unwrap().ip().to_string(), under);
        transfer::tcp((near, far), transfer::WHOLE / 8);
    }
    lan.world.here().ping(SERVER);
}

fn text(name: &str) -> String {
    std::fs::read_to_string(example(name)).unwrap()
}

#[test]
fn a_lab_reaches_the_internet_under_a_free_address_of_the_network() {
    let Some(lan) = lan() else { return };
    let before = lan.world.here().state();
    let daemon = Daemon::example(&lan.world, "internet-lan.toml");
    check(&lan, "192.168.1.200");
    daemon.stop(Signal::SIGTERM);
    assert_eq!(lan.world.here().state(), before, "eth0 is as it was");
    lan.world.here().ping(SERVER);
}

#[test]
fn a_lab_reaches_the_internet_through_a_macvlan_under_its_mac_address() {
    let Some(lan) = lan() else { return };
    let here = lan.world.here();
    here.ip("link add lab0 link eth0 type macvlan mode bridge");
    here.ip("link set lab0 up");
    let daemon = Daemon::example(&lan.world, "internet-macvlan.toml");
    check(&lan, "192.168.1.201");
    let own = here.link("lab0").mac.to_string();
    assert!(lan.gateway.ip("neigh show 192.168.1.201").contains(&own));
    // Another one is made in its place, with another MAC address.
    here.delete("lab0");
    daemon.until_port("wan", |state| state.starts_with("lost"));
    here.ip("link add lab0 link eth0 address 02:00:00:00:77:01 type macvlan mode bridge");
    here.ip("link set lab0 up");
    daemon.until_port("wan", |state| state == "up");
    check(&lan, "192.168.1.201");
    let other = text("internet-macvlan.toml").replace(
        "router = \"192.168.1.201/24\"",
        "router = \"192.168.1.201/24\"\nrouter_mac = \"02:00:00:00:00:99\"",
    );
    let said = lan.world.tapswitch_on(&["apply"], &lan.world.file(other)).sentence();
    assert!(said.contains("port wan: `lab0` is a macvlan and takes frames for its own MAC address 02:00:00:00:77:01 alone"), "{said}");
    let bridged =
        text("internet-macvlan.toml").replace("router = \"192.168.1.201/24\"", "bridge = \"br0\"");
    let bridged: Vec<&str> = bridged.split("[[").take(1).collect();
    let said = lan.world.tapswitch_on(&["apply"], &lan.world.file(bridged.concat())).sentence();
    assert!(said.contains("it is no way to the stations of a bridge"), "{said}");
    check(&lan, "192.168.1.201");
}

#[test]
fn a_lab_reaches_the_internet_through_a_host_that_translates_once_more() {
    let Some(lan) = lan() else { return };
    if locate("nft").is_none() {
        return skip("there is no `nft` to make the kernel translate with");
    }
    // As the example's head says, but for the device.
    let text = text("internet-host.toml").replace("wlan0", "eth0");
    let commands: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("#       nft ")).collect();
    assert_eq!(commands.len(), 3, "{text}");
    for command in commands {
        lan.world.program("sh", &["-c", &format!("nft {command}")]).unwrap().ok();
    }
    lan.world.here().set("net/ipv4/ip_forward", "1");
    let _daemon = Daemon::example(&lan.world, "internet-host.toml");
    check(&lan, "192.168.1.10");
}

#[test]
fn what_would_cut_the_host_off_is_refused_with_what_to_write() {
    let Some(lan) = lan() else { return };
    let here = lan.world.here();
    here.ip("address add 192.168.1.11/24 dev eth0");
    here.ip("link add lab0 link eth0 type macvlan mode bridge");
    let routed = |device: &str, router: &str| {
        format!("[port.wan]\ninterface = \"{device}\"\nrouter = \"{router}\"\n")
    };
    let own = "is this host's own on `eth0`: two would answer for it, and the host be cut off; write an address of \
               192.168.1.0/24 that nobody has";
    let bridged = "[bridge.br0]\nrouter = \"192.168.1.10/24\"\n[port.wan]\nbridge = \"br0\"\ninterface = \"eth0\"\n";
    let beside = "[bridge.br0]\n[port.wan]\nbridge = \"br0\"\ninterface = \"eth0\"\n\
                  [port.red]\nbridge = \"br0\"\nnetns = \"red\"\naddress = \"192.168.1.10/24\"\n";
    let cases = [
        (routed("eth0", "192.168.1.10/24"), format!("port wan: its router address 192.168.1.10 {own}")),
        (routed("eth0", "192.168.1.11/32"), format!("port wan: its router address 192.168.1.11 {own}")),
        (routed("lab0", "192.168.1.10/24"), format!("port wan: its router address 192.168.1.10 {own}")),
        (bridged.to_owned(), format!("port wan: its router address 192.168.1.10 {own}")),
        (beside.to_owned(), format!("port wan: on its bridge the address of port red 192.168.1.10 {own}")),
        (
            routed("eth0", "192.168.1.1/24"),
            "port wan: its router address 192.168.1.1 is the gateway of this host's default route through `eth0`: taking \
             its place would cut the host off; write a free address of that network, and a [[route]] with to = \
             \"default\" and via = \"192.168.1.1\""
                .to_owned(),
        ),
    ];
    for (lab, sentence) in &cases {
        let said = lan.world.tapswitch_on(&["run"], &lan.world.file(lab)).sentence();
        assert!(said.contains(sentence), "{said}");
        here.ping(SERVER);
    }
    // The same when it is a change, by file or by command; the lab that runs goes on.
    let daemon = Daemon::example(&lan.world, "internet-lan.toml");
    for router in ["192.168.1.10/24", "192.168.1.1/24"] {
        lan.world.tapswitch(&["port", "set", "wan", "--router", router]).sentence();
    }
    check(&lan, "192.168.1.200");
    // An address that the host is given later is its own matter, and stands in the way of no other
    // change.
    here.ip("address add 192.168.1.200/32 dev eth0");
    lan.world.tapswitch(&["bridge", "add", "br9"]).ok();
    here.ip("address del 192.168.1.200/32 dev eth0");
    daemon.stop(Signal::SIGTERM);
}
