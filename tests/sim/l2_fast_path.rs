//! What lets a frame cross a bridge without the steps that most frames need nothing of, and each
//! change that ends it.
//!
//! The lab compares every step of every test with a switch that knows no fast path, and with a
//! naive one; here is what ought to come of it.

use core::time::Duration;

use lab::wire::{arp_request, frame};
use lab::{Lab, Packet, Port};
use packet::{DropReason, Mac, VlanId};
use switch::Change;
use switch::change::BridgeSettings;
use switch::view::Location;

use crate::common::{EXPERIMENT, segment, shout, speak, super_frame};

/// What happens between two frames from a to b, and who hears the second.
type Happening = (&'static [&'static str], fn(&mut Lab));

fn place(lab: &Lab, port: &str) -> Location {
    Location::Port(lab.port_id(port))
}

fn pin(lab: &mut Lab, station: &str, to: &str) {
    let (bridge, mac, to) = (lab.bridge_id("br0"), lab.mac(station), place(lab, to));
    lab.change(Change::PinStation(bridge, VlanId::UNTAGGED, mac, to));
}

#[test]
fn what_lets_frames_cross_ends_with_what_it_came_from() {
    let changes: [Happening; 14] = [
        (&["b"], |_| {}),
        (&["c"], |lab| lab.down("b")),
        (&["b", "c"], |lab| {
            lab.down("b");
            lab.up("b");
        }),
        (&["c"], |lab| lab.change(Change::DeletePort(lab.port_id("b")))),
        (&["c"], |lab| lab.port("b", &Port::on("br0").access(20))),
        (&["c"], |lab| {
            lab.bridge("br1");
            lab.port("b", &Port::on("br1"));
        }),
        (&[], |lab| lab.port("b", &Port::on("br0").mtu(68))),
        (&[], |lab| {
            lab.port("a", &Port::on("br0").isolated());
            lab.port("b", &Port::on("br0").isolated());
        }),
        (&["b", "c"], |lab| {
            let hub = BridgeSettings { hub: true, ..BridgeSettings::default() };
            lab.change(Change::SetBridge(lab.bridge_id("br0"), hub));
        }),
        // The station is behind another port.
        (&["c"], |lab| lab.send("c", &frame(lab.mac("a"), lab.mac("b")).payload(EXPERIMENT, &[1]))),
        (&["c"], |lab| pin(lab, "b", "c")),
        (&[], |lab| pin(lab, "a", "c")),
        (&["b", "c"], |lab| lab.change(Change::FlushStations(None, None))),
        (&["b", "c"], |lab| lab.run_for(Duration::from_secs(302))),
    ];
    for (number, (hears, happens)) in changes.into_iter().enumerate() {
        let mut lab = segment(21);
        let say = |lab: &mut Lab| {
            let bytes = frame(lab.mac("b"), lab.mac("a")).payload(EXPERIMENT, &[7; 100]);
            lab.send("a", &bytes);
            lab.heard()
        };
        shout(&mut lab, "b");
        lab.clear();
        for _ in 0..4 {
            let heard = say(&mut lab);
            assert_eq!(heard, ["b"]);
        }
        happens(&mut lab);
        lab.clear();
        assert_eq!(say(&mut lab), hears, "change {number}");
    }
}

#[test]
fn a_station_that_only_crosses_is_remembered() {
    let mut lab = segment(22);
    shout(&mut lab, "b");
    for _ in 0..400 {
        speak(&mut lab, "a", "b");
        speak(&mut lab, "b", "a");
        lab.run_for(Duration::from_secs(1));
    }
    lab.clear();
    speak(&mut lab, "a", "b");
    assert_eq!(lab.heard(), ["b"]);
    assert!(lab.learned("br0").iter().all(|(.., age)| *age <= Duration::from_secs(1)));
    lab.run_for(Duration::from_secs(302));
    assert!(lab.learned("br0").is_empty());
}

#[test]
fn a_frame_that_is_not_as_usual_is_treated_as_ever() {
    let mut lab = segment(23);
    lab.router("br0", "192.168.0.1/24");
    let (a, b, router) = (lab.mac("a"), lab.mac("b"), lab.router_mac("br0"));
    shout(&mut lab, "a");
    shout(&mut lab, "b");
    lab.clear();
    let mut hears = |bytes: &[u8]| {
        lab.send("a", bytes);
        lab.heard()
    };
    let usual = frame(b, a).payload(EXPERIMENT, b"hello");
    let nobody: [&str; 0] = [];
    for _ in 0..2 {
        assert_eq!(hears(&usual), ["b"]);
        assert_eq!(hears(&frame(b, a).tag_bits(10).payload(EXPERIMENT, b"hello")), ["b", "c"]);
        assert_eq!(hears(&frame(b, a).tag_bits(5 << 13).payload(EXPERIMENT, b"hello")), ["b"]);
        assert_eq!(hears(&frame(Mac::BROADCAST, a).payload(EXPERIMENT, b"hello")), ["b", "c"]);
        assert_eq!(hears(&frame(a, a).payload(EXPERIMENT, b"hello")), nobody);
        assert_eq!(hears(&frame(b, Mac::ZERO).payload(EXPERIMENT, b"hello")), nobody);
        assert_eq!(hears(&frame(b, Mac::BROADCAST).payload(EXPERIMENT, b"hello")), nobody);
        assert_eq!(hears(&frame(b, router).payload(EXPERIMENT, b"hello")), nobody);
        assert_eq!(hears(&frame(router, a).payload(EXPERIMENT, b"hello")), nobody);
        assert_eq!(hears(&frame(b, a).payload(EXPERIMENT, &[0; 1501])), nobody);
        assert_eq!(hears(&usual[..13]), nobody);
        // Asked of b alone, but heard by the router, which answers.
        let question = frame(b, a).arp(&arp_request(a, "192.168.0.2", "192.168.0.1"));
        assert_eq!(hears(&question), ["a", "b"]);
    }
    let refused = [
        (DropReason::Runt, 2),
        (DropReason::BadSource, 4),
        (DropReason::SourceIsOurs, 2),
        (DropReason::Reflected, 2),
        (DropReason::UnknownProtocol, 2),
        (DropReason::ExceedsPortMtu, 2),
    ];
    for (reason, count) in refused {
        assert_eq!(lab.dropped("a", reason), count, "{reason:?}");
    }
}

#[test]
fn a_super_frame_crosses_where_its_segments_fit() {
    let mut lab = Lab::new(24);
    lab.bridge("br0");
    lab.station("a", Port::on("br0").offload());
    lab.station("b", Port::on("br0").offload());
    shout(&mut lab, "b");
    let packet = Packet::tcp("10.0.0.1:1000", "10.0.0.2:2000", 0x10, &[7; 4000]);
    let whole = super_frame(&frame(lab.mac("b"), lab.mac("a")).ip(&packet), 1000);
    for (mtu, count) in [(1500, 1), (1040, 1), (1039, 0)] {
        lab.port("b", &Port::on("br0").offload().mtu(mtu));
        for _ in 0..3 {
            lab.clear();
            lab.send_frame("a", whole.clone());
            assert_eq!(lab.take("b").len(), count, "MTU {mtu}");
        }
    }
}
