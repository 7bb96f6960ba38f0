//! ARP that need not go to every far end: a tunnel that suppresses it has requests answered where
//! they are asked.

use core::time::Duration;

use lab::tunnel::encapsulated;
use lab::wire::{announcement, arp_probe, arp_reply, arp_request, frame};
use lab::{Lab, Port, Tunnel};
use packet::arp::{Arp, Operation};
use packet::{Mac, VlanId};
use switch::Change;

use crate::common::{FAR, FARTHER, far_hello, sent_to, stranger, tunnelled, tunnelled_with};

const OWN: &str = "192.168.0.2";
const BEYOND: &str = "192.168.0.9";

fn suppressing() -> Lab {
    tunnelled_with(Tunnel::suppressing_arp)
}

/// An ARP packet comes from a far end.
fn from_far(lab: &mut Lab, to: Mac, arp: &Arp) {
    lab.from_remote(FAR, &encapsulated(42, &frame(to, arp.sender_mac).arp(arp)));
    lab.clear();
    lab.datagrams();
}

/// Red asks who has an address.
fn ask(lab: &mut Lab, address: &str) {
    let request = arp_request(lab.mac("red"), OWN, address);
    let bytes = frame(Mac::BROADCAST, lab.mac("red")).arp(&request);
    lab.send("red", &bytes);
}

/// Station 1, which has [`BEYOND`], has announced itself.
fn known() -> Lab {
    let mut lab = suppressing();
    from_far(&mut lab, Mac::BROADCAST, &announcement(stranger(1), BEYOND));
    lab
}

#[test]
fn a_request_for_who_is_known_beyond_the_tunnel_is_answered_here() {
    let mut lab = known();
    ask(&mut lab, BEYOND);
    assert_eq!(sent_to(&mut lab), [], "nobody else is asked");
    assert!(lab.take("blue").is_empty());
    let seen = lab.take("red").remove(0);
    let reply = arp_reply(stranger(1), BEYOND, lab.mac("red"), OWN);
    assert_eq!(seen.bytes, frame(lab.mac("red"), stranger(1)).arp(&reply));
    let totals = lab.switch().totals();
    assert_eq!((totals.consumed, totals.spoken), (1, 1));
    assert_eq!(lab.location("br0", 0, lab.mac("red")), Some("red"), "the asker is learned");
}

#[test]
fn requests_teach_as_well_as_announcements_and_replies() {
    for arp in [
        arp_request(stranger(1), BEYOND, "192.168.0.77"),
        arp_reply(stranger(1), BEYOND, stranger(5), "192.168.0.77"),
        announcement(stranger(1), BEYOND),
    ] {
        let mut lab = suppressing();
        from_far(&mut lab, Mac::BROADCAST, &arp);
        ask(&mut lab, BEYOND);
        assert_eq!(lab.take("red").len(), 1, "{arp:?}");
        assert_eq!(sent_to(&mut lab), []);
    }
}

#[test]
fn a_request_for_who_is_unknown_is_flooded() {
    let mut lab = known();
    ask(&mut lab, "192.168.0.10");
    assert_eq!((lab.heard(), sent_to(&mut lab).len()), (vec!["blue".into()], 2));
    let mut lab = tunnelled();
    from_far(&mut lab, Mac::BROADCAST, &announcement(stranger(1), BEYOND));
    ask(&mut lab, BEYOND);
    assert_eq!(sent_to(&mut lab).len(), 2, "and any, where nobody asked for suppression");
}

#[test]
fn who_is_behind_a_local_port_answers_for_himself() {
    let mut lab = suppressing();
    let blue = lab.mac("blue");
    lab.send("blue", &frame(Mac::BROADCAST, blue).arp(&announcement(blue, BEYOND)));
    lab.clear();
    lab.datagrams();
    ask(&mut lab, BEYOND);
    assert_eq!((lab.heard(), sent_to(&mut lab).len()), (vec!["blue".into()], 2));
}

#[test]
fn announcements_probes_and_requests_of_remotes_pass() {
    let mut lab = known();
    let red = lab.mac("red");
    for arp in [announcement(red, BEYOND), arp_reply(red, OWN, stranger(7), BEYOND)] {
        lab.send("red", &frame(Mac::BROADCAST, red).arp(&arp));
        assert_eq!((lab.heard(), sent_to(&mut lab).len()), (vec!["blue".into()], 2), "{arp:?}");
    }
    let mut lab = known();
    let request = arp_request(stranger(2), "192.168.0.8", BEYOND);
    let bytes = frame(Mac::BROADCAST, stranger(2)).arp(&request);
    lab.from_remote(FAR, &encapsulated(42, &bytes));
    assert_eq!((lab.heard(), sent_to(&mut lab).len()), (vec!["red".into(), "blue".into()], 0));
}

/// A probe for an address in use must be told so: the answer here is as good as the station's own.
#[test]
fn a_probe_for_a_known_address_is_answered_and_teaches_nothing() {
    let mut lab = known();
    let probe = arp_probe(lab.mac("red"), BEYOND);
    lab.send("red", &frame(Mac::BROADCAST, lab.mac("red")).arp(&probe));
    let reply = lab.take("red").remove(0).arp().unwrap();
    assert_eq!((reply.sender_mac, reply.operation), (stranger(1), Operation::Reply));
    lab.send(
        "red",
        &frame(Mac::BROADCAST, lab.mac("red")).arp(&arp_probe(lab.mac("red"), "192.168.0.50")),
    );
    assert_eq!(sent_to(&mut lab).len(), 2);
    let mut far = suppressing();
    from_far(&mut far, Mac::BROADCAST, &arp_probe(stranger(1), BEYOND));
    ask(&mut far, "0.0.0.0");
    ask(&mut far, BEYOND);
    assert_eq!(sent_to(&mut far).len(), 4, "nobody has an address by asking for it");
}

#[test]
fn an_answer_is_as_old_as_the_station() {
    let forget: [fn(&mut Lab); 4] = [
        |lab| lab.run_for(Duration::from_secs(302)),
        |lab| {
            lab.change(Change::DeleteStation(lab.bridge_id("br0"), VlanId::UNTAGGED, stranger(1)))
        },
        |lab| {
            lab.down("vx0");
            lab.up("vx0");
        },
        |lab| lab.send("blue", &crate::common::hello(Mac::BROADCAST, stranger(1))),
    ];
    for (way, forget) in forget.into_iter().enumerate() {
        let mut lab = known();
        forget(&mut lab);
        lab.clear();
        lab.datagrams();
        ask(&mut lab, BEYOND);
        assert_eq!(sent_to(&mut lab).len(), 2, "way {way}: everybody is asked again");
        assert!(lab.take("red").is_empty());
    }
}

#[test]
fn a_station_with_a_new_address_is_answered_for_by_its_last_word() {
    let mut lab = known();
    from_far(&mut lab, Mac::BROADCAST, &announcement(stranger(2), BEYOND));
    ask(&mut lab, BEYOND);
    assert_eq!(lab.take("red")[0].arp().unwrap().sender_mac, stranger(2));
}

#[test]
fn who_lies_about_his_mac_teaches_nothing() {
    let mut lab = suppressing();
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    let lie = announcement(stranger(1), BEYOND);
    lab.from_remote(FAR, &encapsulated(42, &frame(Mac::BROADCAST, stranger(2)).arp(&lie)));
    lab.datagrams();
    ask(&mut lab, BEYOND);
    assert_eq!(sent_to(&mut lab).len(), 2);
}

/// Whoever beyond a tunnel claims the router's address must not have us say so.
#[test]
fn the_router_alone_answers_for_its_address() {
    let mut lab = suppressing();
    lab.router("br0", "192.168.0.1/24");
    from_far(&mut lab, Mac::BROADCAST, &announcement(stranger(1), "192.168.0.1"));
    ask(&mut lab, "192.168.0.1");
    let answers: Vec<_> =
        lab.take("red").iter().map(|seen| seen.arp().unwrap().sender_mac).collect();
    assert_eq!(answers, [lab.router_mac("br0")]);
}

#[test]
fn what_the_router_knows_of_its_neighbours_answers_too() {
    let mut lab = suppressing();
    lab.router("br0", "192.168.0.1/24");
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    let address = BEYOND.parse().unwrap();
    lab.change(Change::PinNeighbor(lab.interface_id("br0"), address, stranger(1)));
    lab.clear();
    lab.datagrams();
    ask(&mut lab, BEYOND);
    assert_eq!(lab.take("red")[0].arp().unwrap().sender_mac, stranger(1));
    assert_eq!(sent_to(&mut lab), []);
}

/// However many addresses a far end claims, those known before stay, and new ones are asked for.
#[test]
fn what_is_remembered_is_bounded() {
    let mut lab = known();
    for number in 0..8192u32 {
        let address = core::net::Ipv4Addr::from(0x0a00_0000 + number);
        let bytes = frame(Mac::BROADCAST, stranger(2)).arp(&announcement(stranger(2), address));
        lab.from_remote(FAR, &encapsulated(42, &bytes));
    }
    lab.clear();
    lab.datagrams();
    ask(&mut lab, BEYOND);
    assert_eq!((lab.take("red").len(), sent_to(&mut lab).len()), (1, 0));
    ask(&mut lab, "10.0.31.255");
    assert_eq!(sent_to(&mut lab).len(), 2, "the last one found no room");
    let bridge = lab.bridge_id("br0");
    lab.change(Change::DeleteStation(bridge, VlanId::UNTAGGED, stranger(2)));
    for (wait, asked) in [(999, 2), (2, 0)] {
        lab.run_for(Duration::from_millis(wait));
        from_far(&mut lab, Mac::BROADCAST, &announcement(stranger(3), "192.168.0.44"));
        ask(&mut lab, "192.168.0.44");
        assert_eq!(sent_to(&mut lab).len(), asked, "who is forgotten makes room once a second");
    }
}

/// Where nobody asks for suppression no memory is spent.
#[test]
fn nothing_is_remembered_before_a_tunnel_asks_for_suppression() {
    let mut lab = tunnelled();
    from_far(&mut lab, Mac::BROADCAST, &announcement(stranger(1), BEYOND));
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).to(FARTHER).suppressing_arp());
    lab.datagrams();
    ask(&mut lab, BEYOND);
    assert_eq!(sent_to(&mut lab).len(), 2, "both far ends are asked");
    from_far(&mut lab, Mac::BROADCAST, &announcement(stranger(1), BEYOND));
    ask(&mut lab, BEYOND);
    assert_eq!(sent_to(&mut lab), []);
}

/// Nobody is told of whom he cannot reach.
#[test]
fn an_isolated_port_is_not_answered_for_who_is_beyond_an_isolated_tunnel() {
    let mut lab = tunnelled_with(|tunnel| tunnel.suppressing_arp().isolated());
    from_far(&mut lab, Mac::BROADCAST, &announcement(stranger(1), BEYOND));
    lab.port("red", &Port::on("br0").isolated());
    lab.clear();
    ask(&mut lab, BEYOND);
    assert_eq!((lab.take("red").len(), sent_to(&mut lab).len()), (0, 0));
}
