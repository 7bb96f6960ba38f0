//! Docker's default network: two containers, a published port, and a move to another subnet while
//! it runs.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::daemon::{Daemon, example};
use crate::world::{World, world};

/// What a move must not touch: a bridge of its own, behind the same way out.
const BESIDE: &str = r#"
[bridge.lan]
router = "10.9.0.1/24"

[port.desk]
bridge = "lan"
netns = "desk"
address = "10.9.0.2/24"

[[masquerade]]
source = "10.9.0.0/24"
out = "wan"
"#;

#[test]
fn containers_reach_the_outside_and_the_published_port_is_reached() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::example(&world, "docker-bridge.toml");
    check(&world, "172.17.0");
}

#[test]
fn the_network_moves_while_it_runs() {
    let Some(world) = world() else { return };
    let daemon = Daemon::example(&world, "docker-bridge.toml");
    let before = devices(&world);
    let plan = daemon.apply_file(&["--dry-run"], &example("docker-bridge-225.toml"));
    check(&world, "172.17.0");
    let done = daemon.apply_file(&[], &example("docker-bridge-225.toml"));
    assert_eq!(plan, done, "the plan is what is done");
    assert!(done.contains("172.17.0.2/16 -> 192.168.225.2/24"), "{done}");
    assert!(!done.contains("port wan"), "{done}");
    check(&world, "192.168.225");
    assert!(!world.host("web").has_address("172.17.0.2"));
    assert_eq!(devices(&world), before, "the devices are the same ones");
    assert_eq!(daemon.apply_file(&[], &example("docker-bridge-225.toml")).trim(), "no changes");
    daemon.apply_file(&[], &example("docker-bridge.toml"));
    check(&world, "172.17.0");
}

#[test]
fn the_network_moves_by_one_command() {
    let Some(world) = world() else { return };
    let daemon = Daemon::example(&world, "docker-bridge.toml");
    let before = devices(&world);
    check(&world, "172.17.0");
    world.tapswitch(&["neigh", "add", "172.17.0.9", "--mac", "02:00:00:00:00:09"]).ok();
    let renumber = ["bridge", "renumber", "docker0", "192.168.225.1/24"];
    let plan = world.tapswitch(&[&renumber[..], &["--dry-run"]].concat()).ok();
    check(&world, "172.17.0");
    let done = world.tapswitch(&renumber).ok();
    assert_eq!(plan, done, "the plan is what is done");
    assert!(
        done.contains("~ neighbour 172.17.0.9 -> 192.168.225.9, which is bound to 02:"),
        "{done}"
    );
    check(&world, "192.168.225");
    assert!(world.tapswitch(&["neigh", "list"]).ok().contains("192.168.225.9"));
    assert_eq!(devices(&world), before, "the devices are the same ones");
    assert_eq!(daemon.apply_file(&[], &example("docker-bridge-225.toml")).trim(), "no changes");
    let again = world.tapswitch(&[&renumber[..3], &["10.0.0.1/31"]].concat()).sentence();
    assert!(again.contains("10.0.0.0/31 has no room for 192.168.225.3 (port app)"), "{again}");
    check(&world, "192.168.225");
}

/// Moved by its address alone it says what it leaves behind, and the command that it offers fetches
/// it.
#[test]
fn a_network_that_moved_without_its_hosts_offers_to_fetch_them() {
    let Some(world) = world() else { return };
    let daemon = Daemon::example(&world, "docker-bridge.toml");
    let said = world.tapswitch(&["bridge", "set", "docker0", "--router", "192.168.225.1/24"]).ok();
    for left in
        ["! port app: ", "! port web: ", "! masquerade 1: ", "! publish 203.0.113.1:8080/tcp: "]
    {
        assert!(said.contains(left), "{said}");
    }
    let offered = said.split('`').nth(1).unwrap();
    let words: Vec<&str> = offered.split(' ').collect();
    assert_eq!(words[0], "tapswitch", "{said}");
    world.tapswitch(&words[1..]).ok();
    check(&world, "192.168.225");
    assert_eq!(daemon.apply_file(&[], &example("docker-bridge-225.toml")).trim(), "no changes");
}

#[test]
fn a_flow_elsewhere_goes_on_while_the_network_moves() {
    let Some(world) = world() else { return };
    let [first, second] = ["docker-bridge.toml", "docker-bridge-225.toml"].map(with_a_neighbour);
    let daemon = Daemon::with(&world, &first);
    let (desk, outside) = (world.host("desk"), world.host("world"));
    let listener = outside.listen(443);
    let mut flow = desk.connect("203.0.113.254:443".parse().unwrap(), &listener);
    assert_eq!(flow.1.peer_addr().unwrap().ip(), Ipv4Addr::new(203, 0, 113, 1));
    let line = |world: &World| {
        let flows = world.tapswitch(&["conntrack", "list"]).ok();
        let line = flows.lines().find(|line| line.contains("src=10.9.0.2 ")).map(ports);
        line.unwrap_or_else(|| panic!("the flow is gone:\n{flows}"))
    };
    let before = line(&world);
    for lab in [&second, &first, &second] {
        echo(&mut flow);
        daemon.apply(lab);
        echo(&mut flow);
        assert_eq!(line(&world), before, "the same flow");
    }
    check(&world, "192.168.225");
}

fn with_a_neighbour(name: &str) -> String {
    std::fs::read_to_string(example(name)).unwrap() + BESIDE
}

/// What of a flow's line stays the same while it lives.
fn ports(line: &str) -> String {
    let fixed = |word: &&str| word.contains("port=") || word.contains("src=");
    line.split(' ').filter(fixed).collect::<Vec<_>>().join(" ")
}

fn echo((near, far): &mut (TcpStream, TcpStream)) {
    let mut heard = [0; 5];
    near.write_all(b"hello").unwrap();
    far.read_exact(&mut heard).unwrap();
    far.write_all(&heard).unwrap();
    near.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
}

/// The index of every container's device: one that is made anew has another. MAC addresses follow
/// the network.
fn devices(world: &World) -> [u32; 3] {
    ["web", "app", "world"].map(|name| world.host(name).link("eth0").index)
}

/// The network is whole at this /24 or /16.
fn check(world: &World, network: &str) {
    let [web, app, outside] = ["web", "app", "world"].map(|name| world.host(name));
    app.ping(&format!("{network}.2"));
    web.ping(&format!("{network}.1"));
    app.ping("203.0.113.254");
    let listener = web.listen(80);
    let published = "203.0.113.1:8080".parse().unwrap();
    let mut flow = outside.connect(published, &listener);
    assert_eq!(flow.1.peer_addr().unwrap().ip(), Ipv4Addr::new(203, 0, 113, 254));
    assert_eq!(flow.1.local_addr().unwrap(), format!("{network}.2:80").parse().unwrap());
    echo(&mut flow);
    // A neighbour, and the container itself, by the address that the outside uses.
    echo(&mut app.connect(published, &listener));
    echo(&mut web.connect(published, &listener));
}
