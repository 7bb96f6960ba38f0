//! The tutorial "Open vSwitch and VXLAN between two Docker hosts": the files of examples/two-hosts,
//! unmodified, each host a namespace with a daemon of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use etherparse::Ipv4HeaderSlice;
use nix::sys::signal::Signal;
use os::links::Links;
use os::netns::Netns;
use packet::Mac;
use socket2::{Domain, Protocol, Socket, Type};

use crate::daemon::{Daemon, example};
use crate::host::{Host, play};
use crate::transfer;
use crate::wait::PATIENCE;
use crate::world::{World, world};

#[test]
fn containers_of_two_hosts_are_one_router_apart() {
    let Some(world) = world() else { return };
    let _tutorial = Tutorial::play(&world);
    let at = |name| (world.host(name), address_of(name));
    let [c1, c2, d1, d2] = ["c1", "c2", "d1", "d2"].map(at);
    for (from, to) in [(&c1, &c2), (&c2, &c1), (&d1, &d2), (&d2, &d1), (&c1, &d2), (&d2, &c1)] {
        assert_eq!(ttl(&from.0, to), 63, "{} to {}", from.1, to.1);
    }
    // On one host they are on one cable, and so are the hosts' own devices on the switch.
    let [host1, host2] = ["host1", "host2"].map(at);
    for (from, to) in [(&c1, &d1), (&d1, &c1), (&d2, &c2), (&host1, &host2), (&host2, &host1)] {
        assert_eq!(ttl(&from.0, to), 64, "{} to {}", from.1, to.1);
    }
    // Their /8 is the whole network, so they ask for each container themselves.
    host1.0.ping(C2);
    host2.0.ping(D1);
    c1.0.ping("10.100.0.2");
}

#[test]
fn a_message_to_port_8080_crosses_between_any_two_containers() {
    let Some(world) = world() else { return };
    let _tutorial = Tutorial::play(&world);
    for (from, own, to, at) in [
        ("c1", C1, "c2", C2),
        ("c2", C2, "c1", C1),
        ("d1", D1, "d2", D2),
        ("d2", D2, "d1", D1),
        ("c1", C1, "d2", D2),
        ("d2", D2, "c1", C1),
    ] {
        let (from, to) = (world.host(from), world.host(to));
        let listener = to.listen(8080);
        let (mut near, mut far) = from.connect(format!("{at}:8080").parse().unwrap(), &listener);
        assert_eq!(far.peer_addr().unwrap().ip(), own.parse::<Ipv4Addr>().unwrap());
        let mut heard = [0; 16];
        near.write_all(b"a message across").unwrap();
        far.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"a message across");
    }
    let (d1, d2) = (world.host("d1"), world.host("d2"));
    let listener = d2.listen(9000);
    let flow = d1.connect(format!("{D2}:9000").parse().unwrap(), &listener);
    transfer::tcp(flow, transfer::WHOLE / 4);
}

#[test]
fn only_towards_the_outside_is_anybody_masqueraded() {
    let Some(world) = world() else { return };
    let tutorial = Tutorial::play(&world);
    for (from, to, at, seen) in [
        ("c1", "internet1", "203.0.113.254", "203.0.113.1"),
        ("d1", "internet1", "203.0.113.254", "203.0.113.1"),
        ("c2", "internet2", "198.51.100.254", "198.51.100.1"),
        ("d2", "internet2", "198.51.100.254", "198.51.100.1"),
        ("c1", "c2", C2, C1),
        ("c2", "d1", D1, C2),
        ("d1", "c2", C2, D1),
    ] {
        let seen: Ipv4Addr = seen.parse().unwrap();
        assert_eq!(source_of(&world.host(from), &world.host(to), at), seen, "{from} to {to}");
    }
    let flows = world.tapswitch(&["conntrack", "list", "--src-nat", "--socket", SOCKET1]).ok();
    let inside = |line: &&str| line.contains("src=10.1.0.") && line.contains("dst=203.0.113.254");
    assert_eq!(flows.lines().filter(inside).count(), 2, "{flows}");
    tutorial.end(&world);
}

/// The second half: a router comes between the hosts while everything runs, and one subnet is
/// stretched over it.
#[test]
fn one_subnet_is_stretched_over_a_routed_underlay() {
    let Some(world) = world() else { return };
    let tutorial = Tutorial::play(&world);
    world.host("c1").ping(C2);
    tutorial.underlay.apply_file(&[], &example("two-hosts/routed-underlay.toml"));
    for (lab, socket) in [("stretched1", SOCKET1), ("stretched2", SOCKET2)] {
        let file = example(&format!("two-hosts/{lab}.toml"));
        world.tapswitch_on(&["apply", "--socket", socket], &file).ok();
    }
    let (host1, s1, s2) = (world.host("host1"), world.host("s1"), world.host("s2"));
    let host2 = (world.host("host2"), "192.168.20.164");
    assert_eq!(ttl(&host1, &host2), 63, "a router is between the hosts");
    let (first, second) = ((s1.clone(), "10.5.0.2"), (s2.clone(), "10.5.0.3"));
    assert_eq!(ttl(&s1, &second), 64, "and none between the containers");
    assert_eq!(ttl(&s2, &first), 64);
    for (who, whom, address) in [(&s1, &s2, "10.5.0.3"), (&s2, &s1, "10.5.0.2")] {
        let known = who.run(|| fs::read_to_string("/proc/thread-self/net/arp")).unwrap();
        let mac = whom.link("eth0").mac.to_string();
        let row = known.lines().find(|row| row.starts_with(&format!("{address} ")));
        assert!(row.is_some_and(|row| row.contains(&mac)), "{address} is at {mac}:\n{known}");
    }
    let listener = s2.listen(8080);
    let flow = s1.connect("10.5.0.3:8080".parse().unwrap(), &listener);
    transfer::tcp(flow, transfer::WHOLE / 4);
    assert_eq!(world.names(), ["d1", "d2", "host1", "host2", "s1", "s2"]);
    tutorial.end(&world);
}

const C1: &str = "10.1.0.2";
const D1: &str = "10.1.0.10";
const C2: &str = "10.2.0.2";
const D2: &str = "10.2.0.10";
/// An ICMP type (RFC 792).
const ECHO_REQUEST: u8 = 8;
const SOCKET1: &str = "/run/tapswitch/host1.sock";
const SOCKET2: &str = "/run/tapswitch/host2.sock";

/// Everything that the first half's files and the commands in their heads make.
struct Tutorial<'w> {
    first: Daemon<'w>,
    second: Daemon<'w>,
    underlay: Daemon<'w>,
}

impl<'w> Tutorial<'w> {
    fn play(world: &'w World) -> Self {
        let underlay = Daemon::example(world, "two-hosts/underlay.toml");
        let (host1, host2) = (world.host("host1"), world.host("host2"));
        container_on_docker0(world, &host1, "d1", "10.1.0.10/16", "10.1.0.1");
        container_on_docker0(world, &host2, "d2", "10.2.0.10/16", "10.2.0.1");
        let pair = cable(&host2, "veth_sw0", host2.netns(), "veth_d0", 3);
        enslave(&host2, "veth_d0");
        assert_eq!(pair, "veth_sw0");
        let first = Daemon::example_on(world, &host1, "two-hosts/host1.toml", SOCKET1);
        let second = Daemon::example_on(world, &host2, "two-hosts/host2.toml", SOCKET2);
        // The two ways to join docker0.
        let docker0 = host1.link("docker0").index;
        assert_eq!(host1.link("tap_sw0").master, Some(docker0));
        let ports = world.rows(&["port", "list", "--socket", SOCKET2]);
        let port = ports.iter().find(|port| port["name"] == "docker0").unwrap();
        assert_eq!(port["attach"], "interface veth_sw0");
        Self { first, second, underlay }
    }

    /// Ends the daemons, which leave only what they have not made.
    fn end(self, world: &World) {
        self.first.stop(Signal::SIGTERM);
        self.second.stop(Signal::SIGTERM);
        assert_eq!(world.names(), ["d1", "d2", "host1", "host2"]);
        let names = |host: &str| world.host(host).links().into_iter().map(|link| link.name);
        let left: Vec<String> = names("host1").chain(names("host2")).collect();
        let found =
            ["lo", "eth0", "docker0", "veth_d1", "lo", "eth0", "docker0", "veth_d2", "veth_d0"];
        assert_eq!(left, [&found[..], &["veth_sw0"]].concat());
        let log = self.underlay.stop(Signal::SIGTERM).err;
        for host in ["host1", "host2"] {
            assert!(log.contains(&format!("namespace {host} stays")), "{log}");
        }
        assert_eq!(world.names(), ["d1", "d2", "host1", "host2"], "docker0 is somebody's");
    }
}

/// A Linux bridge docker0 on a host, with a container on it.
fn container_on_docker0(world: &World, host: &Host, name: &str, address: &str, gateway: &str) {
    play(async { Links::open(host.netns()).await.unwrap().make_bridge("docker0").await.unwrap() });
    let container = Host::new(name, world.run(|| Netns::create(name)).unwrap());
    let ours = cable(host, &format!("veth_{name}"), container.netns(), "eth0", 1);
    enslave(host, &ours);
    play(async {
        let links = Links::open(container.netns()).await.unwrap();
        let index = links.find("eth0").await.unwrap().unwrap().index;
        links.add_address(index, address.parse().unwrap()).await.unwrap();
        links.set_up(index).await.unwrap();
        links.set_default_route(gateway.parse().unwrap(), index).await.unwrap();
    });
}

/// A veth pair with room for what the tunnel carries; the name of its near end.
fn cable(host: &Host, near: &str, far: &Netns, far_name: &str, number: u8) -> String {
    play(async {
        let links = Links::open(host.netns()).await.unwrap();
        // Both hosts have one of each, and a tunnel between them.
        let mac = Mac([2, 0, number, near.as_bytes()[near.len() - 1], 0, 1]);
        links.make_veth(near, far, far_name, 1450, mac).await.unwrap().name
    })
}

fn enslave(host: &Host, port: &str) {
    play(async {
        let links = Links::open(host.netns()).await.unwrap();
        let find = async |name| links.find(name).await.unwrap().unwrap().index;
        let (port, bridge) = (find(port).await, find("docker0").await);
        links.set_up(port).await.unwrap();
        links.set_master(port, Some(bridge)).await.unwrap();
    });
}

fn address_of(name: &str) -> &'static str {
    match name {
        "c1" => C1,
        "c2" => C2,
        "d1" => D1,
        "d2" => D2,
        "host1" => "10.100.0.1",
        "host2" => "10.100.0.2",
        other => panic!("{other} is not in the tutorial"),
    }
}

/// Pings, and tells the TTL that the request arrives with. Linux sends it with 64.
#[track_caller]
fn ttl(from: &Host, (to, address): &(Host, &str)) -> u8 {
    let made = to.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)));
    let mut ear = made.unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    from.ping(address);
    let mut packet = [0; 256];
    loop {
        let count = ear.read(&mut packet).unwrap();
        let header = Ipv4HeaderSlice::from_slice(&packet[..count]).unwrap();
        let is_request = packet[usize::from(header.ihl()) * 4] == ECHO_REQUEST;
        if is_request && header.destination_addr() == address.parse::<Ipv4Addr>().unwrap() {
            return header.ttl();
        }
    }
}

/// Sends a datagram, has it answered, and tells whom the receiver saw.
fn source_of(from: &Host, to: &Host, at: &str) -> Ipv4Addr {
    let (near, far) = (from.udp(0), to.udp(7));
    near.connect(SocketAddrV4::new(at.parse().unwrap(), 7)).unwrap();
    near.send(b"who am I?").unwrap();
    let mut heard = [0; 16];
    let (_, seen) = far.recv_from(&mut heard).unwrap();
    far.send_to(b"you", seen).unwrap();
    assert_eq!(near.recv(&mut heard).unwrap(), 3);
    match seen {
        SocketAddr::V4(seen) => *seen.ip(),
        SocketAddr::V6(seen) => panic!("{seen}"),
    }
}
