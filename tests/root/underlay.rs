//! What tunnels run over: machines joined by cables, each with addresses of its own.
//!
//! A machine is a [`World`], and so has its own daemon with its own control socket; the network
//! below the tunnels is 192.168.10.0/24, where machine N has the address 192.168.10.N on `u0`.

use std::sync::atomic::{AtomicU8, Ordering};

use os::links::Links;
use packet::{Ipv4Net, Mac};

use crate::host::{Host, play};
use crate::process::locate;
use crate::scenery::linux_bridge;
use crate::transfer;
use crate::wait;
use crate::world::{World, skip, world};

/// One end of a cable: where, the device's name, and its address.
pub(crate) type End<'a> = (&'a Host, &'a str, Option<&'a str>);

/// A cable to lay: both ends and the MTU.
pub(crate) type Cable<'a> = (End<'a>, End<'a>, u32);

/// Lays a cable: a veth pair with both ends on.
pub(crate) fn cable(near: End<'_>, far: End<'_>, mtu: u32) {
    cables(&[(near, far, mtu)]);
}

/// Lays several cables. Each alone would take the kernel a second.
pub(crate) fn cables(several: &[Cable<'_>]) {
    for (near, far, mtu) in several {
        play(lay(*near, *far, *mtu));
    }
    // The kernel switches the queues on an instant later, and loses what is sent before.
    for (host, device, _) in several.iter().flat_map(|(near, far, _)| [near, far]) {
        wait::until("the cable to be on", || host.link(device).running.then_some(()));
    }
}

async fn lay(near: End<'_>, far: End<'_>, mtu: u32) {
    let links = Links::open(near.0.netns()).await.unwrap();
    links.make_veth(near.1, far.0.netns(), far.1, mtu, new_mac()).await.unwrap();
    for (host, device, address) in [near, far] {
        let links = Links::open(host.netns()).await.unwrap();
        let index = links.find(device).await.unwrap().unwrap().index;
        if let Some(address) = address {
            links.add_address(index, address.parse::<Ipv4Net>().unwrap()).await.unwrap();
        }
        links.set_up(index).await.unwrap();
    }
}

/// An address that no other test's cable has.
fn new_mac() -> Mac {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    Mac([2, 0, 0, 0, 9, NEXT.fetch_add(1, Ordering::Relaxed)])
}

/// Machines 1 and 2, with a cable between them.
pub(crate) fn pair(mtu: u32) -> Option<[World; 2]> {
    let worlds = [world()?, world()?];
    let [near, far] = worlds.each_ref().map(World::here);
    cable((&near, "u0", Some("192.168.10.1/24")), (&far, "u0", Some("192.168.10.2/24")), mtu);
    Some(worlds)
}

/// Machines 1 to 3 on one segment, which is a Linux bridge in a namespace that lives as long as its
/// value.
pub(crate) fn three() -> Option<([World; 3], Host)> {
    let (worlds, room) = ([world()?, world()?, world()?], Host::anonymous("the underlay"));
    linux_bridge(&room, "lan", "192.168.10.254/24");
    for (number, world) in (1..).zip(&worlds) {
        let (port, address) = (format!("p{number}"), format!("192.168.10.{number}/24"));
        cable((&room, &port, None), (&world.here(), "u0", Some(&address)), 1500);
        enslave(&room, &port, "lan");
    }
    Some((worlds, room))
}

/// Makes a device a port of a Linux bridge.
pub(crate) fn enslave(host: &Host, device: &str, bridge: &str) {
    let (index, bridge) = (host.link(device).index, host.link(bridge).index);
    play(async {
        let links = Links::open(host.netns()).await.unwrap();
        links.set_master(index, Some(bridge)).await.unwrap();
    });
}

/// The lab of a machine: a bridge, a host `cN` on it with the address 10.1.0.N, and a tunnel to
/// other machines.
pub(crate) fn lab(number: u8, remotes: &[u8], keys: &str) -> String {
    let remotes: Vec<String> = remotes.iter().map(|far| format!("192.168.10.{far}")).collect();
    format!(
        "[bridge.sw0]\nrouter = \"10.1.255.{number}/16\"\n\
         [port.c{number}]\nbridge = \"sw0\"\nnetns = \"c{number}\"\naddress = \"10.1.0.{number}/16\"\n\
         [tunnel.vx0]\nbridge = \"sw0\"\nvni = 42\nremotes = {remotes:?}\n{keys}\n"
    )
}

/// Whether the machine has `ip`; says so if not.
pub(crate) fn has_ip() -> bool {
    let found = locate("ip").is_some();
    if !found {
        skip("there is no `ip` to make devices with");
    }
    found
}

/// A host and the address that it is reached at.
pub(crate) type At<'a> = (&'a Host, &'a str);

/// So many bytes from each to the other over TCP.
#[track_caller]
pub(crate) fn tcp_both_ways(one: At<'_>, other: At<'_>, total: usize) {
    for (from, to) in [(one, other), (other, one)] {
        let listener = to.0.listen(PORT);
        let to = format!("{}:{PORT}", to.1).parse().unwrap();
        transfer::tcp(from.0.connect(to, &listener), total);
    }
}

/// So many bytes from each to the other in bursts of datagrams of one size.
#[track_caller]
pub(crate) fn udp_both_ways(one: At<'_>, other: At<'_>, size: usize, total: usize) {
    for (from, to) in [(one, other), (other, one)] {
        let (near, far) = (from.0.udp(0), to.0.udp(PORT));
        near.connect((to.1, PORT)).unwrap();
        transfer::udp(&near, &far, size, total);
    }
}

/// No kernel has refused a packet for its checksum.
#[track_caller]
pub(crate) fn no_wrong_checksums(hosts: &[&Host]) {
    for host in hosts {
        assert_eq!(host.wrong_checksums(), 0, "{host:?}");
    }
}

const PORT: u16 = 4000;
