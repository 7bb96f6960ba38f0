//! What the router says to senders, as their kernels understand it: TTL, path MTU, fragments.

use std::net::{Ipv4Addr, UdpSocket};

use nix::sys::socket::{getsockopt, setsockopt, sockopt::IpMtu};
use nix::{setsockopt_impl, sockopt_impl};

use crate::daemon::Daemon;
use crate::host::{Answer, Host};
use crate::traffic::lab;
use crate::wait;
use crate::world::world;

sockopt_impl!(
    /// `IP_MTU_DISCOVER` of ip(7).
    MtuDiscover,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    i32
);

#[test]
fn a_trace_names_the_router_and_then_the_host() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let red = world.host("red");
    let router = Ipv4Addr::new(192, 168, 0, 1);
    for far in ["203.0.113.254", "10.1.0.2"] {
        let far = far.parse().unwrap();
        assert_eq!(red.probe(far, 1, 32), Answer::Error(router, 11, 0));
        assert_eq!(red.probe(far, 2, 32), Answer::Reply(far));
    }
    assert_eq!(red.probe(router, 1, 32), Answer::Reply(router), "the last hop needs no more");
}

#[test]
fn a_destination_that_nobody_has_is_told_to_be_unreachable() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let red = world.host("red");
    let router = Ipv4Addr::new(192, 168, 0, 1);
    let no_network = red.probe("198.51.100.7".parse().unwrap(), 64, 32);
    assert_eq!(no_network, Answer::Error(router, 3, 0));
    let no_host = red.probe("10.1.0.77".parse().unwrap(), 64, 32);
    assert_eq!(no_host, Answer::Error(router, 3, 1));
    // The router has no service: the port is unreachable, and the sender's socket knows at once.
    let socket = red.udp(0);
    socket.connect("192.168.0.1:9").unwrap();
    socket.send(b"anyone?").unwrap();
    let refused = socket.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::ECONNREFUSED), "{refused}");
    // So is one of the outside host, whose error comes back through the translation.
    let socket = red.udp(0);
    socket.connect("203.0.113.254:9").unwrap();
    socket.send(b"anyone?").unwrap();
    let refused = socket.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::ECONNREFUSED), "{refused}");
}

#[test]
fn a_sender_learns_the_mtu_of_the_path() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &narrow_way_out(true));
    let (red, net) = (world.host("red"), world.host("net"));
    let far = net.udp(5000);
    let near = red.udp(0);
    setsockopt(&near, MtuDiscover, &libc::IP_PMTUDISC_DO).unwrap();
    near.connect("203.0.113.254:5000").unwrap();
    assert_eq!(getsockopt(&near, IpMtu).unwrap(), 9000);
    assert_eq!(near.send(&[7; 4000]).unwrap(), 4000, "the way out of the host is wide enough");
    let refused = wait::until("the MTU to be learned", || near.send(&[7; 4000]).err());
    assert_eq!(refused.raw_os_error(), Some(libc::EMSGSIZE), "{refused}");
    assert_eq!(getsockopt(&near, IpMtu).unwrap(), 1500);
    // The router's answer is also an error that waits at the socket.
    near.take_error().unwrap();
    assert_eq!(near.send(&[7; 1472]).unwrap(), 1472);
    assert_eq!(far.recv(&mut [0; 8000]).unwrap(), 1472, "the first that arrives");
}

/// A connection that is wide at both ends and narrow in between finds its way, super-frames and
/// all.
#[test]
fn a_stream_goes_on_through_a_narrow_path() {
    let Some(world) = world() else { return };
    for offload in [true, false] {
        let daemon = Daemon::with(&world, &narrow_way_out(offload));
        let (red, net) = (world.host("red"), world.host("net"));
        let listener = net.listen(5001);
        let flow = red.connect("203.0.113.254:5001".parse().unwrap(), &listener);
        crate::transfer::tcp(flow, crate::transfer::WHOLE);
        daemon.stop(nix::sys::signal::Signal::SIGTERM);
    }
}

#[test]
fn a_fragmented_datagram_passes_the_translation_whole() {
    let Some(world) = world() else { return };
    for offload in [true, false] {
        let daemon = Daemon::with(&world, &lab(offload, 1500));
        there_and_back(&world.host("red"), &world.host("net"), "203.0.113.254:5000", 8000);
        // In by the published port, too.
        there_and_back(&world.host("net"), &world.host("red"), "203.0.113.1:4000", 8000);
        there_and_back(&world.host("red"), &world.host("blue"), "192.168.0.3:5000", 60_000);
        daemon.stop(nix::sys::signal::Signal::SIGTERM);
    }
}

#[test]
fn a_datagram_that_may_be_fragmented_is_on_the_way() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &narrow_way_out(true));
    let (red, net) = (world.host("red"), world.host("net"));
    let (far, near) = (net.udp(5000), red.udp(0));
    setsockopt(&near, MtuDiscover, &libc::IP_PMTUDISC_DONT).unwrap();
    near.connect("203.0.113.254:5000").unwrap();
    round(&near, &far, 8000);
    assert_eq!(getsockopt(&near, IpMtu).unwrap(), 9000, "nothing had to be learned");
}

fn there_and_back(from: &Host, host: &Host, to: &str, length: usize) {
    let port = to.rsplit(':').next().unwrap().parse().unwrap();
    let (near, far) = (from.udp(0), host.udp(port));
    near.connect(to).unwrap();
    for _ in 0..8 {
        round(&near, &far, length);
    }
}

fn round(near: &UdpSocket, far: &UdpSocket, length: usize) {
    let sent: Vec<u8> = (0..length).map(|at| (at * 7 + at / 256).to_le_bytes()[0]).collect();
    let mut heard = vec![0; length + 1];
    near.send(&sent).unwrap();
    let (count, from) = far.recv_from(&mut heard).expect("it arrives");
    assert!(heard[..count] == sent);
    far.send_to(&sent, from).unwrap();
    let count = near.recv(&mut heard).expect("it comes back");
    assert!(heard[..count] == sent);
}

/// MTU 9000 inside and 1500 on the way out.
fn narrow_way_out(offload: bool) -> String {
    let wide = lab(offload, 9000);
    let (inside, outside) = wide.split_once("[port.wan]").unwrap();
    format!("{inside}[port.wan]{}", outside.replace("mtu = 9000", "mtu = 1500"))
}
