//! Whole hosts through the whole switch: smoltcp's TCP, UDP, ICMP and ARP over bridge, router and
//! NAT, over good and bad cables, with and without super-frames. Content is compared by hash.

use core::time::Duration;

use lab::{Lab, Link, Port};

/// A masqueraded home of hosts: red and blue inside, `internet` outside, as `port` makes their
/// ports.
fn neighbourhood(seed: u64, port: impl Fn(Port) -> Port) -> Lab {
    let mut lab = Lab::new(seed);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.host("red", port(Port::on("br0")), "192.168.0.2/24");
    lab.host("blue", port(Port::on("br0")), "192.168.0.3/24");
    lab.host("internet", port(Port::routed("203.0.113.1/24")), "203.0.113.254/24");
    lab.masquerade("192.168.0.0/24", "internet");
    lab.publish("203.0.113.1:8080/tcp", "192.168.0.2:80");
    lab
}

/// Cables as between rooms.
fn good(port: Port) -> Port {
    port.link(Link::delayed(Duration::from_micros(50)))
}

fn bad(port: Port) -> Port {
    port.link(Link::bad())
}

fn wide(port: Port) -> Port {
    good(port).offload()
}

/// Three transfers: over the bridge, out through masquerade, in through a published port.
fn transfers(mut lab: Lab, len: usize) -> Lab {
    let bridged = lab.transfer("red", "192.168.0.3:7000", ("blue", 7000), len);
    assert_eq!(bridged.client.ip().to_string(), "192.168.0.2");
    let out = lab.transfer("blue", "203.0.113.254:7000", ("internet", 7000), len);
    assert_eq!(out.client.ip().to_string(), "203.0.113.1", "masqueraded");
    let inward = lab.transfer("internet", "203.0.113.1:8080", ("red", 80), len);
    assert_eq!(inward.client.ip().to_string(), "203.0.113.254");
    lab
}

#[test]
fn every_host_pings_every_other_and_the_router() {
    let mut lab = neighbourhood(1, good);
    assert_eq!(lab.ping("red", "192.168.0.3"), "192.168.0.3".parse().ok());
    assert_eq!(lab.ping("red", "192.168.0.1"), "192.168.0.1".parse().ok());
    assert_eq!(lab.ping("red", "203.0.113.254"), "203.0.113.254".parse().ok());
    assert_eq!(lab.ping("blue", "203.0.113.254"), "203.0.113.254".parse().ok());
    assert_eq!(lab.ping("internet", "203.0.113.1"), "203.0.113.1".parse().ok());
    assert_eq!(lab.ping("blue", "192.168.0.77"), None);
}

#[test]
fn datagrams_go_out_and_their_answers_come_back() {
    let mut lab = neighbourhood(1, good);
    lab.bind("internet", 53);
    lab.datagram("red", 5000, "203.0.113.254:53", b"where is blue?");
    let (asked, from) = lab.receive("internet", 53).unwrap();
    assert_eq!(
        (asked.as_slice(), from.to_string()),
        (&b"where is blue?"[..], "203.0.113.1:5000".into())
    );
    lab.datagram("internet", 53, from, b"inside");
    let (answer, from) = lab.receive("red", 5000).unwrap();
    assert_eq!((answer.as_slice(), from.to_string()), (&b"inside"[..], "203.0.113.254:53".into()));
}

#[test]
fn content_is_equal_over_good_cables() {
    let lab = transfers(neighbourhood(2, good), 2 << 20);
    assert!(lab.drops().is_empty());
}

#[test]
fn content_is_equal_over_bad_cables() {
    for seed in 10..14 {
        transfers(neighbourhood(seed, bad), 100 << 10);
    }
}

#[test]
fn content_is_equal_with_super_frames() {
    let lab = transfers(neighbourhood(3, wide), 8 << 20);
    let frames = lab.switch().totals().received;
    assert!(frames < 6000, "super-frames are few: {frames} for 29 MB");
}

#[test]
fn content_is_equal_between_ends_with_and_without_super_frames() {
    let mut lab = Lab::new(4);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.host("wide", wide(Port::on("br0")), "192.168.0.2/24");
    lab.host("plain", good(Port::on("br0")), "192.168.0.3/24");
    lab.host("internet", good(Port::routed("203.0.113.1/24")), "203.0.113.254/24");
    lab.masquerade("192.168.0.0/24", "internet");
    lab.transfer("wide", "192.168.0.3:7000", ("plain", 7000), 1 << 20);
    lab.transfer("plain", "192.168.0.2:7000", ("wide", 7000), 1 << 20);
    lab.transfer("wide", "203.0.113.254:7000", ("internet", 7000), 1 << 20);
}

#[test]
fn content_is_equal_with_jumbo_frames_and_between_mtus() {
    let mut lab = Lab::new(5);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.router_mtu("br0", 9000);
    lab.host("one", good(Port::on("br0").mtu(9000)), "192.168.0.2/24");
    lab.host("two", good(Port::on("br0").mtu(9000)), "192.168.0.3/24");
    lab.host("small", good(Port::routed("203.0.113.1/24")), "203.0.113.254/24");
    lab.transfer("one", "192.168.0.3:7000", ("two", 7000), 2 << 20);
    lab.transfer("one", "203.0.113.254:7000", ("small", 7000), 1 << 20);
    assert!(lab.ping_with("one", "192.168.0.3", 8000).is_some());
}

#[test]
fn content_is_equal_across_vlans_on_a_bad_trunk() {
    let mut lab = Lab::new(6);
    lab.bridge("br0");
    lab.router("br0.10", "10.0.10.1/24");
    lab.router("br0.20", "10.0.20.1/24");
    lab.host("ten", bad(Port::on("br0").access(10)), "10.0.10.2/24");
    lab.host("twenty", bad(Port::on("br0").access(20)), "10.0.20.2/24");
    lab.transfer("ten", "10.0.20.2:7000", ("twenty", 7000), 100 << 10);
}

#[test]
fn a_connection_nobody_waits_for_is_refused_by_the_far_host() {
    let mut lab = neighbourhood(7, good);
    let connection = lab.connect("red", "203.0.113.254:9");
    let closed = lab.run_until(Duration::from_secs(5), |lab| !lab.socket(connection).is_open());
    assert!(closed, "the reset came back through NAT");
}

#[test]
fn a_host_reaches_its_own_service_by_its_published_name() {
    let mut lab = neighbourhood(8, good);
    let hairpin = lab.transfer("red", "203.0.113.1:8080", ("red", 80), 200 << 10);
    assert_eq!(hairpin.client.ip().to_string(), "203.0.113.1");
    let neighbour = lab.transfer("blue", "203.0.113.1:8080", ("red", 80), 200 << 10);
    assert_eq!(neighbour.client.ip().to_string(), "203.0.113.1");
}

#[test]
fn a_host_that_moves_to_another_port_goes_on_talking() {
    let mut lab = neighbourhood(9, good);
    assert!(lab.ping("red", "192.168.0.3").is_some());
    lab.down("blue");
    assert!(lab.ping("red", "192.168.0.3").is_none());
    lab.up("blue");
    assert!(lab.ping("red", "192.168.0.3").is_some());
    assert!(lab.ping("blue", "203.0.113.254").is_some());
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_the_same_times() {
    let run = |seed| transfers(neighbourhood(seed, bad), 50 << 10).digest();
    assert_eq!(run(21), run(21));
    assert_ne!(run(21), run(22));
}
