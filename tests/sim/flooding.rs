//! Who gets a copy, and who does not: flooding, reserved addresses, isolation, hubs, MTUs.

use lab::wire::frame;
use lab::{Lab, Packet, Port};
use packet::{DropReason, Mac};
use switch::change::BridgeSettings;

use crate::common::{EXPERIMENT, hello, left_to_the_switch, segment, shout, speak, stranger};

/// BR1.
#[test]
fn nothing_returns_to_the_port_it_came_from() {
    let mut lab = segment(1);
    for to in [Mac::BROADCAST, Mac([0x33, 0x33, 0, 0, 0, 1]), stranger(1)] {
        let bytes = hello(to, lab.mac("a"));
        lab.send("a", &bytes);
        assert_eq!(lab.heard(), ["b", "c"], "to {to}");
    }
}

/// BR1.
#[test]
fn a_frame_to_a_station_behind_its_own_port_is_dropped() {
    let mut lab = segment(1);
    let bytes = hello(Mac::BROADCAST, stranger(1));
    lab.send("a", &bytes);
    lab.clear();
    let bytes = hello(stranger(1), stranger(2));
    lab.send("a", &bytes);
    assert_eq!(lab.drops(), [("a", DropReason::Reflected, 1)]);
    assert!(lab.heard().is_empty());
}

#[test]
fn a_frame_that_nobody_else_may_take_is_dropped() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.station("a", Port::on("br0"));
    shout(&mut lab, "a");
    assert_eq!(lab.drops(), [("a", DropReason::NoEgress, 1)]);
}

#[test]
fn a_flooded_frame_arrives_everywhere_as_it_was() {
    let mut lab = segment(1);
    let bytes = frame(Mac::BROADCAST, lab.mac("a")).payload(EXPERIMENT, &[0x5a; 1500]);
    lab.send("a", &bytes);
    assert_eq!(lab.take("b")[0].bytes, bytes);
    assert_eq!(lab.take("c")[0].bytes, bytes);
    assert_eq!(lab.switch().totals().sent, 1, "one frame, whatever the copies");
}

#[test]
fn a_hub_lets_nobody_speak_in_the_router_s_name() {
    let mut lab = segment(1);
    lab.bridge_with("br0", BridgeSettings { hub: true, ..BridgeSettings::default() });
    lab.router("br0", "192.168.0.1/24");
    lab.clear();
    let bytes = hello(Mac::BROADCAST, lab.router_mac("br0"));
    lab.send("a", &bytes);
    assert_eq!(lab.drops(), [("a", DropReason::SourceIsOurs, 1)]);
    assert!(lab.heard().is_empty());
}

/// BR7.
#[test]
fn reserved_addresses_are_dropped_by_default_and_forwarded_one_by_one() {
    for forwarded in [None, Some(0u8), Some(2), Some(3), Some(14), Some(15)] {
        let mut lab = segment(1);
        let forward = forwarded.map_or(0, |low| 1 << low);
        lab.bridge_with("br0", BridgeSettings { forward, ..BridgeSettings::default() });
        for low in 0..=15 {
            let bytes = hello(Mac([1, 0x80, 0xc2, 0, 0, low]), lab.mac("a"));
            lab.send("a", &bytes);
            let expected: &[&str] = if Some(low) == forwarded { &["b", "c"] } else { &[] };
            assert_eq!(lab.heard(), expected, "{low:x} with {forwarded:?}");
        }
        let dropped = if forwarded.is_some() { 15 } else { 16 };
        assert_eq!(lab.drops(), [("a", DropReason::Reserved, dropped)]);
    }
}

/// BR7.
#[test]
fn a_reserved_frame_teaches_nothing_and_its_neighbours_are_not_reserved() {
    let mut lab = segment(1);
    let bytes = hello(Mac([1, 0x80, 0xc2, 0, 0, 0]), stranger(1));
    lab.send("a", &bytes);
    assert_eq!(lab.location("br0", 0, stranger(1)), None);
    lab.bridge_with("br0", BridgeSettings { forward: u16::MAX, ..BridgeSettings::default() });
    lab.send("a", &bytes);
    assert_eq!(lab.heard(), ["b", "c"]);
    assert_eq!(lab.location("br0", 0, stranger(1)), None, "forwarded, neither");
    for last in [[0, 0x10], [0, 0x21], [1, 0]] {
        let bytes = hello(Mac([1, 0x80, 0xc2, 0, last[0], last[1]]), stranger(1));
        lab.send("a", &bytes);
        assert_eq!(lab.heard(), ["b", "c"]);
    }
}

#[test]
fn isolated_ports_talk_to_the_others_only() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.station("a", Port::on("br0").isolated());
    lab.station("b", Port::on("br0").isolated());
    lab.station("up", Port::on("br0"));
    lab.clear();
    shout(&mut lab, "a");
    assert_eq!(lab.heard(), ["up"]);
    shout(&mut lab, "b");
    assert_eq!(lab.heard(), ["up"]);
    speak(&mut lab, "a", "b");
    assert!(lab.heard().is_empty());
    let copies = [("a", DropReason::Isolated, 2), ("b", DropReason::Isolated, 1)];
    assert_eq!(lab.drops(), copies, "a copy for each neighbour, and the frame to b alone");
    shout(&mut lab, "up");
    assert_eq!(lab.heard(), ["a", "b"]);
    speak(&mut lab, "up", "b");
    speak(&mut lab, "b", "up");
    assert_eq!(lab.heard(), ["b", "up"]);
}

#[test]
fn isolated_hosts_reach_the_router_and_not_each_other() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "172.17.0.1/16");
    lab.host("one", Port::on("br0").isolated(), "172.17.0.2/16");
    lab.host("two", Port::on("br0").isolated(), "172.17.0.3/16");
    assert!(lab.ping("one", "172.17.0.1").is_some());
    assert!(lab.ping("two", "172.17.0.1").is_some());
    assert!(lab.ping("one", "172.17.0.3").is_none());
}

#[test]
fn a_hub_repeats_everything_and_learns_nothing() {
    let mut lab = segment(1);
    lab.router("br0", "192.168.0.1/24");
    shout(&mut lab, "b");
    lab.bridge_with("br0", BridgeSettings { hub: true, ..BridgeSettings::default() });
    assert!(lab.learned("br0").is_empty(), "a bridge that becomes a hub forgets");
    lab.clear();
    speak(&mut lab, "b", "a");
    speak(&mut lab, "a", "b");
    assert_eq!(lab.heard(), ["a", "b", "c", "c"]);
    assert!(lab.learned("br0").is_empty());
}

#[test]
fn hosts_on_a_hub_reach_the_router_and_each_other() {
    let mut lab = Lab::new(1);
    lab.bridge_with("br0", BridgeSettings { hub: true, ..BridgeSettings::default() });
    lab.router("br0", "192.168.0.1/24");
    lab.host("red", Port::on("br0"), "192.168.0.2/24");
    lab.host("blue", Port::on("br0"), "192.168.0.3/24");
    assert!(lab.ping("red", "192.168.0.1").is_some());
    assert!(lab.ping("red", "192.168.0.3").is_some());
}

/// BR17.
#[test]
fn frames_under_14_bytes_are_dropped_and_length_frames_pass() {
    let mut lab = segment(1);
    for len in 0..14 {
        lab.send("a", &[2; 14][..len]);
    }
    assert_eq!(lab.drops(), [("a", DropReason::Runt, 14)]);
    let spanning_tree = frame(Mac([2, 0, 0, 0, 0, 9]), lab.mac("a")).payload(3, &[0x42, 0x42, 3]);
    lab.send("a", &spanning_tree);
    assert_eq!(lab.take("b")[0].bytes, spanning_tree);
    let empty = frame(lab.mac("c"), lab.mac("a")).payload(EXPERIMENT, &[]);
    lab.send("a", &empty);
    assert_eq!(lab.take("b")[0].bytes, empty);
}

#[test]
fn a_port_gets_no_frame_beyond_its_mtu() {
    let mut lab = segment(1);
    lab.station("small", Port::on("br0").mtu(1000));
    let large = |to, from| frame(to, from).payload(EXPERIMENT, &[1; 1001]);
    let bytes = large(Mac::BROADCAST, lab.mac("a"));
    lab.send("a", &bytes);
    assert_eq!(lab.heard(), ["b", "c"]);
    assert_eq!(lab.drops(), [("small", DropReason::ExceedsPortMtu, 1)]);
    assert_eq!(lab.switch().totals().copies_dropped, 1);
    shout(&mut lab, "small");
    lab.clear();
    let bytes = large(lab.mac("small"), lab.mac("a"));
    lab.send("a", &bytes);
    assert_eq!(lab.dropped("a", DropReason::ExceedsPortMtu), 1);
    let bytes = frame(lab.mac("small"), lab.mac("a")).payload(EXPERIMENT, &[1; 1000]);
    lab.send("a", &bytes);
    assert_eq!(lab.heard(), ["small"]);
}

#[test]
fn what_a_device_contradicts_is_counted_and_lost() {
    let mut lab = segment(1);
    lab.step(switch::Event::Malformed { port: lab.port_id("a") });
    assert_eq!(lab.drops(), [("a", DropReason::BadOffload, 1)]);
}

#[test]
fn a_bridged_frame_keeps_its_partial_checksum() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.station("a", Port::on("br0").offload());
    lab.station("b", Port::on("br0").offload());
    lab.station("plain", Port::on("br0"));
    let datagram = Packet::udp("192.168.0.2:1", "192.168.0.3:2", b"to be summed");
    let whole = frame(Mac::BROADCAST, lab.mac("a")).ip(&datagram);
    let partial = left_to_the_switch(&whole);
    lab.send_frame("a", partial.clone());
    let taken = &lab.take("b")[0];
    assert_eq!((&taken.bytes[..], taken.offload), (partial.bytes(), partial.offload()));
    assert_eq!(lab.take("plain")[0].bytes, whole, "completed for a device that cannot");
}
