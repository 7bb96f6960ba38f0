//! What the switch says of a frame ahead of its coming: the notes of each step. That what it says
//! comes true, whatever the frame, is a property tested in `conservation` and `tunnel_chaos`.

use core::time::Duration;

use lab::tunnel::encapsulated;
use lab::wire::{arp_request, frame};
use lab::{Lab, Port};
use packet::{DropReason, Frame, Mac, VlanId};
use switch::change::BridgeSettings;
use switch::trace::{ArpVerdict, Fate, Learning, LeftOut, Note, Part, Step, Verdict};
use switch::view::{Location, NeighborState, StationOrigin};
use switch::{Change, Event, Explanation};

use crate::common::{FAR, far_hello, hello, home, notes, stranger, tunnelled};

fn segment(seed: u64) -> Lab {
    let mut lab = crate::common::segment(seed);
    lab.foretell();
    lab
}

/// BR2, BR5.
#[test]
fn learning_tells_new_known_and_moved_stations() {
    let mut lab = segment(1);
    let speak = |lab: &Lab, port: &str| lab.explain(port, &hello(Mac::BROADCAST, stranger(1)));
    let speaker = |explanation: &Explanation| match notes(explanation, Step::Learn)[..] {
        [Note::Speaker { mac, known, learning }] => (*mac, *known, *learning),
        ref other => panic!("{other:?}"),
    };
    assert_eq!(speaker(&speak(&lab, "a")), (stranger(1), None, Learning::Here));
    assert!(lab.learned("br0").is_empty(), "nothing was learned by asking");
    lab.send("a", &hello(Mac::BROADCAST, stranger(1)));
    lab.run_for(Duration::from_secs(7));
    for port in ["a", "b"] {
        let (_, known, learning) = speaker(&speak(&lab, port));
        let known = known.expect("it spoke");
        assert_eq!(known.location, Location::Port(lab.port_id("a")), "where it was until now");
        assert_eq!((known.origin, known.age), (StationOrigin::Learned, Duration::from_secs(7)));
        assert_eq!(learning, Learning::Here);
    }
}

#[test]
fn a_frame_that_would_cross_is_told_step_by_step() {
    let mut lab = segment(2);
    lab.router("br0", "192.168.0.1/24");
    let (a, b, router) = (lab.mac("a"), lab.mac("b"), lab.router_mac("br0"));
    for (port, to, from) in [("a", b, a), ("b", a, b), ("a", b, a)] {
        lab.send(port, &hello(to, from));
    }
    let beside = Verdict::Forward(Location::Port(lab.port_id("b")));
    let inward = Verdict::Router(lab.interface_id("br0"));
    for (to, expected) in [(b, beside), (router, inward)] {
        let explanation = lab.explain("a", &hello(to, a));
        assert!(matches!(notes(&explanation, Step::Parse)[..], [Note::Bridged { .. }]));
        let [Note::Speaker { known: Some(known), .. }] = notes(&explanation, Step::Learn)[..]
        else {
            panic!("{explanation:?}")
        };
        assert_eq!(known.location, Location::Port(lab.port_id("a")));
        let [Note::Addressee { verdict, .. }] = notes(&explanation, Step::Decide)[..] else {
            panic!("{explanation:?}")
        };
        assert_eq!(*verdict, expected);
    }
}

/// BR5.
#[test]
fn a_bound_station_elsewhere_is_told_with_its_place() {
    let mut lab = segment(1);
    let place = Location::Port(lab.port_id("a"));
    let bridge = lab.bridge_id("br0");
    lab.change(Change::PinStation(bridge, VlanId::UNTAGGED, stranger(1), place));
    let explanation = lab.explain("b", &hello(Mac::BROADCAST, stranger(1)));
    assert_eq!(explanation.fate(), Some(Err(DropReason::SourceIsStatic)));
    assert_eq!(explanation.last, Step::Learn);
    let [Note::Speaker { known: Some(known), .. }] = notes(&explanation, Step::Learn)[..] else {
        panic!("{explanation:?}")
    };
    assert_eq!((known.location, known.origin), (place, StationOrigin::Static));
    assert!(explanation.sent.is_empty());
}

/// BR10, BR11.
#[test]
fn a_vlan_is_told_or_refused_in_the_first_step() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.station("ten", Port::on("br0").access(10));
    lab.station("trunk", Port::on("br0").trunk(&[10, 20]));
    let tagged = |vlan| frame(Mac::BROADCAST, stranger(1)).tag(vlan).payload(0x88b5, b"hello");
    let explanation = lab.explain("trunk", &tagged(20));
    let [Note::Bridged { vlan, tag: Some(tag), .. }] = notes(&explanation, Step::Parse)[..] else {
        panic!("{explanation:?}")
    };
    assert_eq!((vlan.number(), tag.vlan()), (20, VlanId::new(20)));
    let explanation = lab.explain("ten", &hello(Mac::BROADCAST, stranger(1)));
    assert!(
        matches!(notes(&explanation, Step::Parse)[..], [Note::Bridged { vlan, tag: None, .. }] if vlan.number() == 10)
    );
    for (port, vlan, reason) in [
        ("ten", 10, DropReason::TaggedOnAccess),
        ("trunk", 30, DropReason::NotInVlan),
        ("trunk", 4095, DropReason::BadVlan),
    ] {
        let explanation = lab.explain(
            port,
            &frame(Mac::BROADCAST, stranger(1)).tag_bits(vlan).payload(0x88b5, b"x"),
        );
        assert_eq!((explanation.fate(), explanation.last), (Some(Err(reason)), Step::Parse));
        assert!(explanation.notes.is_empty());
    }
}

/// BR13.
#[test]
fn a_flood_tells_who_gets_it_and_who_does_not() {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.station("here", Port::on("br0").isolated());
    lab.station("open", Port::on("br0").trunk(&[0, 10]));
    lab.station("alone", Port::on("br0").isolated());
    lab.station("ten", Port::on("br0").access(10));
    lab.station("small", Port::on("br0").mtu(68));
    lab.station("gone", Port::on("br0"));
    lab.down("gone");
    let large = frame(stranger(2), stranger(1)).payload(0x88b5, &[7; 100]);
    let explanation = lab.explain("here", &large);
    let [Note::Addressee { verdict: Verdict::Unknown, known: None, .. }, Note::Audience(all)] =
        notes(&explanation, Step::Decide)[..]
    else {
        panic!("{explanation:?}")
    };
    let refused = |reason| Err(LeftOut::Refused(reason));
    let expected = [
        ("here", Err(LeftOut::CameFrom)),
        ("open", Ok(None)),
        ("alone", refused(DropReason::Isolated)),
        ("ten", refused(DropReason::NotInVlan)),
        ("small", refused(DropReason::ExceedsPortMtu)),
        ("gone", refused(DropReason::PortDown)),
    ];
    let expected: Vec<_> =
        expected.into_iter().map(|(port, why)| (lab.port_id(port), why)).collect();
    assert_eq!(*all, expected);
    assert_eq!(explanation.fate(), Some(Ok(Fate::Sent)));
    let [sent] = &explanation.sent[..] else { panic!("{:?}", explanation.sent) };
    assert_eq!(sent.part, Part::Frame);
    assert_eq!(sent.copies.iter().map(|copy| copy.port).collect::<Vec<_>>(), [lab.port_id("open")]);
}

/// BR1, BR7.
#[test]
fn reserved_and_reflected_frames_are_told_where_they_end() {
    let mut lab = segment(1);
    let reserved = lab.explain("a", &hello(Mac([1, 0x80, 0xc2, 0, 0, 0x0e]), stranger(1)));
    assert!(matches!(
        notes(&reserved, Step::Learn)[..],
        [Note::Speaker { learning: Learning::Reserved, .. }]
    ));
    assert_eq!((reserved.fate(), reserved.last), (Some(Err(DropReason::Reserved)), Step::Decide));
    lab.send("a", &hello(Mac::BROADCAST, stranger(2)));
    let reflected = lab.explain("a", &hello(stranger(2), stranger(1)));
    let refused = Verdict::Refused(DropReason::Reflected);
    let [Note::Addressee { known: Some(known), verdict, .. }] = notes(&reflected, Step::Decide)[..]
    else {
        panic!("{reflected:?}")
    };
    assert_eq!((known.location, *verdict), (Location::Port(lab.port_id("a")), refused));
    let forwarded = lab.explain("b", &hello(stranger(2), stranger(1)));
    let to = Location::Port(lab.port_id("a"));
    assert!(
        matches!(notes(&forwarded, Step::Decide)[..], [Note::Addressee { verdict: Verdict::Forward(at), .. }] if *at == to)
    );
    lab.bridge_with("br0", BridgeSettings { hub: true, ..BridgeSettings::default() });
    let hub = lab.explain("b", &hello(stranger(2), stranger(1)));
    assert!(matches!(
        notes(&hub, Step::Learn)[..],
        [Note::Speaker { learning: Learning::Hub, .. }]
    ));
    assert!(matches!(
        notes(&hub, Step::Decide)[..],
        [Note::Addressee { verdict: Verdict::Hub, .. }, _]
    ));
}

/// AR2.
#[test]
fn arp_for_the_router_is_heard_and_answered() {
    let lab = home();
    let red = lab.mac("red");
    let asks = arp_request(red, "192.168.0.2", "192.168.0.1");
    let explanation = lab.explain("red", &frame(Mac::BROADCAST, red).arp(&asks));
    let [Note::Arp { verdict: ArpVerdict::Answered, known: None, now: Some(now), .. }] =
        notes(&explanation, Step::Arp)[..]
    else {
        panic!("{explanation:?}")
    };
    assert_eq!((now.mac, now.state), (Some(red), NeighborState::Stale));
    let parts: Vec<Part> = explanation.sent.iter().map(|sent| sent.part).collect();
    assert_eq!(parts, [Part::Spoken, Part::Frame], "the answer, and the question to the others");
    for (claims, source, expected) in [
        ("192.168.0.1", red, ArpVerdict::Conflict),
        ("192.168.0.2", stranger(9), ArpVerdict::Suspicious),
    ] {
        let asks = arp_request(red, claims, "192.168.0.3");
        let explanation = lab.explain("red", &frame(Mac::BROADCAST, source).arp(&asks));
        assert!(
            matches!(notes(&explanation, Step::Arp)[..], [Note::Arp { verdict, .. }] if *verdict == expected)
        );
    }
}

/// VX9, VX11, VX12.
#[test]
fn tunnels_tell_who_opened_and_where_frames_go() {
    let mut lab = tunnelled();
    let (underlay, tunnel) = (lab.port_id("udp"), lab.port_id("vx0"));
    let from = |lab: &Lab, remote: &str, vni, to: Mac, station: Mac| {
        let datagram = Frame::copied_from(&encapsulated(vni, &hello(to, station)));
        let remote = remote.parse().unwrap();
        let event = Event::Datagram { port: underlay, remote, traffic_class: 0, datagram };
        lab.switch().explain(lab.now(), event)
    };
    let far = FAR.parse().unwrap();
    let opened = from(&lab, FAR, 42, Mac::BROADCAST, stranger(5));
    assert_eq!(notes(&opened, Step::Decap), [&Note::Decapsulated { tunnel, remote: far }]);
    assert_eq!(opened.outcome, Some((tunnel, Ok(Fate::Sent))));
    for (remote, vni, reason) in
        [("192.0.2.99", 42, DropReason::UnknownVtep), (FAR, 43, DropReason::UnknownVni)]
    {
        let refused = from(&lab, remote, vni, Mac::BROADCAST, stranger(5));
        assert_eq!((refused.outcome, refused.last), (Some((underlay, Err(reason))), Step::Decap));
    }
    assert!(lab.switch().unknown_vteps().0.is_empty(), "nobody was counted by asking");
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(5));
    let out = lab.explain("red", &hello(stranger(5), stranger(1)));
    let to = Location::Remote { tunnel, remote: far };
    assert!(
        matches!(notes(&out, Step::Decide)[..], [Note::Addressee { verdict: Verdict::Forward(at), .. }] if *at == to)
    );
    assert_eq!(out.sent[0].copies[0].remote, Some(far));
    let reflected = from(&lab, "192.0.2.3", 42, stranger(5), stranger(6));
    assert_eq!(reflected.fate(), Some(Err(DropReason::SplitHorizon)));
}
