//! Open vSwitch's userspace datapath on each of two hosts, with a VXLAN port between them.
//!
//! Tunnels of the userspace datapath leave through a second bridge, which holds the underlay device
//! and has its address. The inner end is an internal port, which is a TAP device here, moved into
//! the inner namespace: no offload is promised to it, so every checksum is whole.

use anyhow::Result;

use super::hosts::{Host, Hosts, INNER_MTU, OUTER_WIDE, UNDERLAY, VNI};
use super::iproute::ip;
use super::openvswitch::{ALONE, Instance, NETDEV};
use super::{Running, WIDE};

/// Both hosts, each with its database and its switch.
pub(super) fn build() -> Result<Running> {
    let hosts = Hosts::new()?;
    let mut switches = Vec::new();
    let mut rest = Vec::new();
    for host in hosts.both() {
        let (switch, instance) = Instance::start(&host.room, &[])?;
        switches.push(switch);
        equip(&instance, host)?;
        rest.push(instance);
    }
    Ok(hosts.running(switches, rest))
}

/// Makes the bridges and hands the inner room its end.
fn equip(instance: &Instance, host: &Host) -> Result<()> {
    let add = |bridge| ["--", "add-br", bridge, "--", "set", "bridge", bridge, NETDEV, ALONE];
    instance.configure(&[&add("br-phy")[..], &["--", "add-port", "br-phy", UNDERLAY]].concat())?;
    let room = host.room.name();
    let address = format!("{}/{OUTER_WIDE}", host.address);
    ip(&["-n", room, "address", "flush", "dev", UNDERLAY])?;
    ip(&["-n", room, "address", "add", &address, "dev", "br-phy"])?;
    ip(&["-n", room, "link", "set", "br-phy", "up"])?;
    let remote = format!("options:remote_ip={}", host.remote);
    let key = format!("options:key={VNI}");
    let tunnel = ["--", "add-port", "br0", "vx0", "--", "set", "interface", "vx0"];
    let inner = ["--", "add-port", "br0", "eth0", "--", "set", "interface", "eth0"];
    let arguments = [&add("br0")[..], &tunnel, &["type=vxlan", &remote, &key], &inner];
    instance.configure(&[&arguments.concat()[..], &["type=internal"]].concat())?;
    ip(&["-n", room, "link", "set", "eth0", "netns", host.inner.name()])?;
    ip(&["-n", host.inner.name(), "link", "set", "eth0", "mtu", INNER_MTU])?;
    host.inner.configure("eth0", packet::Ipv4Net::new(host.inner_address, WIDE)?)
}
