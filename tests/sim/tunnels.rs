//! Tunnels: who gets what, who is heard, and what a far end may not do (RFC 7348; VX in the checklist).

use lab::tunnel::encapsulated;

use lab::{Lab, Port, Tunnel};

use crate::common::{hello, stranger};

const FAR: &str = "192.0.2.2";
const FARTHER: &str = "192.0.2.3";

/// A bridge with two ports and a tunnel of VNI 42 to [`FAR`] and [`FARTHER`].
fn lab() -> Lab {
    let mut lab = Lab::new(7);
    lab.bridge("br0");
    lab.station("red", Port::on("br0"));
    lab.station("blue", Port::on("br0"));
    lab.underlay("udp");
    lab.tunnel("vx0", &Tunnel::on("br0", 42).to(FAR).to(FARTHER));
    lab.clear();
    lab.datagrams();
    lab
}

/// VX9, VX10: what is unknown goes to every far end, what was heard from one goes there alone.
#[test]
fn a_station_is_learned_behind_the_far_end_it_spoke_from() {
    let mut lab = lab();
    let far = stranger(1);
    lab.send("red", &hello(far, lab.mac("red")));
    let flooded: Vec<_> = lab.datagrams().iter().map(|d| d.remote.to_string()).collect();
    assert_eq!(flooded, [FAR, FARTHER]);
    lab.from_peer(FARTHER, &encapsulated(42, &hello(lab.mac("red"), far)));
    assert_eq!(lab.take("red").len(), 1);
    assert_eq!(lab.location("br0", 0, far), Some("vx0"));
    assert_eq!(lab.vtep("br0", 0, far).map(|a| a.to_string()), Some(FARTHER.into()));
    lab.clear();
    lab.send("blue", &hello(far, lab.mac("blue")));
    let sent = lab.datagrams();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].remote.to_string(), sent[0].vni()), (FARTHER.into(), 42));
    assert_eq!(lab.heard(), [""; 0]);
}
