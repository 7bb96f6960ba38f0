//! Packets that are larger than a tunnel: their senders learn what fits.

use nix::sys::signal::Signal;
use nix::sys::socket::sockopt::{IpMtu, TcpMaxSeg};
use nix::sys::socket::{getsockopt, setsockopt};

use crate::daemon::Daemon;
use crate::host::Host;
use crate::path::MtuDiscover;
use crate::transfer::{self, WHOLE};
use crate::underlay::{lab, no_wrong_checksums, pair, tcp_both_ways};
use crate::wait;
use crate::world::World;

/// Two machines whose ports are as wide as Ethernet, though their tunnel is not.
fn too_wide<'w>(worlds: &'w [World; 2], keys: &str) -> ([Daemon<'w>; 2], [Host; 2]) {
    let text =
        |number| lab(number, &[3 - number], keys).replacen("netns =", "mtu = 1500\nnetns =", 1);
    let [one, two] = worlds;
    let daemons = [Daemon::with(one, &text(1)), Daemon::with(two, &text(2))];
    (daemons, [one.host("c1"), two.host("c2")])
}

#[test]
fn a_sender_learns_what_fits_the_tunnel() {
    let Some(worlds) = pair(1500) else { return };
    let (_daemons, [c1, c2]) = too_wide(&worlds, "");
    assert_eq!(c1.link("eth0").mtu, 1500, "as it is written");
    c1.ping("10.1.0.2");
    let (near, far) = (c1.udp(0), c2.udp(5000));
    setsockopt(&near, MtuDiscover, &libc::IP_PMTUDISC_DO).unwrap();
    near.connect("10.1.0.2:5000").unwrap();
    assert_eq!(getsockopt(&near, IpMtu).unwrap(), 1500);
    assert_eq!(near.send(&[7; 1472]).unwrap(), 1472, "the device would carry it");
    let refused = wait::until("the MTU to be learned", || near.send(&[7; 1472]).err());
    assert_eq!(refused.raw_os_error(), Some(libc::EMSGSIZE), "{refused}");
    assert_eq!(getsockopt(&near, IpMtu).unwrap(), 1450);
    // The switch's answer is also an error that waits at the socket.
    near.take_error().unwrap();
    assert_eq!(near.send(&[7; 1422]).unwrap(), 1422);
    assert_eq!(far.recv(&mut [0; 2000]).unwrap(), 1422, "the first that arrives");
    crate::two_hosts::until_dropped(&worlds[0], "exceeds-tunnel-mtu");
    // What may be cut is cut by its sender from now on, and arrives whole.
    let near = c1.udp(0);
    assert_eq!(near.send_to(&[7; 4000], "10.1.0.2:5000").unwrap(), 4000);
    assert_eq!(far.recv(&mut [0; 5000]).unwrap(), 4000);
}

#[test]
fn a_stream_finds_its_way_through_a_narrow_tunnel() {
    let Some(worlds) = pair(1500) else { return };
    let (daemons, [c1, c2]) = too_wide(&worlds, "");
    tcp_both_ways((&c1, "10.1.0.1"), (&c2, "10.1.0.2"), WHOLE / 2);
    no_wrong_checksums(&[&c1, &c2]);
    drop(daemons);
}

/// Nothing has to be learned when the connection begins with segments that fit.
#[test]
fn a_clamped_stream_fits_from_the_beginning() {
    let Some(worlds) = pair(1500) else { return };
    let (daemons, [c1, c2]) = too_wide(&worlds, "mss_clamp = true");
    let listener = c2.listen(4000);
    let flow = c1.connect("10.1.0.2:4000".parse().unwrap(), &listener);
    let (near, far) = (flow.0.try_clone().unwrap(), flow.1.try_clone().unwrap());
    transfer::tcp(flow, WHOLE / 4);
    for end in [near, far] {
        // Twelve bytes are for timestamps.
        assert_eq!(getsockopt(&end, TcpMaxSeg).unwrap(), 1450 - 40 - 12);
    }
    assert!(worlds[0].rows(&["drops"]).iter().all(|row| row["reason"] != "exceeds-tunnel-mtu"));
    daemons.into_iter().for_each(|daemon| drop(daemon.stop(Signal::SIGTERM)));
}

#[test]
fn what_is_written_too_large_is_warned_of() {
    let Some(worlds) = pair(1500) else { return };
    let (daemons, _) = too_wide(&worlds, "");
    let tree = worlds[0].tapswitch(&["show"]).ok();
    let said = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("port c1 has mtu 1500, and tunnel vx0 carries 1450"), "{tree}");
    let wider = lab(1, &[2], "mtu = 1460");
    daemons[0].apply(&wider);
    let warnings = &worlds[0].json(&["show"])["warnings"];
    let said = warnings[0].as_str().unwrap();
    assert!(said.contains("tunnel vx0 has mtu 1460") && said.contains("1450"), "{warnings}");
    daemons[0].apply(&lab(1, &[2], ""));
    assert_eq!(worlds[0].json(&["show"])["warnings"].as_array().unwrap().len(), 0);
}

/// The path becomes narrower and wider; the next change of the lab finds out.
#[test]
fn the_mtu_inside_follows_the_path() {
    let Some(worlds) = pair(1500) else { return };
    let text = lab(1, &[2], "");
    let daemon = Daemon::with(&worlds[0], &text);
    let c1 = worlds[0].host("c1");
    let here = worlds[0].here();
    for (outer, inner) in [(1400, 1350), (1500, 1450)] {
        here.set_mtu("u0", outer);
        let plan = daemon.apply(&text);
        assert!(plan.contains(&format!("{inner}")), "{plan}");
        assert_eq!(c1.link("eth0").mtu, inner);
        assert_eq!(daemon.apply(&text), "no changes\n");
    }
}
