//! 64 MiB over TCP and UDP on every way through the switch, with and without offload, at MTU 1500
//! and 9000.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::daemon::Daemon;
use crate::host::Host;
use crate::transfer::{self, WHOLE};
use crate::world::{World, world};

#[test]
fn transfers_arrive_whole_with_offload() {
    transfers_arrive_whole(true, 1500);
}

#[test]
fn transfers_arrive_whole_without_offload() {
    transfers_arrive_whole(false, 1500);
}

#[test]
fn transfers_arrive_whole_in_jumbo_frames_with_offload() {
    transfers_arrive_whole(true, 9000);
}

#[test]
fn transfers_arrive_whole_in_jumbo_frames_without_offload() {
    transfers_arrive_whole(false, 9000);
}

/// Super-frames from ports with offload towards ports without, and back, and into a smaller MTU.
#[test]
fn transfers_arrive_whole_between_unlike_ports() {
    let Some(world) = world() else { return };
    let unlike = lab(true, 1500)
        .replacen("netns = \"blue\"", "netns = \"blue\"\noffload = false", 1)
        .replacen("netns = \"net\"", "netns = \"net\"\noffload = false", 1);
    let _daemon = Daemon::with(&world, &unlike);
    let all = Hosts::of(&world);
    over_tcp(&all.red, &all.blue, BLUE, BLUE, RED, WHOLE);
    over_tcp(&all.blue, &all.red, RED, RED, BLUE, WHOLE);
    over_tcp(&all.red, &all.net, OUTSIDE, OUTSIDE, WAN, WHOLE);
    over_udp(&all.red, &all.blue, BLUE, RED, 1472, WHOLE);
    over_udp(&all.red, &all.net, OUTSIDE, WAN, 1472, WHOLE);
}

pub(crate) fn transfers_arrive_whole(offload: bool, mtu: u16) {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(offload, mtu));
    every_way(&world, mtu, WHOLE);
}

/// Pings and transfers over the bridge, the router, the masquerade, a published port and back by
/// it.
pub(crate) fn every_way(world: &World, mtu: u16, total: usize) {
    let Hosts { red, blue, green, net } = Hosts::of(world);
    red.ping("192.168.0.3");
    red.ping("192.168.0.1");
    red.ping("10.1.0.2");
    blue.ping("203.0.113.254");
    net.ping("203.0.113.1");
    // A ping of a whole frame.
    let largest = usize::from(mtu) - 28;
    assert_eq!(red.probe(OUTSIDE, 64, largest), crate::host::Answer::Reply(OUTSIDE));

    over_tcp(&red, &blue, BLUE, BLUE, RED, total);
    over_tcp(&red, &green, GREEN, GREEN, RED, total);
    over_tcp(&red, &net, OUTSIDE, OUTSIDE, WAN, total);
    over_tcp(&net, &red, WAN, RED, OUTSIDE, total);
    // Whom a host sees that is reached from within by its outside address, is the switch's choice.
    by_hairpin(&blue, &red, total);
    by_hairpin(&red, &red, total);

    over_udp(&red, &blue, BLUE, RED, largest, total);
    over_udp(&red, &green, GREEN, RED, largest, total);
    over_udp(&red, &net, OUTSIDE, WAN, largest, total);
    let (near, far) = (net.udp(0), red.udp(PORT));
    near.connect((WAN, PORT)).unwrap();
    transfer::udp(&near, &far, largest, total);
}

/// From a host to `to`, where `seen_at` is the address it is received at and `seen_from` whom it
/// seems to come from.
fn over_tcp(
    from: &Host,
    host: &Host,
    to: Ipv4Addr,
    seen_at: Ipv4Addr,
    seen_from: Ipv4Addr,
    total: usize,
) {
    let listener = host.listen(PORT);
    let (near, far) = from.connect(SocketAddrV4::new(to, PORT), &listener);
    assert_eq!(far.local_addr().unwrap().ip(), seen_at);
    assert_eq!(far.peer_addr().unwrap().ip(), seen_from);
    assert_eq!(near.peer_addr().unwrap(), SocketAddr::from((to, PORT)));
    transfer::tcp((near, far), total);
}

fn by_hairpin(from: &Host, host: &Host, total: usize) {
    let listener = host.listen(PORT);
    let (near, far) = from.connect(SocketAddrV4::new(WAN, PORT), &listener);
    assert_eq!(far.local_addr().unwrap().ip(), RED);
    transfer::tcp((near, far), total);
}

fn over_udp(
    from: &Host,
    host: &Host,
    to: Ipv4Addr,
    seen_from: Ipv4Addr,
    size: usize,
    total: usize,
) {
    let (near, far) = (from.udp(0), host.udp(PORT));
    near.connect((to, PORT)).unwrap();
    near.send(b"who am I").unwrap();
    let (_, seen) = far.recv_from(&mut [0; 16]).unwrap();
    assert_eq!(seen.ip(), seen_from);
    transfer::udp(&near, &far, size, total);
}

struct Hosts {
    red: Host,
    blue: Host,
    green: Host,
    net: Host,
}

impl Hosts {
    fn of(world: &World) -> Self {
        let [red, blue, green, net] = ["red", "blue", "green", "net"].map(|name| world.host(name));
        Self { red, blue, green, net }
    }
}

/// Two bridges with the router between them, and a way out by masquerade.
pub(crate) fn lab(offload: bool, mtu: u16) -> String {
    let port = format!("mtu = {mtu}\noffload = {offload}\n");
    let port = if offload { format!("mtu = {mtu}\n") } else { port };
    format!(
        r#"
[bridge.br0]
router = "192.168.0.1/24"
mtu = {mtu}

[bridge.br1]
router = "10.1.0.1/24"
mtu = {mtu}

[port.red]
bridge = "br0"
netns = "red"
address = "192.168.0.2/24"
{port}
[port.blue]
bridge = "br0"
netns = "blue"
address = "192.168.0.3/24"
{port}
[port.green]
bridge = "br1"
netns = "green"
address = "10.1.0.2/24"
{port}
[port.wan]
router = "203.0.113.1/24"
netns = "net"
address = "203.0.113.254/24"
gateway = false
{port}
[[masquerade]]
source = "192.168.0.0/24"
out = "wan"

[[publish]]
listen = "203.0.113.1:{PORT}/tcp"
to = "192.168.0.2"

[[publish]]
listen = "203.0.113.1:{PORT}/udp"
to = "192.168.0.2"
"#
    )
}

const RED: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
const BLUE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 3);
const GREEN: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const WAN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);
const PORT: u16 = 4000;
