//! Three switches, each a far end of the others, over an underlay that loses and reorders.

use core::time::Duration;

use lab::tunnel::Tunnel;
use lab::wire::frame;
use lab::{Lab, Link, Mesh, Port};
use packet::Mac;

use crate::common::{EXPERIMENT, hello, speak};

const ADDRESSES: [&str; 3] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
const SECOND: Duration = Duration::from_secs(1);

/// An underlay that loses every tenth datagram and lets others overtake every fifth. It doubles
/// none, so that whatever comes twice was sent twice.
fn bad() -> Link {
    Link { delay: Duration::from_millis(2), loss: 100, duplication: 0, reordering: 200 }
}

/// Three labs with a host and a station each.
fn mesh(seed: u64, link: Link, shape: impl Fn(Tunnel) -> Tunnel) -> Mesh {
    let mut mesh = Mesh::full(seed, 3, link, shape);
    for (site, address) in ADDRESSES.iter().enumerate() {
        mesh.lab(site).host("host", Port::on("br0").mtu(1450), &format!("{address}/24"));
        mesh.lab(site).station("watch", Port::on("br0"));
    }
    mesh
}

/// How many frames each lab's station heard since it was asked last.
fn heard(mesh: &mut Mesh) -> [usize; 3] {
    [0, 1, 2].map(|site| mesh.lab(site).take("watch").len())
}

/// VX9, VX10.
#[test]
fn hosts_of_all_switches_ping_each_other() {
    let mut mesh = mesh(1, Link::delayed(Duration::from_millis(1)), |tunnel| tunnel);
    for from in 0..3 {
        for to in (0..3).filter(|to| *to != from) {
            let answer = mesh.ping((from, "host"), ADDRESSES[to]);
            assert_eq!(answer.map(|own| own.to_string()), Some(ADDRESSES[to].into()));
        }
    }
    let host = mesh.lab(2).mac("host");
    let behind = mesh.lab(0).vtep("br0", 0, host);
    assert_eq!(behind, Some(Mesh::address(2)));
}

/// VX10, VX11.
#[test]
fn a_broadcast_is_heard_exactly_once_on_every_other_switch() {
    let mut mesh = mesh(2, Link::default(), |tunnel| tunnel);
    mesh.run_for(SECOND);
    heard(&mut mesh);
    for from in 0..3 {
        let watch = mesh.lab(from).mac("watch");
        mesh.lab(from).send("watch", &hello(Mac::BROADCAST, watch));
        mesh.run_for(SECOND);
        let expected = [0, 1, 2].map(|site| usize::from(site != from));
        assert_eq!(heard(&mut mesh), expected, "from {from}");
    }
}

/// VX10, VX11.
#[test]
fn no_frame_arrives_twice_whatever_the_underlay_does() {
    let mut mesh = mesh(3, bad(), |tunnel| tunnel);
    mesh.run_for(SECOND);
    heard(&mut mesh);
    let macs = [0, 1, 2].map(|site| mesh.lab(site).mac("watch"));
    let mut arrived = 0;
    for number in 0..300u32 {
        let from = number as usize % 3;
        let to =
            [Mac::BROADCAST, macs[(from + 1) % 3], macs[(from + 2) % 3]][number as usize / 3 % 3];
        let bytes = frame(to, macs[from]).payload(EXPERIMENT, &number.to_be_bytes());
        mesh.lab(from).send("watch", &bytes);
        if number % 10 == 0 {
            mesh.run_for(Duration::from_millis(1));
        }
    }
    mesh.run_for(SECOND);
    for site in 0..3 {
        let mut numbers: Vec<_> =
            mesh.lab(site).take("watch").iter().map(|seen| seen.payload()[..4].to_vec()).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "twice at {site}");
        arrived += count;
    }
    assert!(mesh.lost() > 20, "the underlay was not bad: {}", mesh.lost());
    assert!(arrived > 200, "only {arrived} arrived");
}

/// VX9, VX10.
#[test]
fn a_transfer_across_a_bad_underlay_arrives_whole() {
    let mut mesh = mesh(4, bad(), |tunnel| tunnel.clamping_mss());
    mesh.transfer((0, "host"), ADDRESSES[1], (1, "host"), 300_000);
    mesh.transfer((2, "host"), ADDRESSES[0], (0, "host"), 100_000);
    assert!(mesh.lost() > 20);
    for site in 0..3 {
        let totals = mesh.lab(site).switch().totals();
        assert!(totals.balance() && totals.held == 0);
    }
}

/// VX6: hosts that think they have 1500 bytes learn, by MSS or by being told, what the tunnel
/// takes.
#[test]
fn a_transfer_of_super_frames_fits_the_tunnel() {
    let mut mesh = Mesh::full(5, 2, bad(), |tunnel| tunnel.clamping_mss());
    for (site, address) in ADDRESSES.iter().enumerate().take(2) {
        let address = format!("{address}/24");
        mesh.lab(site).host("host", Port::on("br0").offload(), &address);
    }
    mesh.transfer((0, "host"), ADDRESSES[1], (1, "host"), 500_000);
    for site in 0..2 {
        assert_eq!(mesh.lab(site).drops(), [], "nothing was too large");
    }
}

/// ARP suppression: who is known is not asked for again.
#[test]
fn a_mesh_that_suppresses_arp_still_pings() {
    let mut mesh = mesh(6, bad(), Tunnel::suppressing_arp);
    for to in [1, 2] {
        let answered = (0..10).filter(|_| mesh.ping((0, "host"), ADDRESSES[to]).is_some()).count();
        assert!(answered >= 5, "{answered} of 10 answered");
    }
}

/// VX11: two segments between the same two bridges make two copies, and no loop.
#[test]
fn two_tunnels_between_two_bridges_make_no_storm() {
    let mut mesh = Mesh::full(7, 2, Link::delayed(Duration::from_millis(1)), |tunnel| tunnel);
    for site in 0..2 {
        let lab: &mut Lab = mesh.lab(site);
        lab.station("watch", Port::on("br0"));
        lab.tunnel("vx1", &Tunnel::on("br0", 43).to(Mesh::address(1 - site)));
        lab.datagrams();
    }
    let watch = mesh.lab(0).mac("watch");
    mesh.lab(0).send("watch", &hello(Mac::BROADCAST, watch));
    mesh.run_for(10 * SECOND);
    let heard = [0, 1].map(|site| mesh.lab(site).take("watch").len());
    assert_eq!(heard, [0, 2]);
}

/// The same seed is the same mesh.
#[test]
fn a_mesh_can_be_repeated() {
    let digest = || {
        let mut mesh = mesh(8, bad(), |tunnel| tunnel);
        mesh.ping((0, "host"), ADDRESSES[1]);
        mesh.lab(1).station("other", Port::on("br0"));
        speak(mesh.lab(1), "other", "watch");
        mesh.run_for(SECOND);
        [0, 1, 2].map(|site| mesh.lab(site).digest())
    };
    assert_eq!(digest(), digest());
}
