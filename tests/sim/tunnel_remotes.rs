//! Behind which far end a station is, and what never goes from one far end to another.

use core::time::Duration;

use lab::tunnel::encapsulated;
use lab::{Lab, Port, Tunnel};
use packet::{DropReason, Mac, VlanId};
use switch::Change;
use switch::change::BridgeSettings;
use switch::view::Location;

use crate::common::{
    FAR, FARTHER, far_hello, hello, sent_to, speak, stranger, tunnelled, tunnelled_with,
};

fn vtep(lab: &Lab, mac: Mac) -> Option<String> {
    lab.vtep("br0", 0, mac).map(|far| far.to_string())
}

fn through(tunnel: &str, far: &str) -> (String, String) {
    (tunnel.into(), far.into())
}

/// VX9.
#[test]
fn a_station_is_learned_behind_the_remote_it_spoke_from() {
    let mut lab = tunnelled();
    let far = stranger(1);
    let red = lab.mac("red");
    far_hello(&mut lab, FARTHER, red, far);
    assert_eq!(lab.take("red").len(), 1, "to nobody known: red has not spoken yet");
    assert_eq!(lab.location("br0", 0, far), Some("vx0"));
    assert_eq!(vtep(&lab, far), Some(FARTHER.into()));
    lab.clear();
    lab.send("blue", &hello(far, lab.mac("blue")));
    let sent = lab.datagrams();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].remote.to_string(), sent[0].vni()), (FARTHER.into(), 42));
    assert_eq!(sent[0].inside().bytes, hello(far, lab.mac("blue")));
    assert_eq!(lab.heard(), [""; 0]);
}

/// VX9.
#[test]
fn a_station_moves_between_remotes_and_ports() {
    let mut lab = tunnelled();
    let wanderer = stranger(1);
    far_hello(&mut lab, FAR, Mac::BROADCAST, wanderer);
    assert_eq!(vtep(&lab, wanderer), Some(FAR.into()));
    far_hello(&mut lab, FARTHER, Mac::BROADCAST, wanderer);
    assert_eq!(vtep(&lab, wanderer), Some(FARTHER.into()));
    lab.send("red", &hello(Mac::BROADCAST, wanderer));
    assert_eq!((lab.location("br0", 0, wanderer), vtep(&lab, wanderer)), (Some("red"), None));
    lab.clear();
    lab.datagrams();
    speak_to(&mut lab, "blue", wanderer);
    assert_eq!((lab.heard(), sent_to(&mut lab)), (vec!["red".into()], vec![]));
    far_hello(&mut lab, FAR, Mac::BROADCAST, wanderer);
    lab.clear();
    speak_to(&mut lab, "blue", wanderer);
    assert_eq!((lab.heard(), sent_to(&mut lab)), (vec![], vec![through("vx0", FAR)]));
    assert_eq!(lab.switch().fdb_counts(lab.bridge_id("br0")).unwrap().2.moved, 3);
}

fn speak_to(lab: &mut Lab, from: &str, to: Mac) {
    lab.send(from, &hello(to, lab.mac(from)));
}

/// VX9.
#[test]
fn nothing_is_learned_from_a_group_source() {
    let mut lab = tunnelled();
    for source in [Mac::BROADCAST, Mac([3, 0, 0, 0, 0, 1]), Mac::ZERO] {
        far_hello(&mut lab, FAR, Mac::BROADCAST, source);
    }
    assert_eq!(lab.drops(), [("vx0", DropReason::BadSource, 3)]);
    assert!(lab.learned("br0").is_empty() && lab.heard().is_empty());
}

/// VX9.
#[test]
fn a_station_bound_to_a_remote_neither_moves_nor_ages() {
    let mut lab = tunnelled();
    let (bridge, tunnel) = (lab.bridge_id("br0"), lab.port_id("vx0"));
    let bound = Location::Remote { tunnel, remote: FARTHER.parse().unwrap() };
    let pin = |to| Change::PinStation(bridge, VlanId::UNTAGGED, stranger(1), to);
    lab.change(pin(bound));
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    assert_eq!(lab.drops(), [("vx0", DropReason::SourceIsStatic, 1)], "the other far end");
    lab.run_for(Duration::from_secs(1000));
    lab.down("vx0");
    lab.up("vx0");
    assert_eq!(vtep(&lab, stranger(1)), Some(FARTHER.into()));
    speak_to(&mut lab, "red", stranger(1));
    assert_eq!(sent_to(&mut lab), [through("vx0", FARTHER)]);
    let nowhere = Location::Remote { tunnel, remote: "192.0.2.99".parse().unwrap() };
    assert!(lab.try_change(pin(nowhere)).is_err(), "no far end of the tunnel");
    assert!(lab.try_change(pin(Location::Port(tunnel))).is_err(), "behind which far end?");
    let red = Location::Remote { tunnel: lab.port_id("red"), remote: FAR.parse().unwrap() };
    assert!(lab.try_change(pin(red)).is_err(), "a port has no far ends");
}

/// VX9.
#[test]
fn a_silent_station_beyond_a_tunnel_is_forgotten() {
    let mut lab = tunnelled();
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    lab.run_for(Duration::from_secs(300));
    assert_eq!(vtep(&lab, stranger(1)), Some(FAR.into()));
    lab.run_for(Duration::from_secs(2));
    assert_eq!(vtep(&lab, stranger(1)), None);
}

/// VX9.
#[test]
fn who_was_behind_a_remote_that_is_removed_is_forgotten() {
    let mut lab = tunnelled();
    let (bridge, tunnel) = (lab.bridge_id("br0"), lab.port_id("vx0"));
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    far_hello(&mut lab, FARTHER, Mac::BROADCAST, stranger(2));
    let bound = Location::Remote { tunnel, remote: FARTHER.parse().unwrap() };
    lab.change(Change::PinStation(bridge, VlanId::UNTAGGED, stranger(3), bound));
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR));
    let known = [1, 2, 3].map(|number| vtep(&lab, stranger(number)));
    assert_eq!(known, [Some(FAR.into()), None, None]);
    far_hello(&mut lab, FARTHER, Mac::BROADCAST, stranger(2));
    assert_eq!(lab.dropped("udp", DropReason::UnknownVtep), 1);
    lab.down("vx0");
    assert_eq!(vtep(&lab, stranger(1)), None, "a tunnel that goes down forgets");
}

/// VX9.
#[test]
fn a_tunnel_that_does_not_learn_floods() {
    let mut lab = tunnelled_with(Tunnel::without_learning);
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    assert_eq!(lab.heard(), ["red", "blue"]);
    assert!(lab.learned("br0").is_empty());
    speak_to(&mut lab, "red", stranger(1));
    assert_eq!(sent_to(&mut lab), [through("vx0", FAR), through("vx0", FARTHER)]);
    assert_eq!(lab.location("br0", 0, lab.mac("red")), Some("red"), "its ports are learned");
}

/// VX9: who may speak in whose name does not depend on whether that is learned.
#[test]
fn a_tunnel_that_does_not_learn_is_no_way_to_speak_in_the_router_s_name() {
    let mut lab = tunnelled_with(Tunnel::without_learning);
    lab.router("br0", "192.168.0.1/24");
    let (bridge, red) = (lab.bridge_id("br0"), Location::Port(lab.port_id("red")));
    lab.change(Change::PinStation(bridge, VlanId::UNTAGGED, stranger(1), red));
    lab.clear();
    let router = lab.router_mac("br0");
    far_hello(&mut lab, FAR, Mac::BROADCAST, router);
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    assert!(lab.heard().is_empty());
    let drops = [("vx0", DropReason::SourceIsOurs, 1), ("vx0", DropReason::SourceIsStatic, 1)];
    assert_eq!(lab.drops(), drops);
}

/// Two tunnels of one bridge, a station beyond each far end: 1 and 2 of vx0, 3 of vx1.
fn two_tunnels() -> Lab {
    let mut lab = tunnelled();
    lab.tunnel("vx1", &Tunnel::on("br0", 43).to("192.0.2.8"));
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    far_hello(&mut lab, FARTHER, Mac::BROADCAST, stranger(2));
    lab.from_remote("192.0.2.8", &encapsulated(43, &hello(Mac::BROADCAST, stranger(3))));
    lab.clear();
    lab.datagrams();
    lab
}

/// VX11.
#[test]
fn nothing_goes_from_one_remote_to_another() {
    let mut lab = two_tunnels();
    for to in [Mac::BROADCAST, Mac([0x33, 0x33, 0, 0, 0, 1]), stranger(77)] {
        far_hello(&mut lab, FAR, to, stranger(1));
        assert_eq!(lab.heard(), ["red", "blue"], "to {to}");
    }
    for known in [2, 3] {
        far_hello(&mut lab, FAR, stranger(known), stranger(1));
    }
    far_hello(&mut lab, FAR, stranger(1), stranger(4));
    assert_eq!(sent_to(&mut lab), []);
    let drops = [("vx0", DropReason::Reflected, 1), ("vx0", DropReason::SplitHorizon, 2)];
    assert_eq!(lab.drops(), drops);
    assert!(lab.heard().is_empty());
}

/// VX11: a hub floods, but not from far end to far end.
#[test]
fn a_hub_with_tunnels_keeps_the_split_horizon() {
    let mut lab = two_tunnels();
    lab.bridge_with("br0", BridgeSettings { hub: true, ..BridgeSettings::default() });
    far_hello(&mut lab, FAR, stranger(3), stranger(1));
    assert_eq!((lab.heard(), sent_to(&mut lab)), (vec!["red".into(), "blue".into()], vec![]));
    speak(&mut lab, "red", "blue");
    let all = [through("vx0", FAR), through("vx0", FARTHER), through("vx1", "192.0.2.8")];
    assert_eq!((lab.heard(), sent_to(&mut lab)), (vec!["blue".into()], all.into()));
    assert!(lab.learned("br0").is_empty());
}

/// VX11, VX12.
#[test]
fn tunnels_of_different_bridges_do_not_mix() {
    let mut lab = tunnelled();
    lab.bridge("br1");
    lab.station("green", Port::on("br1"));
    lab.tunnel("vx1", &Tunnel::on("br1", 43).to(FAR));
    lab.datagrams();
    let bytes = hello(Mac::BROADCAST, stranger(1));
    lab.from_remote(FAR, &encapsulated(43, &bytes));
    assert_eq!(lab.heard(), ["green"]);
    assert_eq!(lab.location("br0", 0, stranger(1)), None);
    lab.from_remote(FAR, &encapsulated(42, &bytes));
    assert_eq!(lab.heard(), ["red", "blue"]);
    assert_eq!(lab.location("br1", 0, stranger(1)), Some("vx1"));
    lab.from_remote(FARTHER, &encapsulated(43, &bytes));
    assert_eq!(lab.drops(), [("udp", DropReason::UnknownVtep, 1)]);
    assert_eq!(sent_to(&mut lab), []);
}

/// VX11: whoever sends back all that he gets makes no storm.
#[test]
fn a_remote_that_reflects_everything_makes_no_loop() {
    let mut lab = tunnelled();
    lab.send("red", &hello(Mac::BROADCAST, lab.mac("red")));
    let mut rounds = 0;
    loop {
        let datagrams = lab.datagrams();
        if datagrams.is_empty() {
            break;
        }
        for datagram in datagrams {
            lab.from_remote(datagram.remote, &datagram.payload);
        }
        rounds += 1;
        assert!(rounds < 2, "datagrams go in circles");
    }
    assert_eq!(lab.heard(), ["red", "red", "blue", "blue", "blue"], "once, and once per far end");
}

#[test]
fn an_isolated_tunnel_reaches_only_ports_that_are_not() {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.station("alone", Port::on("br0").isolated());
    lab.station("open", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).isolated());
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    assert_eq!(lab.heard(), ["open"]);
    speak_to(&mut lab, "alone", stranger(1));
    assert_eq!(sent_to(&mut lab), []);
    assert_eq!(lab.dropped("alone", DropReason::Isolated), 2, "the frame, and its copy before");
    speak_to(&mut lab, "open", stranger(1));
    assert_eq!(sent_to(&mut lab), [through("vx0", FAR)]);
}
