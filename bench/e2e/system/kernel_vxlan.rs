//! The kernel's own VXLAN: on each host a bridge, a vxlan device and a veth pair to the inner
//! namespace.

use anyhow::Result;

use super::hosts::{Host, Hosts, INNER_MTU, UNDERLAY, VNI};
use super::iproute::ip;
use super::{Running, WIDE, kernel};

/// Both hosts.
pub(super) fn build() -> Result<Running> {
    let hosts = Hosts::new()?;
    for host in hosts.both() {
        equip(host)?;
    }
    Ok(hosts.running(Vec::new(), ()))
}

fn equip(host: &Host) -> Result<()> {
    let room = host.room.name();
    ip(&["-n", room, "link", "add", "br0", "up", "type", "bridge"])?;
    let remote = host.remote.to_string();
    let add = ["-n", room, "link", "add", "vx0", "type", "vxlan", "id", VNI];
    let over = ["remote", &remote, "dstport", "4789", "dev", UNDERLAY];
    ip(&[&add[..], &over[..]].concat())?;
    ip(&["-n", room, "link", "set", "vx0", "master", "br0", "up"])?;
    kernel::enslave(&host.inner, &host.room, "port0", &["mtu", INNER_MTU])?;
    host.inner.configure("eth0", packet::Ipv4Net::new(host.inner_address, WIDE)?)
}
