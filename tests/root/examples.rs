//! Every example does what its text says, unmodified.

use std::net::{Ipv4Addr, SocketAddrV4};

use os::links::Links;

use crate::daemon::Daemon;
use crate::host::{Answer, play};
use crate::raw::Raw;
use crate::transfer;
use crate::world::{skip, world};

#[test]
fn single_namespace_joins_this_machine_and_one_namespace() {
    let Some(world) = world() else { return };
    let daemon = Daemon::example(&world, "single-namespace.toml");
    let (here, one) = (world.here(), world.host("one"));
    here.ping("192.168.10.2");
    one.ping("192.168.10.254");
    let listener = here.listen(9000);
    let to = "192.168.10.254:9000".parse().unwrap();
    let (near, far) = one.connect(to, &listener);
    assert_eq!(far.peer_addr().unwrap().ip(), Ipv4Addr::new(192, 168, 10, 2));
    transfer::tcp((near, far), transfer::WHOLE);
    assert!(here.has_address("192.168.10.254"));
    assert_eq!(here.link("lab0").kind.as_deref(), Some("tun"));
    drop(daemon);
}

#[test]
fn two_namespaces_reach_each_other_the_gateway_and_the_outside() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::example(&world, "two-namespaces.toml");
    let (red, blue, net) = (world.host("red"), world.host("blue"), world.host("net"));
    red.ping("192.168.0.3");
    blue.ping("192.168.0.2");
    red.ping("192.168.0.1");
    red.ping("203.0.113.254");
    blue.ping("203.0.113.254");
    red.ping("203.0.113.1");
    let listener = net.listen(80);
    let (near, far) = blue.connect("203.0.113.254:80".parse().unwrap(), &listener);
    assert_eq!(far.peer_addr().unwrap().ip(), Ipv4Addr::new(203, 0, 113, 1));
    transfer::tcp((near, far), transfer::WHOLE);
    let flows = world.tapswitch(&["conntrack", "list"]).ok();
    assert!(flows.contains("src=192.168.0.3 dst=203.0.113.254"), "{flows}");
}

#[test]
fn the_outside_reaches_nobody_inside_unasked() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::example(&world, "two-namespaces.toml");
    let (red, net) = (world.host("red"), world.host("net"));
    let unasked = red.udp(7000);
    // A mapping of its own makes the outside port known to the outside host.
    let asked = red.udp(7001);
    let outside = net.udp(80);
    asked.send_to(b"knock", "203.0.113.254:80").unwrap();
    let (_, mapped) = outside.recv_from(&mut [0; 16]).unwrap();
    let stranger = net.udp(0);
    stranger.send_to(b"me too", mapped).unwrap();
    stranger.send_to(b"me too", "203.0.113.1:7000").unwrap();
    // Sent last, and so answered last: whatever was to come has come.
    outside.send_to(b"who is it", mapped).unwrap();
    let mut told = [0; 16];
    let (count, from) = asked.recv_from(&mut told).unwrap();
    assert_eq!((&told[..count], from), (&b"who is it"[..], "203.0.113.254:80".parse().unwrap()));
    unasked.set_nonblocking(true).unwrap();
    assert!(unasked.recv_from(&mut told).is_err());
    asked.set_nonblocking(true).unwrap();
    assert!(asked.recv_from(&mut told).is_err());
}

#[test]
fn fifteen_containers_are_listed_as_the_kernel_knows_them() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::example(&world, "fifteen-containers.toml");
    let rows = world.rows(&["port", "list"]);
    assert_eq!(rows.len(), 15);
    let table = world.tapswitch(&["port", "list"]).ok();
    let here = world.here();
    for number in 1..=15 {
        let name = format!("c{number}");
        let host = world.host(&name);
        let row = rows.iter().find(|row| row["name"] == *name).unwrap();
        let link = host.link("eth0");
        assert_eq!(row["state"], "up");
        assert_eq!(row["device"], "eth0");
        assert_eq!(row["ifindex"], link.index);
        assert_eq!(row["mac"], link.mac.to_string());
        assert_eq!(row["mtu"], link.mtu);
        assert_eq!(link.queue_len, 2048, "a worker that was kept waiting loses nothing");
        let nsid = play(async {
            let links = Links::open(here.netns()).await.unwrap();
            links.nsid(host.netns()).await.unwrap()
        });
        assert_eq!(row["nsid"].as_i64(), Some(i64::from(nsid.unwrap())));
        let address = format!("10.15.0.{}", number + 10);
        assert_eq!(row["address"][0], format!("{address}/24"));
        assert!(host.has_address(&address));
        for word in [&*name, "eth0", &link.mac.to_string(), &format!("{address}/24")] {
            let has = |line: &str| line.split_whitespace().any(|column| column == word);
            let mut lines = table.lines().filter(|line| has(line) && line.contains(&name));
            assert!(lines.next().is_some(), "no {word} for {name} in\n{table}");
        }
        host.ping("10.15.0.1");
        host.ping("10.15.0.11");
    }
    check_against_ip(&world, &rows);
}

/// The same once more in the eyes of iproute2, where it is installed.
fn check_against_ip(world: &crate::world::World, rows: &[serde_json::Value]) {
    let Some(list) = world.program("ip", &["netns", "list-id"]) else {
        return skip("there is no `ip` to compare with");
    };
    let list = list.ok();
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let id = format!("nsid {} (iproute2 netns name: {name})", row["nsid"]);
        assert!(list.lines().any(|line| line.trim() == id), "no `{id}` in\n{list}");
        let arguments = ["-n", name, "-o", "-4", "address", "show", "dev", "eth0"];
        let shown = world.program("ip", &arguments).unwrap().ok();
        let head = format!("{}: eth0", row["ifindex"]);
        let address = row["address"][0].as_str().unwrap();
        assert!(shown.starts_with(&head) && shown.contains(address), "{shown}");
        let shown = world.program("ip", &["-n", name, "link", "show", "eth0"]).unwrap().ok();
        assert!(shown.contains(row["mac"].as_str().unwrap()), "{shown}");
    }
}

#[test]
fn isolated_hosts_reach_all_but_each_other() {
    let Some(world) = world() else { return };
    // The example has no outside; this adds one, as the text of two-namespaces.toml has it.
    let example = include_str!("../../examples/isolated.toml");
    let outside = "[port.wan]\nrouter = \"203.0.113.1/24\"\nnetns = \"net\"\ngateway = false\n\
                   address = \"203.0.113.254/24\"\n[[masquerade]]\nsource = \"10.20.0.0/24\"\n\
                   out = \"wan\"\n";
    let _daemon = Daemon::with(&world, &format!("{example}{outside}"));
    let [alice, bob, nas] = ["alice", "bob", "nas"].map(|name| world.host(name));
    for host in [&alice, &bob] {
        host.ping("10.20.0.1");
        host.ping("10.20.0.4");
        host.ping("203.0.113.254");
    }
    nas.ping("10.20.0.2");
    nas.ping("10.20.0.3");
    // Nobody answers the ARP request, so the kernel itself says that there is no such host.
    let own = Ipv4Addr::new(10, 20, 0, 2);
    let bobs = "10.20.0.3:80".parse().unwrap();
    let listener = bob.listen(80);
    assert_eq!(alice.probe(*SocketAddrV4::ip(&bobs), 64, 56), Answer::Error(own, 3, 1));
    let refused = alice.try_connect(bobs).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EHOSTUNREACH), "{refused}");
    drop(listener);
}

#[test]
fn isolated_example_runs_as_it_is() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::example(&world, "isolated.toml");
    world.host("alice").ping("10.20.0.4");
    world.host("bob").ping("10.20.0.1");
}

#[test]
fn vlans_are_apart_and_routed_and_the_trunk_has_both() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::example(&world, "vlans.toml");
    let [dev1, dev2, ops, spy] = ["dev1", "dev2", "ops", "spy"].map(|name| world.host(name));
    dev1.ping("10.0.10.3");
    dev1.ping("10.0.10.1");
    ops.ping("10.0.20.1");
    dev1.ping("10.0.20.2");
    ops.ping("10.0.10.3");
    let stations = world.rows(&["fdb", "list"]);
    for (host, vlan) in [(&dev1, 10), (&dev2, 10), (&ops, 20)] {
        let mac = host.link("eth0").mac.to_string();
        let of_mac = stations.iter().find(|row| row["mac"] == *mac);
        assert_eq!(of_mac.unwrap_or_else(|| panic!("no {mac}"))["vlan"], vlan);
    }
    // From one VLAN to the other the packet passes the router, and so its TTL counts.
    let ttl_of_one = dev1.probe("10.0.20.2".parse().unwrap(), 1, 56);
    assert_eq!(ttl_of_one, Answer::Error(Ipv4Addr::new(10, 0, 10, 1), 11, 0));
    // A VLAN of the trunk hears its own hosts and no other's, whoever is asked first.
    let [ten, twenty] = [Ipv4Addr::new(10, 0, 10, 2), Ipv4Addr::new(10, 0, 20, 2)];
    let trunk = Raw::on(&spy);
    for (vlan, own, peer, other) in
        [(10, [10, 0, 10, 9], ten, twenty), (20, [10, 0, 20, 9], twenty, ten)]
    {
        trunk.ask(vlan, own.into(), other);
        trunk.ask(vlan, own.into(), peer);
        assert_eq!(trunk.answers_until(peer), [peer]);
    }
}
