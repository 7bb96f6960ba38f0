//! The far end of a port: a TAP made in its namespace and given its address. It goes with its queues.

use os::links::{LinkError, Links};
use os::netns::{Netns, NetnsError, Place};
use os::tap::{self, Queue, TapError};
use packet::Ipv4Net;

use super::places;
use crate::config::{Attach, Port};

/// Why a port's far end could not be made as the lab wants it.
#[derive(Debug, thiserror::Error)]
pub enum CableError {
    /// The namespace.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The device.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// Its settings.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A system call on the way.
    #[error("cannot speak netlink in {place}: {error}")]
    Netlink {
        /// Where.
        place: String,
        /// The kernel's answer.
        error: std::io::Error,
    },
    /// The device is not there though it was made.
    #[error("device `{device}` vanished from {place} while it was being set up")]
    Vanished {
        /// The device.
        device: String,
        /// Where.
        place: String,
    },
    /// `master` names no device.
    #[error(
        "there is no device `{master}` here to be the master; make the bridge first (ip link add {master} type bridge)"
    )]
    NoMaster {
        /// The name.
        master: String,
    },
    /// `master` names a device that cannot be one.
    #[error("device `{master}` is not a Linux bridge, so nothing can be enslaved to it")]
    NotABridge {
        /// The name.
        master: String,
    },
}

/// A far end that is up. The device goes with its queues.
#[derive(Debug)]
pub(crate) struct FarEnd {
    pub(crate) netns: Netns,
    links: Links,
    pub(crate) index: u32,
    /// The namespace's number as seen from ours.
    pub(crate) nsid: Option<i32>,
}

impl FarEnd {
    /// Makes the device in `netns` with `queues` queues, and gives it all that the lab says. On an error the device is
    /// gone again.
    pub(crate) async fn make(
        port: &Port,
        netns: Netns,
        queues: usize,
    ) -> Result<(Self, Vec<Queue>), CableError> {
        let device = port.device.as_str();
        let options = tap::Options { name: device, queues, offload: port.offload };
        let queues = tap::open(&netns, &options)?;
        let links = places::open(&netns).await?;
        let vanished = || CableError::Vanished { device: device.into(), place: netns.to_string() };
        let link = links.find(device).await?.ok_or_else(vanished)?;
        let mut end = Self { netns, links, index: link.index, nsid: None };
        end.links.set_mac(end.index, port.mac).await?;
        end.links.set_mtu(end.index, u32::from(port.mtu)).await?;
        if let Attach::Host { master: Some(master) } = &port.attach {
            end.enslave(master.as_str()).await?;
        }
        if let Attach::Netns(_) = port.attach {
            end.links.loopback_up().await?;
        }
        for net in &port.address {
            end.links.add_address(end.index, *net).await?;
        }
        end.links.set_up(end.index).await?;
        if let Some(gateway) = port.gateway {
            end.links.set_default_route(gateway, end.index).await?;
        }
        if let Attach::Netns(_) = port.attach {
            let own = Netns::open(&Place::Current)?;
            end.nsid = Some(places::open(&own).await?.assign_nsid(&end.netns).await?);
        }
        Ok((end, queues))
    }

    async fn enslave(&self, master: &str) -> Result<(), CableError> {
        let bridge = self.links.find(master).await?;
        let bridge = bridge.ok_or_else(|| CableError::NoMaster { master: master.into() })?;
        if bridge.kind.as_deref() != Some("bridge") {
            return Err(CableError::NotABridge { master: master.into() });
        }
        Ok(self.links.set_master(self.index, Some(bridge.index)).await?)
    }

    /// Changes addresses, gateway, MAC address and MTU in place.
    pub(crate) async fn alter(&mut self, old: &Port, new: &Port) -> Result<(), CableError> {
        if old.mac != new.mac {
            self.links.set_mac(self.index, new.mac).await?;
        }
        if old.mtu != new.mtu {
            self.links.set_mtu(self.index, u32::from(new.mtu)).await?;
        }
        let gone = |net: &&Ipv4Net| !new.address.contains(net);
        for net in old.address.iter().filter(gone) {
            self.links.delete_address(self.index, *net).await?;
        }
        for net in new.address.iter().filter(|net| !old.address.contains(net)) {
            self.links.add_address(self.index, *net).await?;
        }
        // The kernel takes the default route away with the subnet that its gateway was in.
        match new.gateway {
            Some(gateway) if old.gateway != new.gateway || old.address != new.address => {
                self.links.set_default_route(gateway, self.index).await?;
            }
            None if old.gateway.is_some() => self.links.delete_default_route().await?,
            Some(_) | None => {}
        }
        Ok(())
    }
}
