//! Who is where: learning, moving, ageing, forgetting, and the fair loss of a full table (IEEE
//! 802.1D clause 7.8).

use core::time::Duration;

use lab::model::Model;
use lab::{Lab, Port};
use packet::{DropReason, Mac, PortId, VlanId};
use proptest::prelude::*;
use switch::change::BridgeSettings;
use switch::view::{FdbCounts, Location};
use switch::{Change, ChangeError};

use crate::common::{hello, segment, shout, speak, stranger};

fn counts(lab: &Lab) -> FdbCounts {
    lab.switch().fdb_counts(lab.bridge_id("br0")).unwrap().2
}

/// BR2.
#[test]
fn a_station_is_found_where_it_spoke() {
    let mut lab = segment(1);
    speak(&mut lab, "a", "b");
    assert_eq!(lab.heard(), ["b", "c"], "b is not known yet");
    speak(&mut lab, "b", "a");
    assert_eq!(lab.heard(), ["a"]);
    speak(&mut lab, "a", "b");
    assert_eq!(lab.heard(), ["b"]);
    assert_eq!(counts(&lab).learned, 2);
}

/// BR2.
#[test]
fn group_and_zero_sources_are_refused_and_not_learned() {
    let mut lab = segment(1);
    for source in [Mac::BROADCAST, Mac([1, 0, 0x5e, 0, 0, 1]), Mac::ZERO] {
        let bytes = hello(Mac::BROADCAST, source);
        lab.send("a", &bytes);
    }
    assert_eq!(lab.drops(), [("a", DropReason::BadSource, 3)]);
    assert_eq!(counts(&lab).learned, 0);
    assert!(lab.heard().is_empty());
}

/// BR5.
#[test]
fn a_station_that_moves_is_found_at_once_where_it_is_now() {
    let mut lab = segment(1);
    shout(&mut lab, "a");
    let moved = hello(Mac::BROADCAST, lab.mac("a"));
    lab.send("c", &moved);
    lab.clear();
    speak(&mut lab, "b", "a");
    assert_eq!(lab.heard(), ["c"]);
    assert_eq!(counts(&lab).moved, 1);
}

/// BR1, BR2: learning comes before deciding.
#[test]
fn a_station_that_speaks_to_itself_is_heard_by_nobody() {
    let mut lab = segment(1);
    let own = hello(lab.mac("a"), lab.mac("a"));
    lab.send("a", &own);
    lab.send("c", &own);
    assert!(lab.heard().is_empty(), "neither at first nor after it has moved");
    assert_eq!(lab.dropped("a", DropReason::Reflected), 1);
    assert_eq!(lab.dropped("c", DropReason::Reflected), 1);
    assert_eq!(counts(&lab).moved, 1);
}

/// BR4: who comes may displace whom the frame is for.
#[test]
fn a_station_that_gives_way_to_the_sender_is_not_known_to_the_frame_that_displaced_it() {
    let mut lab = segment(1);
    let small = BridgeSettings { capacity: 1, ..BridgeSettings::default() };
    lab.change(Change::SetBridge(lab.bridge_id("br0"), small));
    shout(&mut lab, "b");
    lab.clear();
    speak(&mut lab, "a", "b");
    assert_eq!(lab.heard(), ["b", "c"], "flooded: the one place is a's now");
}

/// BR3.
#[test]
fn a_silent_station_is_forgotten_after_300_seconds() {
    let mut lab = segment(1);
    shout(&mut lab, "a");
    lab.run_for(Duration::from_secs(300));
    assert_eq!(lab.location("br0", 0, lab.mac("a")), Some("a"));
    lab.run_for(Duration::from_secs(2));
    assert_eq!(lab.location("br0", 0, lab.mac("a")), None);
    assert_eq!(counts(&lab).expired, 1);
    lab.clear();
    speak(&mut lab, "b", "a");
    assert_eq!(lab.heard(), ["a", "c"]);
}

/// BR3.
#[test]
fn a_station_that_speaks_stays_and_the_ageing_time_can_be_set() {
    let mut lab = segment(1);
    let ageing = Duration::from_secs(15);
    lab.bridge_with("br0", BridgeSettings { ageing, ..BridgeSettings::default() });
    shout(&mut lab, "b");
    for _ in 0..10 {
        shout(&mut lab, "a");
        lab.run_for(Duration::from_secs(10));
    }
    assert_eq!(lab.location("br0", 0, lab.mac("a")), Some("a"));
    assert_eq!(lab.location("br0", 0, lab.mac("b")), None);
    lab.run_for(Duration::from_secs(7));
    assert_eq!(lab.location("br0", 0, lab.mac("a")), None);
}

/// BR4.
#[test]
fn a_full_table_forgets_the_oldest_station_of_the_port_with_most() {
    let mut lab = segment(1);
    lab.bridge_with("br0", BridgeSettings { capacity: 10, ..BridgeSettings::default() });
    shout(&mut lab, "b");
    shout(&mut lab, "c");
    for number in 0..200 {
        let bytes = hello(Mac::BROADCAST, stranger(number));
        lab.send("a", &bytes);
    }
    let learned: Vec<(Mac, &str)> = lab.learned("br0").iter().map(|l| (l.0, l.2)).collect();
    assert_eq!(learned.len(), 10);
    assert!(learned.contains(&(lab.mac("b"), "b")), "the quiet stay");
    assert!(learned.contains(&(lab.mac("c"), "c")), "the quiet stay");
    assert!(learned.contains(&(stranger(199), "a")), "the newest is known");
    assert!(!learned.contains(&(stranger(191), "a")), "the oldest are not");
    assert_eq!(counts(&lab).evicted, 192);
}

/// BR4.
#[test]
fn a_smaller_capacity_takes_effect_at_once() {
    let mut lab = segment(1);
    for number in 0..50 {
        let bytes = hello(Mac::BROADCAST, stranger(number));
        lab.send("a", &bytes);
    }
    lab.bridge_with("br0", BridgeSettings { capacity: 10, ..BridgeSettings::default() });
    assert_eq!(lab.learned("br0").len(), 10);
    assert_eq!(lab.location("br0", 0, stranger(40)), Some("a"));
}

/// BR8.
#[test]
fn a_port_that_goes_down_is_forgotten_at_once() {
    let mut lab = segment(1);
    shout(&mut lab, "a");
    shout(&mut lab, "b");
    lab.clear();
    lab.down("b");
    assert_eq!(lab.location("br0", 0, lab.mac("b")), None);
    assert_eq!(lab.location("br0", 0, lab.mac("a")), Some("a"));
    speak(&mut lab, "a", "b");
    assert_eq!(lab.heard(), ["c"], "flooded, and not to the port that is down");
    shout(&mut lab, "b");
    assert_eq!(lab.drops(), [("b", DropReason::PortDown, 1)]);
    lab.up("b");
    shout(&mut lab, "b");
    assert_eq!(lab.heard(), ["a", "c"]);
}

/// BR8.
#[test]
fn a_deleted_port_is_forgotten_with_its_static_entries() {
    let mut lab = segment(1);
    let (bridge, port) = (lab.bridge_id("br0"), lab.port_id("b"));
    lab.change(Change::PinStation(bridge, VlanId::UNTAGGED, stranger(1), Location::Port(port)));
    shout(&mut lab, "b");
    lab.change(Change::DeletePort(port));
    assert!(lab.switch().stations(lab.now(), bridge).is_empty());
}

/// BR5.
#[test]
fn a_static_station_neither_moves_nor_ages_nor_gives_way() {
    let mut lab = segment(1);
    lab.bridge_with("br0", BridgeSettings { capacity: 1, ..BridgeSettings::default() });
    let (bridge, port, mac) = (lab.bridge_id("br0"), lab.port_id("b"), lab.mac("b"));
    lab.change(Change::PinStation(bridge, VlanId::UNTAGGED, mac, Location::Port(port)));
    let spoofed = hello(Mac::BROADCAST, mac);
    lab.send("c", &spoofed);
    assert_eq!(lab.drops(), [("c", DropReason::SourceIsStatic, 1)]);
    assert_eq!(counts(&lab).refused, 1);
    shout(&mut lab, "a");
    shout(&mut lab, "c");
    lab.run_for(Duration::from_secs(1000));
    lab.down("b");
    lab.up("b");
    lab.change(Change::FlushStations(None, None));
    assert_eq!(lab.location("br0", 0, mac), Some("b"));
    lab.clear();
    speak(&mut lab, "a", "b");
    assert_eq!(lab.heard(), ["b"]);
    lab.change(Change::DeleteStation(bridge, VlanId::UNTAGGED, mac));
    assert_eq!(lab.location("br0", 0, mac), None);
}

#[test]
fn impossible_static_stations_are_refused() {
    let mut lab = segment(1);
    lab.bridge("br1");
    lab.router("br1", "10.0.0.1/24");
    lab.station("d", Port::on("br1"));
    let (br0, br1, d) = (lab.bridge_id("br0"), lab.bridge_id("br1"), lab.port_id("d"));
    let vlan = VlanId::UNTAGGED;
    let wrong = lab.try_change(Change::PinStation(br0, vlan, stranger(1), Location::Port(d)));
    assert_eq!(wrong, Err(ChangeError::NotAMember(Location::Port(d), br0)));
    let wrong = lab.try_change(Change::PinStation(br1, vlan, Mac::BROADCAST, Location::Port(d)));
    assert_eq!(wrong, Err(ChangeError::NotAStation(Mac::BROADCAST)));
    let own = lab.router_mac("br1");
    assert_eq!(
        lab.try_change(Change::PinStation(br1, vlan, own, Location::Port(d))),
        Err(ChangeError::NotAStation(own))
    );
    let unknown = lab.try_change(Change::DeleteStation(br0, vlan, stranger(1)));
    assert_eq!(unknown, Err(ChangeError::NoStation(stranger(1))));
    assert_eq!(
        lab.try_change(Change::DeleteStation(br1, vlan, own)),
        Err(ChangeError::NoStation(own))
    );
}

/// BR9.
#[test]
fn one_address_may_be_elsewhere_in_another_vlan() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.station("ten", Port::on("br0").access(10));
    lab.station("twenty", Port::on("br0").access(20));
    lab.station("trunk", Port::on("br0").trunk(&[10, 20]));
    let bytes = hello(Mac::BROADCAST, stranger(7));
    lab.send("ten", &bytes);
    lab.send("twenty", &bytes);
    assert_eq!(lab.location("br0", 10, stranger(7)), Some("ten"));
    assert_eq!(lab.location("br0", 20, stranger(7)), Some("twenty"));
    assert_eq!(counts(&lab).moved, 0);
}

#[test]
fn bridges_do_not_know_each_other() {
    let mut lab = segment(1);
    lab.bridge("br1");
    lab.station("x", Port::on("br1"));
    lab.station("y", Port::on("br1"));
    shout(&mut lab, "a");
    assert_eq!(lab.heard(), ["b", "c"]);
    speak(&mut lab, "x", "a");
    assert_eq!(lab.heard(), ["y"]);
}

#[test]
fn nobody_speaks_as_the_router() {
    let mut lab = segment(1);
    lab.router("br0", "192.168.0.1/24");
    lab.clear();
    let bytes = hello(Mac::BROADCAST, lab.router_mac("br0"));
    lab.send("a", &bytes);
    assert_eq!(lab.drops(), [("a", DropReason::SourceIsOurs, 1)]);
    assert!(lab.heard().is_empty());
    assert_eq!(lab.location("br0", 0, lab.router_mac("br0")), Some("router"));
}

#[derive(Clone, Debug)]
enum Act {
    Speak { mac: u8, vlan: u16, port: usize },
    Find { mac: u8, vlan: u16 },
    Wait(u64),
    Bounce(usize),
    Fix { mac: u8, vlan: u16, port: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let station = || (0u8..12, prop::sample::select(vec![10u16, 20]));
    prop_oneof![
        8 => (station(), 0usize..4).prop_map(|((mac, vlan), port)| Act::Speak { mac, vlan, port }),
        3 => station().prop_map(|(mac, vlan)| Act::Find { mac, vlan }),
        2 => prop_oneof![0u64..3_000, 0u64..60_000].prop_map(Act::Wait),
        1 => (0usize..4).prop_map(Act::Bounce),
        1 => (station(), 0usize..4).prop_map(|((mac, vlan), port)| Act::Fix { mac, vlan, port }),
    ]
}

const SEEKER: Mac = stranger(0xff);
const PORTS: [&str; 4] = ["p0", "p1", "p2", "p3"];

proptest! {
    /// BR2 to BR5, BR8, BR9.
    #[test]
    fn the_table_is_as_a_naive_model_has_it(acts in prop::collection::vec(act(), 1..120), seed: u64) {
        let (capacity, ageing) = (10, Duration::from_secs(40));
        let mut lab = Lab::new(seed);
        lab.bridge_with("br0", BridgeSettings { capacity, ageing, ..BridgeSettings::default() });
        PORTS.iter().for_each(|port| lab.station(port, Port::on("br0").trunk(&[10, 20])));
        let mut model: Model<(u16, Mac)> = Model::new(capacity, ageing);
        for vlan in [10, 20] {
            let (bridge, id) = (lab.bridge_id("br0"), lab.port_id("p3"));
            lab.change(Change::PinStation(bridge, VlanId::new(vlan).unwrap(), SEEKER, Location::Port(id)));
            model.fix(lab.now(), (vlan, SEEKER), Location::Port(id));
        }
        for act in acts {
            match act {
                Act::Speak { mac, vlan, port } => {
                    let bytes = tagged(Mac::BROADCAST, stranger(mac), vlan);
                    lab.send(PORTS[port], &bytes);
                    let heard = !lab.heard().is_empty();
                    let id = lab.port_id(PORTS[port]);
                    let learned = model.learn(lab.now(), (vlan, stranger(mac)), Location::Port(id));
                    prop_assert_eq!(learned, heard);
                }
                Act::Find { mac, vlan } => {
                    // The seeker is known at the last port, so that nothing is learned.
                    let bytes = tagged(stranger(mac), SEEKER, vlan);
                    lab.send("p3", &bytes);
                    let all = ["p0", "p1", "p2"].map(|port| lab.port_id(port)).to_vec();
                    let own = lab.port_id("p3");
                    let expected = match model.find((vlan, stranger(mac))).and_then(Location::port) {
                        Some(port) if port == own => vec![],
                        Some(port) => vec![port],
                        None => all,
                    };
                    let heard: Vec<PortId> = lab.heard().iter().map(|port| lab.port_id(port)).collect();
                    prop_assert_eq!(heard, expected);
                }
                Act::Wait(millis) => lab.run_for(Duration::from_millis(millis)),
                Act::Bounce(port) => {
                    lab.down(PORTS[port]);
                    lab.up(PORTS[port]);
                    model.flush(Some(lab.port_id(PORTS[port])));
                }
                Act::Fix { mac, vlan, port } => {
                    let (bridge, id) = (lab.bridge_id("br0"), lab.port_id(PORTS[port]));
                    lab.change(Change::PinStation(bridge, VlanId::new(vlan).unwrap(), stranger(mac), Location::Port(id)));
                    model.fix(lab.now(), (vlan, stranger(mac)), Location::Port(id));
                }
            }
            model.expire(lab.now());
            let expected: Vec<_> = model.list().iter().map(|k| (k.station, k.location)).collect();
            let stations = lab.switch().stations(lab.now(), lab.bridge_id("br0"));
            let got: Vec<_> =
                stations.iter().map(|s| ((s.vlan.number(), s.mac), s.location)).collect();
            prop_assert_eq!(got, expected);
        }
    }
}

fn tagged(to: Mac, from: Mac, vlan: u16) -> Vec<u8> {
    lab::wire::frame(to, from).tag(vlan).payload(crate::common::EXPERIMENT, b"hello")
}
