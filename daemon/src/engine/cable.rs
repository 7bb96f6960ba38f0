//! The far end of a port: a TAP made in its namespace, given its address, and taken away again without a trace.

use std::net::Ipv4Addr;

use os::links::{LinkError, Links};
use os::netns::{self, Netns, NetnsError, Place};
use os::tap::{self, Queue, TapError};
use packet::Ipv4Net;

use crate::config::{self, Attach, Port};

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

/// A far end that is up.
#[derive(Debug)]
pub(crate) struct FarEnd {
    pub(crate) netns: Netns,
    links: Links,
    pub(crate) index: u32,
    /// The namespace's number as seen from ours.
    pub(crate) nsid: Option<i32>,
    /// The namespace was made for this lab under this name.
    pub(crate) made: Option<String>,
    /// What must be put back when the far end goes.
    found: Found,
}

/// How a namespace that was not made here was found.
#[derive(Debug, Default)]
struct Found {
    loopback_was_down: bool,
    default_route: Option<(Ipv4Addr, u32)>,
}

impl FarEnd {
    /// Makes the namespace if it has none, the device with `queues` queues, and gives it all that the lab says. On an
    /// error everything made so far is gone again.
    pub(crate) async fn make(port: &Port, queues: usize) -> Result<(Self, Vec<Queue>), CableError> {
        let (netns, made) = find(&port.attach)?;
        let undo = made.clone();
        let outcome = Self::make_in(port, queues, netns, made).await;
        if let (Err(_), Some(name)) = (&outcome, undo) {
            discard(&name);
        }
        outcome
    }

    async fn make_in(
        port: &Port,
        queues: usize,
        netns: Netns,
        made: Option<String>,
    ) -> Result<(Self, Vec<Queue>), CableError> {
        let device = port.device.as_str();
        let queues =
            tap::open(&netns, &tap::Options { name: device, queues, offload: port.offload })?;
        let links = open(&netns).await?;
        let vanished = || CableError::Vanished { device: device.into(), place: netns.to_string() };
        let link = links.find(device).await?.ok_or_else(vanished)?;
        let mut end =
            Self { netns, links, index: link.index, nsid: None, made, found: Found::default() };
        end.links.set_mac(end.index, port.mac).await?;
        end.links.set_mtu(end.index, u32::from(port.mtu)).await?;
        if let Attach::Host { master: Some(master) } = &port.attach {
            let master = master.as_str();
            let bridge = end.links.find(master).await?;
            let bridge = bridge.ok_or_else(|| CableError::NoMaster { master: master.into() })?;
            if bridge.kind.as_deref() != Some("bridge") {
                return Err(CableError::NotABridge { master: master.into() });
            }
            end.links.set_master(end.index, Some(bridge.index)).await?;
        }
        if let Attach::Netns(_) = port.attach {
            let loopback = end.links.find("lo").await?;
            end.found.loopback_was_down = loopback.is_some_and(|lo| !lo.up) && end.made.is_none();
            end.links.loopback_up().await?;
        }
        for net in &port.address {
            end.links.add_address(end.index, *net).await?;
        }
        end.links.set_up(end.index).await?;
        if let Some(gateway) = port.gateway {
            end.found.default_route = end.links.default_route().await?;
            end.links.set_default_route(gateway, end.index).await?;
        }
        if let Attach::Netns(_) = port.attach {
            let own = Netns::open(&Place::Current)?;
            end.nsid = Some(open(&own).await?.assign_nsid(&end.netns).await?);
        }
        Ok((end, queues))
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

    /// Puts back what was found. The device itself goes with its queues, which must be closed already; a namespace
    /// that was made here goes when `last` of its ports goes.
    pub(crate) async fn take_away(self, last: bool) {
        // A name may by now belong to another namespace, which somebody else made.
        if !last || !self.netns.still_exists() {
            return;
        }
        if let Some(name) = &self.made {
            return discard(name);
        }
        if let Some((gateway, index)) = self.found.default_route
            && let Err(error) = self.links.set_default_route(gateway, index).await
        {
            tracing::warn!(
                "{}: the default route that was found cannot be put back: {error}",
                self.netns
            );
        }
        if self.found.loopback_was_down
            && let Ok(Some(lo)) = self.links.find("lo").await
            && let Err(error) = self.links.set_down(lo.index).await
        {
            tracing::warn!("{}: lo cannot be set down again: {error}", self.netns);
        }
    }
}

fn find(attach: &Attach) -> Result<(Netns, Option<String>), NetnsError> {
    match attach {
        Attach::Host { .. } => Ok((Netns::open(&Place::Current)?, None)),
        Attach::Netns(config::Netns::Name(name)) => {
            let (netns, made) = Netns::ensure(name)?;
            Ok((netns, made.then(|| name.clone())))
        }
        Attach::Netns(config::Netns::Path(path)) => {
            Ok((Netns::open(&Place::Path(path.clone()))?, None))
        }
        Attach::Netns(config::Netns::Pid(pid)) => Ok((Netns::open(&Place::Pid(*pid))?, None)),
    }
}

async fn open(netns: &Netns) -> Result<Links, CableError> {
    let opened = Links::open(netns).await;
    opened.map_err(|error| CableError::Netlink { place: netns.to_string(), error })
}

fn discard(name: &str) {
    if let Err(error) = netns::remove(name) {
        tracing::warn!("namespace {name}, made for this lab, stays: {error}");
    }
}
