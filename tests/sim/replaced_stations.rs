//! What somebody changes at the switch itself, nobody needs to find out.

use lab::wire::announcement;
use lab::{Lab, Packet, Port};
use switch::Change;
use switch::change::BridgeSettings;

/// A bridge with a router, and a station behind each of two ports.
fn one_bridge(settings: BridgeSettings) -> Lab {
    let mut lab = Lab::new(1);
    lab.bridge_with("br0", settings);
    lab.router("br0", "192.168.0.1/24");
    lab.peer("red", Port::on("br0"), "192.168.0.2");
    lab.peer("blue", Port::on("br0"), "192.168.0.3");
    lab.peer("wan", Port::routed("203.0.113.1/24"), "203.0.113.254");
    for peer in ["192.168.0.2", "192.168.0.3"] {
        lab.ip("wan", &Packet::ping("203.0.113.254", peer, 1, 1));
    }
    lab
}

/// AR12, BR8: what somebody changes at the switch itself, nobody needs to find out.
#[test]
fn who_was_behind_a_port_that_goes_is_asked_for_anew_at_once() {
    type Ends = (&'static str, fn(&mut Lab));
    let ends: [Ends; 3] = [
        ("deleted", |lab| {
            let red = lab.port_id("red");
            lab.change(Change::DeletePort(red));
        }),
        ("down", |lab| lab.down("red")),
        ("another VLAN", |lab| lab.port("red", &Port::on("br0").access(10))),
    ];
    for hub in [false, true] {
        for (how, end) in ends {
            let mut lab = one_bridge(BridgeSettings { hub, ..BridgeSettings::default() });
            assert!(lab.neighbor("br0", "192.168.0.2").is_some());
            end(&mut lab);
            assert_eq!(lab.neighbor("br0", "192.168.0.2"), None, "{how}");
            let kept = lab.neighbor("br0", "192.168.0.3").is_some();
            assert!(kept != hub, "{how}: a hub knows nobody's place");
        }
    }
}

/// AR12: a device that is made anew, or gets another address, is announced in its name.
#[test]
fn an_announced_station_is_known_at_once_to_everybody_on_its_segment() {
    let mut lab = one_bridge(BridgeSettings::default());
    lab.station("new", Port::on("br0"));
    lab.clear();
    let (new, port) = (lab.mac("new"), lab.port_id("new"));
    assert!(lab.neighbor("br0", "192.168.0.2").unwrap().1 != Some(new));
    let here = vec!["192.168.0.2".parse().unwrap()];
    let spoken = lab.switch().totals().spoken;
    lab.change(Change::AnnounceStation(port, new, here.clone()));
    assert_eq!(lab.switch().totals().spoken, spoken + 1);
    let heard = lab.take("blue").remove(0);
    assert_eq!(heard.arp(), Some(announcement(new, "192.168.0.2")), "the guests hear it");
    assert!(lab.take("new").is_empty(), "the station does not");
    assert_eq!(lab.location("br0", 0, new), Some("new"), "the bridge knows where it is");
    lab.clear();
    lab.ip("wan", &Packet::ping("203.0.113.254", "192.168.0.2", 1, 2));
    let asked = lab.take("new").iter().filter_map(|seen| seen.arp()).count();
    assert_eq!(asked, 1, "the router has forgotten who had the address, and asks");
    lab.down("new");
    lab.clear();
    lab.change(Change::AnnounceStation(port, new, here));
    assert!(lab.heard().is_empty(), "a port that is down announces nobody");
}

/// AR12: packets that wait for the address go to whoever is announced.
#[test]
fn what_waits_for_an_address_goes_to_the_station_that_is_announced() {
    let mut lab = one_bridge(BridgeSettings::default());
    lab.station("new", Port::on("br0"));
    lab.ip("wan", &Packet::ping("203.0.113.254", "192.168.0.9", 1, 2));
    assert_eq!(lab.switch().totals().held, 1);
    lab.clear();
    let (new, port) = (lab.mac("new"), lab.port_id("new"));
    lab.change(Change::AnnounceStation(port, new, vec!["192.168.0.9".parse().unwrap()]));
    assert_eq!(lab.switch().totals().held, 0);
    assert_eq!(lab.take("new").len(), 1, "the packet");
}
