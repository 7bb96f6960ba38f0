//! Which tunnels may stand beside each other (VX14), and what changing one disturbs.

use lab::{Lab, Port, Tunnel};
use packet::{DropReason, Mac};
use switch::change::{PortSettings, Role};
use switch::{Change, ChangeError};
use vxlan::{RemoteVtep, Vni};

use crate::common::{FAR, FARTHER, far_hello, sent_to, shout, stranger, tunnelled};

fn remote(lab: &Lab, vni: u32, remote: &str) -> RemoteVtep {
    let underlay = lab.port_id("udp");
    RemoteVtep { underlay, vni: Vni::new(vni).unwrap(), remote: remote.parse().unwrap() }
}

/// VX14.
#[test]
fn a_remote_that_another_tunnel_has_is_refused_and_nothing_changes() {
    let mut lab = tunnelled();
    lab.bridge("br1");
    lab.station("green", Port::on("br1"));
    let second = lab.tunnel_change("vx1", &Tunnel::on("br1", 42).to("192.0.2.50").to(FARTHER));
    let taken = ChangeError::VtepTaken(remote(&lab, 42, FARTHER), lab.port_id("vx0"));
    assert_eq!(lab.try_change(second), Err(taken));
    let text = taken.to_string();
    assert!(text.contains(FARTHER) && text.contains("42"), "{text}");
    assert!(text.contains(&lab.port_id("vx0").to_string()), "the other is named: {text}");
    far_hello(&mut lab, "192.0.2.50", Mac::BROADCAST, stranger(1));
    far_hello(&mut lab, FARTHER, Mac::BROADCAST, stranger(1));
    assert_eq!(lab.drops(), [("udp", DropReason::UnknownVtep, 1)]);
    assert_eq!(lab.heard(), ["red", "blue"], "it is still the first one's");
}

/// VX14.
#[test]
fn an_existing_tunnel_keeps_its_remotes_when_a_change_is_refused() {
    let mut lab = tunnelled();
    lab.tunnel("vx1", &Tunnel::on("br0", 43).to(FAR));
    let change = lab.tunnel_change("vx1", &Tunnel::on("br0", 42).to("192.0.2.50").to(FAR));
    assert!(lab.try_change(change).is_err());
    lab.datagrams();
    shout(&mut lab, "red");
    let sent: Vec<_> = lab.datagrams().iter().map(|d| (d.tunnel.clone(), d.vni())).collect();
    assert_eq!(sent, [("vx0".into(), 42), ("vx0".into(), 42), ("vx1".into(), 43)]);
}

/// VX14: the same address, VNI and underlay are one far end; with one of them different it is
/// another.
#[test]
fn remotes_that_differ_in_one_thing_are_different() {
    let mut lab = tunnelled();
    lab.underlay("udp2");
    for tunnel in [
        Tunnel::on("br0", 43).to(FAR),
        Tunnel::on("br0", 42).to("192.0.2.50"),
        Tunnel::on("br0", 42).to(FAR).over("udp2"),
    ] {
        lab.tunnel("vx1", &tunnel);
    }
    let taken = lab.tunnel_change("vx2", &Tunnel::on("br0", 42).to(FAR).over("udp2"));
    assert!(lab.try_change(taken).is_err());
    lab.change(Change::DeletePort(lab.port_id("vx1")));
    lab.tunnel("vx2", &Tunnel::on("br0", 42).to(FAR).over("udp2"));
}

/// VX10, VX14.
#[test]
fn a_remote_named_twice_gets_one_copy() {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.station("red", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FARTHER).to(FAR).to(FARTHER));
    shout(&mut lab, "red");
    let expected = [FARTHER, FAR].map(|far| ("vx0".to_owned(), far.to_owned()));
    assert_eq!(sent_to(&mut lab), expected);
}

/// VX14.
#[test]
fn an_underlay_that_a_tunnel_needs_stays() {
    let mut lab = tunnelled();
    let (udp, vx0) = (lab.port_id("udp"), lab.port_id("vx0"));
    let in_use = Err(ChangeError::UnderlayInUse(udp, vx0));
    assert_eq!(lab.try_change(Change::DeletePort(udp)), in_use);
    let bridged = lab.tunnel_change("vx1", &Tunnel::on("br0", 44));
    let Change::SetPort(_, PortSettings { role: Role::Tunnel(member, _), mtu, guard }) = bridged
    else {
        panic!("a tunnel is a port");
    };
    let change = Change::SetPort(udp, PortSettings { role: Role::Bridged(member), mtu, guard });
    assert_eq!(lab.try_change(change), in_use);
    lab.tunnel("vx0", &Tunnel::on("br0", 42));
    assert_eq!(lab.try_change(Change::DeletePort(udp)), in_use, "without far ends, too");
    lab.change(Change::DeletePort(vx0));
    lab.change(Change::DeletePort(udp));
}

/// VX14.
#[test]
fn a_tunnel_needs_an_underlay() {
    let mut lab = tunnelled();
    for wrong in ["red", "vx0"] {
        let change = lab.tunnel_change("vx1", &Tunnel::on("br0", 43).to(FAR).over(wrong));
        let error = ChangeError::NotUnderlay(lab.port_id(wrong));
        assert_eq!(lab.try_change(change), Err(error), "{wrong}");
    }
    lab.underlay("udp2");
    let onto_itself = lab.tunnel_change("udp2", &Tunnel::on("br0", 43).to(FAR).over("udp2"));
    let error = ChangeError::NotUnderlay(lab.port_id("udp2"));
    assert_eq!(lab.try_change(onto_itself), Err(error));
}

#[test]
fn what_was_learned_survives_a_change_that_is_none_to_it() {
    let mut lab = tunnelled();
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    let tunnel = Tunnel::on("br0", 42).to(FAR).to(FARTHER);
    lab.tunnel("vx0", &tunnel.clone().to("192.0.2.8").mtu(1400).strict());
    assert_eq!(lab.location("br0", 0, stranger(1)), Some("vx0"));
    for other in [tunnel.vlan(10), Tunnel::on("br0", 43).to(FAR)] {
        lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR));
        far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
        lab.tunnel("vx0", &other);
        assert_eq!(lab.location("br0", 0, stranger(1)), None, "another segment: {other:?}");
    }
}

#[test]
fn a_tunnel_that_becomes_a_port_gives_its_remotes_back() {
    let mut lab = tunnelled();
    lab.port("vx0", &Port::on("br0"));
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    assert_eq!(lab.drops(), [("udp", DropReason::UnknownVni, 1)]);
    lab.tunnel("vx1", &Tunnel::on("br0", 42).to(FAR));
    far_hello(&mut lab, FAR, Mac::BROADCAST, stranger(1));
    assert_eq!(lab.location("br0", 0, stranger(1)), Some("vx1"));
}

#[test]
fn a_frame_cannot_come_in_on_an_underlay() {
    let mut lab = tunnelled();
    let port = lab.port_id("udp");
    let frame = packet::Frame::copied_from(&crate::common::hello(Mac::BROADCAST, stranger(1)));
    lab.step(switch::Event::Frame { port, frame });
    assert_eq!(lab.drops(), [("udp", DropReason::BadVxlan, 1)]);
    assert!(lab.heard().is_empty());
}
