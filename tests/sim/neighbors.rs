//! How the router finds a neighbour's MAC address, waits for it, remembers it, and gives up (RFC
//! 1122 section 2.3.2).

use core::time::Duration;

use lab::wire::{announcement, arp_reply, arp_request, frame};
use lab::{Lab, Packet, Port};
use packet::arp::Arp;
use packet::{DropReason, Mac};
use switch::change::InterfaceSettings;
use switch::view::NeighborState;
use switch::{Change, ChangeError, Notice, Outbox};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A peer on the inside (192.168.0.2), and a mute station on 10.0.0.0/24, whose address only tests
/// answer for.
pub(crate) fn two_subnets() -> Lab {
    let mut lab = Lab::new(1);
    lab.bridge("br0");
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0"), "192.168.0.2");
    lab.station("mute", Port::routed("10.0.0.1/24"));
    lab.clear();
    lab
}

pub(crate) fn datagram(number: u16) -> Packet {
    Packet::udp("192.168.0.2:1000", "10.0.0.9:2000", &number.to_be_bytes())
}

/// The ARP requests that arrived at the mute station, with the MAC address they went to.
pub(crate) fn asked(lab: &mut Lab) -> Vec<(Mac, Arp)> {
    let frames = lab.take("mute").into_iter();
    frames.filter_map(|seen| Some((seen.destination(), seen.arp()?))).collect()
}

/// The mute station answers for 10.0.0.9.
pub(crate) fn answer(lab: &mut Lab) {
    let (mac, own) = (lab.mac("mute"), lab.router_mac("mute"));
    let bytes = frame(own, mac).arp(&arp_reply(mac, "10.0.0.9", own, "10.0.0.1"));
    lab.send("mute", &bytes);
}

/// AR6.
#[test]
fn a_packet_waits_until_its_neighbour_answers() {
    let mut lab = two_subnets();
    lab.ip("red", &datagram(1));
    assert_eq!(lab.switch().totals().held, 1);
    let questions = asked(&mut lab);
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].0, Mac::BROADCAST);
    assert_eq!(questions[0].1.target.to_string(), "10.0.0.9");
    assert_eq!(questions[0].1.sender.to_string(), "10.0.0.1");
    assert_eq!(lab.neighbor("mute", "10.0.0.9"), Some((NeighborState::Incomplete, None)));
    answer(&mut lab);
    let sent = lab.take("mute").remove(0);
    assert_eq!((sent.destination(), sent.source()), (lab.mac("mute"), lab.router_mac("mute")));
    assert_eq!(sent.packet(), Some(datagram(1).ttl(63)));
    assert_eq!((lab.switch().totals().held, lab.switch().totals().sent), (0, 1));
    lab.ip("red", &datagram(2));
    assert_eq!(lab.packet("mute"), datagram(2).ttl(63), "the next does not wait");
}

/// AR6.
#[test]
fn nobody_is_asked_for_more_than_once_a_second() {
    let mut lab = two_subnets();
    for number in 0..300 {
        lab.ip("red", &datagram(number));
        lab.run_for(Duration::from_millis(10));
    }
    let mut times: Vec<_> = lab.take("mute").iter().map(|seen| seen.at).collect();
    assert_eq!(times.len(), 3, "three questions in three seconds");
    times.sort_unstable();
    assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= SECOND));
}

/// AR6, RT3.
#[test]
fn the_sender_hears_that_nobody_answered() {
    let mut lab = two_subnets();
    lab.ip("red", &datagram(1));
    lab.ip("red", &datagram(2));
    lab.run_for(4 * SECOND);
    assert_eq!(asked(&mut lab).len(), 3);
    let told = lab.packets("red");
    assert_eq!(told.len(), 2, "one for each packet that waited");
    for (error, number) in told.iter().zip([1, 2]) {
        assert_eq!(error.kind(), (3, 1));
        assert_eq!(error.source.to_string(), "192.168.0.1");
        assert_eq!(error.quote().data(), datagram(number).data());
    }
    assert_eq!(lab.drops(), [("red", DropReason::NoNeighbor, 2)]);
    assert_eq!(lab.switch().totals().held, 0);
}

/// AR6.
#[test]
fn a_neighbour_that_failed_is_asked_for_again_a_second_later() {
    let mut lab = two_subnets();
    lab.ip("red", &datagram(1));
    lab.run_for(3 * SECOND);
    lab.clear();
    assert_eq!(lab.neighbor("mute", "10.0.0.9"), Some((NeighborState::Failed, None)));
    lab.ip("red", &datagram(2));
    assert_eq!(lab.packet("red").kind(), (3, 1), "told at once");
    assert!(asked(&mut lab).is_empty());
    lab.run_for(SECOND);
    lab.ip("red", &datagram(3));
    assert_eq!(asked(&mut lab).len(), 1);
    answer(&mut lab);
    assert_eq!(lab.packet("mute"), datagram(3).ttl(63));
}

/// AR7.
#[test]
fn a_neighbour_goes_stale_and_is_asked_alone_when_it_is_used() {
    let mut lab = two_subnets();
    lab.ip("red", &datagram(1));
    answer(&mut lab);
    let mac = lab.mac("mute");
    assert_eq!(lab.neighbor("mute", "10.0.0.9"), Some((NeighborState::Reachable, Some(mac))));
    lab.run_for(Duration::from_secs(29));
    assert_eq!(lab.neighbor("mute", "10.0.0.9").unwrap().0, NeighborState::Reachable);
    lab.run_for(2 * SECOND);
    assert_eq!(lab.neighbor("mute", "10.0.0.9").unwrap().0, NeighborState::Stale);
    lab.clear();
    lab.ip("red", &datagram(2));
    let frames = lab.take("mute");
    assert_eq!(frames.len(), 2);
    assert!(frames.iter().all(|seen| seen.destination() == mac), "asked alone, and used meanwhile");
    assert!(frames.iter().any(|seen| seen.packet() == Some(datagram(2).ttl(63))));
    assert_eq!(lab.neighbor("mute", "10.0.0.9").unwrap().0, NeighborState::Probe);
    answer(&mut lab);
    assert_eq!(lab.neighbor("mute", "10.0.0.9").unwrap().0, NeighborState::Reachable);
}

/// AR7.
#[test]
fn a_stale_neighbour_that_does_not_answer_is_forgotten_after_three_questions() {
    let mut lab = two_subnets();
    lab.ip("red", &datagram(1));
    answer(&mut lab);
    lab.run_for(Duration::from_secs(31));
    lab.clear();
    for number in 0..3 {
        lab.ip("red", &datagram(number));
        lab.run_for(SECOND);
    }
    let alone = asked(&mut lab).iter().filter(|(to, _)| *to != Mac::BROADCAST).count();
    assert_eq!(alone, 3);
    assert_eq!(lab.neighbor("mute", "10.0.0.9"), None);
}

#[test]
fn how_long_a_neighbour_is_trusted_and_remembered_can_be_set() {
    let mut lab = two_subnets();
    let (reachable, stale) = (5 * SECOND, 10 * SECOND);
    lab.change(Change::SetNeighborLimits { capacity: 100, reachable, stale });
    lab.ip("red", &datagram(1));
    answer(&mut lab);
    lab.run_for(4 * SECOND);
    assert_eq!(lab.neighbor("mute", "10.0.0.9").unwrap().0, NeighborState::Reachable);
    lab.run_for(2 * SECOND);
    assert_eq!(lab.neighbor("mute", "10.0.0.9").unwrap().0, NeighborState::Stale);
    lab.run_for(10 * SECOND);
    assert_eq!(lab.neighbor("mute", "10.0.0.9"), None);
}

#[test]
fn an_unused_neighbour_is_forgotten_after_ten_minutes() {
    let mut lab = two_subnets();
    lab.ip("red", &datagram(1));
    answer(&mut lab);
    lab.run_for(Duration::from_secs(629));
    assert!(lab.neighbor("mute", "10.0.0.9").is_some());
    lab.run_for(2 * SECOND);
    assert!(lab.neighbor("mute", "10.0.0.9").is_none());
}

#[test]
fn a_bound_neighbour_is_never_asked_for_nor_changed() {
    let mut lab = two_subnets();
    let (interface, mac) = (lab.interface_id("mute"), lab.mac("mute"));
    lab.ip("red", &datagram(1));
    lab.clear();
    lab.change(Change::PinNeighbor(interface, "10.0.0.9".parse().unwrap(), mac));
    assert_eq!(lab.packet("mute"), datagram(1).ttl(63), "what waited goes");
    lab.run_for(Duration::from_secs(10_000));
    lab.ip("red", &datagram(2));
    assert_eq!(lab.heard(), ["mute"], "the packet and no question");
    lab.change(Change::FlushNeighbors);
    assert_eq!(lab.neighbor("mute", "10.0.0.9").unwrap().0, NeighborState::Static);
    lab.change(Change::DeleteNeighbor(interface, "10.0.0.9".parse().unwrap()));
    assert_eq!(lab.neighbor("mute", "10.0.0.9"), None);
}

#[test]
fn flushing_gives_up_what_waits_and_tells_its_sender() {
    let mut lab = two_subnets();
    lab.ip("red", &datagram(1));
    lab.change(Change::FlushNeighbors);
    assert_eq!(lab.drops(), [("red", DropReason::NoNeighbor, 1)]);
    assert!(lab.neighbor("mute", "10.0.0.9").is_none());
    assert_eq!(lab.switch().totals().held, 0);
}

/// AR10.
#[test]
fn a_guest_that_scans_a_subnet_pushes_out_what_it_asked_for_itself() {
    let mut lab = two_subnets();
    lab.peer("scanner", Port::routed("172.16.0.1/16"), "172.16.0.2");
    let (reachable, stale) = (30 * SECOND, 600 * SECOND);
    lab.change(Change::SetNeighborLimits { capacity: 16, reachable, stale });
    lab.ip("scanner", &Packet::ping("172.16.0.2", "172.16.0.1", 1, 1));
    lab.ip("red", &datagram(1));
    for host in 10..60 {
        let to = format!("10.0.0.{host}:2000");
        lab.ip("scanner", &Packet::udp("172.16.0.2:1000", &*to, b"?"));
    }
    assert_eq!(lab.switch().neighbors().len(), 16);
    assert!(lab.dropped("scanner", DropReason::NeighborTableFull) >= 30, "its own oldest ones");
    assert_eq!(lab.dropped("red", DropReason::NeighborTableFull), 0);
    answer(&mut lab);
    lab.clear();
    lab.ip("red", &datagram(2));
    assert_eq!(lab.packet("mute"), datagram(2).ttl(63), "red's next hop is known all the while");
    for host in 200..206 {
        let to = format!("10.0.0.{host}:2000");
        lab.ip("red", &Packet::udp("192.168.0.2:1000", &*to, b"?"));
    }
    assert_eq!(lab.dropped("red", DropReason::NeighborTableFull), 0, "half of the table is red's");
}

/// AR10: spoofed ARP requests for the router fill nobody else's part of the table.
#[test]
fn whoever_claims_many_addresses_pushes_out_its_own() {
    let mut lab = two_subnets();
    lab.station("liar", Port::on("br0"));
    let (reachable, stale) = (30 * SECOND, 600 * SECOND);
    lab.change(Change::SetNeighborLimits { capacity: 8, reachable, stale });
    lab.ip("red", &datagram(1));
    answer(&mut lab);
    let (liar, own) = (lab.mac("liar"), lab.router_mac("br0"));
    for host in 100..150 {
        let asked = arp_request(liar, &*format!("192.168.0.{host}"), "192.168.0.1");
        lab.send("liar", &frame(own, liar).arp(&asked));
    }
    assert_eq!(lab.neighbor("mute", "10.0.0.9").unwrap().0, NeighborState::Reachable);
    assert_eq!(lab.switch().neighbors().len(), 8);
    let newest = lab.neighbor("br0", "192.168.0.149");
    assert_eq!(newest, Some((NeighborState::Stale, Some(liar))));
}

#[test]
fn a_table_full_of_bound_neighbours_refuses_the_new() {
    let mut lab = two_subnets();
    let interface = lab.interface_id("mute");
    let (reachable, stale) = (30 * SECOND, 600 * SECOND);
    lab.change(Change::FlushNeighbors);
    lab.change(Change::SetNeighborLimits { capacity: 1, reachable, stale });
    lab.change(Change::PinNeighbor(
        interface,
        "10.0.0.7".parse().unwrap(),
        crate::common::stranger(7),
    ));
    lab.ip("red", &datagram(1));
    assert_eq!(lab.dropped("red", DropReason::NeighborTableFull), 1);
    let full = Change::PinNeighbor(interface, "10.0.0.8".parse().unwrap(), lab.mac("mute"));
    assert_eq!(lab.try_change(full), Err(ChangeError::Full));
}

#[test]
fn bound_neighbours_that_an_interface_no_longer_reaches_leave_their_room_to_others() {
    let mut lab = two_subnets();
    let (inside, far) = (lab.interface_id("br0"), lab.interface_id("mute"));
    let (reachable, stale) = (30 * SECOND, 600 * SECOND);
    let pin = |interface, address: &str| {
        Change::PinNeighbor(interface, address.parse().unwrap(), crate::common::stranger(7))
    };
    lab.change(Change::FlushNeighbors);
    lab.change(Change::SetNeighborLimits { capacity: 3, reachable, stale });
    for (interface, address) in
        [(inside, "192.168.0.8"), (inside, "192.168.0.9"), (far, "10.0.0.7")]
    {
        lab.change(pin(interface, address));
    }
    let moved = InterfaceSettings {
        addresses: vec!["10.1.0.1/24".parse().unwrap()],
        ..lab.interface_settings("mute")
    };
    let mut set = vec![Change::SetInterface(far, moved), pin(far, "10.1.0.7")];
    let apply = |set: &Vec<Change>| {
        let (mut switch, mut out) = (lab.switch().clone(), Outbox::new(1));
        switch.apply_all(lab.now(), set.clone(), &mut out).map(|()| switch.neighbors().len())
    };
    assert_eq!(apply(&set), Ok(3));
    set.push(pin(far, "10.1.0.8"));
    assert_eq!(apply(&set), Err(ChangeError::Full));
}

/// Another station says that 10.0.0.9 is its own, to the router alone or to everybody.
pub(crate) fn claim(lab: &mut Lab, mac: Mac, how: &str) {
    let own = lab.router_mac("mute");
    let (to, arp) = match how {
        "reply" => (own, arp_reply(mac, "10.0.0.9", own, "10.0.0.1")),
        "request" => (own, arp_request(mac, "10.0.0.9", "10.0.0.1")),
        _ => (Mac::BROADCAST, announcement(mac, "10.0.0.9")),
    };
    lab.send("mute", &frame(to, mac).arp(&arp));
}

/// AR11.
#[test]
fn a_claim_does_not_replace_a_reachable_neighbour_that_answers() {
    for how in ["reply", "request", "announcement"] {
        let mut lab = two_subnets();
        lab.ip("red", &datagram(1));
        answer(&mut lab);
        lab.run_for(5 * SECOND);
        lab.clear();
        let (known, liar) = (lab.mac("mute"), crate::common::stranger(9));
        claim(&mut lab, liar, how);
        let questions = asked(&mut lab);
        let to_known: Vec<_> = questions.iter().filter(|(to, _)| *to == known).collect();
        assert_eq!(to_known.len(), 1, "{how}: the known one is asked, alone: {questions:?}");
        lab.ip("red", &datagram(2));
        assert_eq!(lab.packet("mute"), datagram(2).ttl(63));
        claim(&mut lab, liar, how);
        answer(&mut lab);
        assert_eq!(
            lab.neighbor("mute", "10.0.0.9"),
            Some((NeighborState::Reachable, Some(known))),
            "{how}"
        );
        let (interface, address) = (lab.interface_id("mute"), "10.0.0.9".parse().unwrap());
        let told = Notice::NeighborMoved { interface, address, was: known, is: liar, taken: false };
        assert_eq!(lab.notices(), [told, told], "{how}");
    }
}

/// AR11.
#[test]
fn a_neighbour_that_changes_its_card_is_followed_within_two_seconds() {
    for how in ["reply", "request", "announcement"] {
        for rest in [Duration::ZERO, 5 * SECOND] {
            let mut lab = two_subnets();
            lab.ip("red", &datagram(1));
            answer(&mut lab);
            lab.run_for(rest);
            let new = crate::common::stranger(9);
            claim(&mut lab, new, how);
            lab.run_for(2 * SECOND);
            lab.clear();
            lab.ip("red", &datagram(2));
            assert_eq!(asked(&mut lab)[0].0, Mac::BROADCAST, "{how}: everybody is asked");
            let own = lab.router_mac("mute");
            let bytes = frame(own, new).arp(&arp_reply(new, "10.0.0.9", own, "10.0.0.1"));
            lab.send("mute", &bytes);
            assert_eq!(lab.take("mute")[0].destination(), new, "{how}");
        }
    }
}

/// AR11: RFC 826's merge.
#[test]
fn a_stale_neighbour_that_changes_its_card_is_followed_at_once_and_told() {
    let mut lab = two_subnets();
    lab.ip("red", &datagram(1));
    answer(&mut lab);
    lab.run_for(31 * SECOND);
    let (was, is) = (lab.mac("mute"), crate::common::stranger(9));
    claim(&mut lab, is, "announcement");
    assert_eq!(lab.neighbor("mute", "10.0.0.9"), Some((NeighborState::Stale, Some(is))));
    let (interface, address) = (lab.interface_id("mute"), "10.0.0.9".parse().unwrap());
    assert_eq!(lab.notices(), [Notice::NeighborMoved { interface, address, was, is, taken: true }]);
}

/// Found by the fuzz target `network`: telling a sender of the same segment that its packet ends
/// asked for a neighbour on the interface that went.
#[test]
fn a_deleted_interface_leaves_no_neighbour_behind() {
    let mut lab = Lab::new(1);
    lab.station("dmz", Port::routed("172.16.0.1/24"));
    lab.ip("dmz", &Packet::udp("172.16.0.9:1", "172.16.0.10:2", b"?"));
    assert_eq!(lab.switch().totals().held, 1);
    let dmz = lab.interface_id("dmz");
    lab.change(Change::DeleteInterface(dmz));
    assert_eq!(lab.switch().neighbors(), []);
    assert_eq!(lab.dropped("dmz", DropReason::NoNeighbor), 1);
}
