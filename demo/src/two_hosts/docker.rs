//! What a container engine would have made on a host: a Linux bridge docker0, a container on it,
//! and a veth pair towards the switch.

use std::net::Ipv4Addr;

use os::links::Links;
use os::netns::Netns;
use packet::{Ipv4Net, Mac};

use crate::DemoError;

/// A container on docker0.
#[derive(Debug)]
pub(super) struct Container {
    /// Its namespace, made for it.
    pub(super) name: &'static str,
    /// The host's end of its cable.
    pub(super) cable: &'static str,
    pub(super) address: Ipv4Net,
    pub(super) gateway: Ipv4Addr,
}

pub(super) const D1: Container = Container {
    name: "d1",
    cable: "veth_d1",
    address: Ipv4Net::new_assert(Ipv4Addr::new(10, 1, 0, 10), 16),
    gateway: Ipv4Addr::new(10, 1, 0, 1),
};
pub(super) const D2: Container = Container {
    name: "d2",
    cable: "veth_d2",
    address: Ipv4Net::new_assert(Ipv4Addr::new(10, 2, 0, 10), 16),
    gateway: Ipv4Addr::new(10, 2, 0, 1),
};

/// docker0 of one host.
#[derive(Debug)]
pub(super) struct Docker<'h> {
    host: &'h Netns,
    links: Links,
    bridge: u32,
}

impl<'h> Docker<'h> {
    /// Makes the bridge.
    pub(super) async fn make(host: &'h Netns) -> Result<Self, DemoError> {
        let links = open(host).await?;
        let bridge = links.make_bridge("docker0").await?.index;
        Ok(Self { host, links, bridge })
    }

    /// Plugs a container in by a cable of its own.
    pub(super) async fn plug(&self, container: &Container, netns: &Netns) -> Result<(), DemoError> {
        let Container { cable, address, gateway, .. } = *container;
        let ours = self.links.make_veth(cable, netns, "eth0", MTU, mac(address.addr())).await?;
        self.links.set_master(ours.index, Some(self.bridge)).await?;
        let inside = open(netns).await?;
        inside.loopback_up().await?;
        let Some(eth0) = inside.find("eth0").await? else { return Ok(()) };
        inside.add_address(eth0.index, address).await?;
        inside.set_up(eth0.index).await?;
        Ok(inside.set_default_route(gateway, eth0.index).await?)
    }

    /// Plugs in one end of a pair whose other end, `far`, is for the switch.
    pub(super) async fn cable(&self, far: &str) -> Result<(), DemoError> {
        let mac = mac(Ipv4Addr::new(10, 2, 0, 0));
        let near = self.links.make_veth("veth_d0", self.host, far, MTU, mac).await?;
        self.links.set_master(near.index, Some(self.bridge)).await?;
        let Some(far) = self.links.find(far).await? else { return Ok(()) };
        Ok(self.links.set_up(far.index).await?)
    }
}

/// Takes the bridge away and every cable that was plugged into it: whoever made the host's
/// namespace leaves it to those who have devices there.
pub(super) async fn unmake(host: &Netns) -> Result<(), DemoError> {
    let links = open(host).await?;
    for link in links.list().await? {
        if matches!(link.kind.as_deref(), Some("bridge" | "veth")) {
            links.delete(link.index).await?;
        }
    }
    Ok(())
}

async fn open(netns: &Netns) -> Result<Links, DemoError> {
    Links::open(netns).await.map_err(|error| {
        let what = format!("cannot speak netlink in {netns}");
        DemoError::System { what, error }
    })
}

/// Locally administered, from an address that nobody else has.
const fn mac(address: Ipv4Addr) -> Mac {
    let [a, b, c, d] = address.octets();
    Mac([0x02, 0x42, a, b, c, d])
}

/// What the tunnel carries inside over Ethernet: the kernel's own cables cannot know.
const MTU: u32 = 1450;
