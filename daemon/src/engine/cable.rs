//! The far end of a port: a TAP or veth pair made in its namespace and given its address, or a device that was there.
//! What was made goes with the port.

use std::net::Ipv4Addr;

use os::links::{Link, LinkError, Links};
use os::netns::{Netns, NetnsError, Place};
use os::packet_socket::{PacketSocket, PacketSocketError};
use os::tap::{self, TapError};
use packet::{Ipv4Net, Mac};

use super::places;
use crate::dataplane::Queue;
use labfile::{Attach, Port, SUPER_FRAME};

/// Why a port's far end could not be made as the lab wants it.
#[derive(Debug, thiserror::Error)]
pub enum CableError {
    /// The namespace.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The device.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// A device that should be there.
    #[error(transparent)]
    Interface(#[from] PacketSocketError),
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
    /// An address of the lab that this host has itself.
    #[error(
        "{claim} is this host's own on `{device}`: two would answer for it, and the host be cut off; write an address of \
         {subnet} that nobody has"
    )]
    HostsOwn {
        /// What claims it, with the address.
        claim: String,
        /// Who has it.
        device: String,
        /// Its subnet.
        subnet: Ipv4Net,
    },
    /// An address of the lab that this host's way to everywhere leads to.
    #[error(
        "{claim} is the gateway of this host's default route through `{device}`: taking its place would cut the host off; \
         write a free address of that network, and a [[route]] with to = \"default\" and via = \"{gateway}\""
    )]
    Gateway {
        /// What claims it, with the address.
        claim: String,
        /// The way there.
        device: String,
        /// Whose place it would take.
        gateway: Ipv4Addr,
    },
    /// The router's MAC address is one that the device does not let through.
    #[error(
        "`{device}` is a macvlan and takes frames for its own MAC address {mac} alone, so no others may be written: leave \
         `router_mac` out"
    )]
    OwnMacAlone {
        /// The device.
        device: String,
        /// Its own.
        mac: Mac,
    },
    /// A device that has no room for the stations of a bridge.
    #[error(
        "`{device}` is a macvlan and takes frames for its own MAC address alone, so it is no way to the stations of a \
         bridge: give the port a `router` address in place of `bridge`, or make the device with `mode passthru`"
    )]
    NoOthers {
        /// The device.
        device: String,
    },
    /// A device on which no port can stand.
    #[error(
        "`{device}` is of kind {kind}, {why}: choose another device, such as a macvlan or a veth"
    )]
    NoWayOut {
        /// The device.
        device: String,
        /// What it is.
        kind: String,
        /// What it lacks.
        why: &'static str,
    },
    /// `master` names no device.
    #[error(
        "there is no device `{master}` in the daemon's own namespace to be the master; make the bridge first (nsenter \
         --net=/proc/{pid}/ns/net ip link add {master} up type bridge)", pid = std::process::id()
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

impl CableError {
    /// Whether no port could be made on this machine, not this one alone.
    pub(super) const fn is_of_the_machine(&self) -> bool {
        matches!(self, Self::Tap(TapError::NoTun | TapError::Denied { .. }))
    }
}

impl CableError {
    /// Whether the lab asks for what this machine is not, has not, or has otherwise; else something failed here.
    pub(crate) const fn is_contradiction(&self) -> bool {
        match self {
            Self::Netns(error) => !matches!(error, NetnsError::Refused { .. }),
            Self::Tap(TapError::NameTaken { .. })
            | Self::Interface(
                PacketSocketError::NoSuchInterface { .. } | PacketSocketError::NotEthernet { .. },
            )
            | Self::HostsOwn { .. }
            | Self::Gateway { .. }
            | Self::OwnMacAlone { .. }
            | Self::NoOthers { .. }
            | Self::NoWayOut { .. }
            | Self::NoMaster { .. }
            | Self::NotABridge { .. } => true,
            Self::Tap(_)
            | Self::Interface(_)
            | Self::Link(_)
            | Self::Netlink { .. }
            | Self::Vanished { .. } => false,
        }
    }
}

/// Packets that may wait in a queue of a TAP to be read. A worker that has to share its processor does not run for some
/// milliseconds at a time, in which small packets come by the thousand; the kernel's default is 1000. Of many more the oldest
/// would have left the processor's caches.
const QUEUE_LEN: u32 = 2048;

/// A far end that is up. A TAP goes with its queues; a veth pair with [`FarEnd::remove`].
#[derive(Debug)]
pub(crate) struct FarEnd {
    pub(crate) netns: Netns,
    links: Links,
    pub(crate) index: u32,
    /// The namespace's number as seen from ours.
    pub(crate) nsid: Option<i32>,
    /// The near end of a veth pair, in our namespace.
    near: Option<(Links, u32)>,
    /// Whether it was there before us, and is nobody's to change.
    found: bool,
}

impl FarEnd {
    /// The device called `device` as it is now, if it is there.
    pub(crate) async fn link(&self, device: &str) -> Option<Link> {
        self.links.find(device).await.ok()?
    }

    /// Makes the device in `netns` with `queues` queues, and gives it all that the lab says; or opens one that is
    /// there. On an error what was made is gone again.
    pub(crate) async fn make(
        port: &Port,
        netns: Netns,
        queues: usize,
    ) -> Result<(Self, Vec<Queue>), CableError> {
        match &port.attach {
            Attach::Netns(_) | Attach::Host { .. } => Self::tap(port, netns, queues).await,
            Attach::Veth(_) => Self::veth(port, netns).await,
            Attach::Interface(device) => Self::found(device.as_str(), netns).await,
        }
    }

    async fn tap(
        port: &Port,
        netns: Netns,
        queues: usize,
    ) -> Result<(Self, Vec<Queue>), CableError> {
        let device = port.device.as_str();
        let options = tap::Options { name: device, queues, offload: port.offload };
        let queues = tap::open(&netns, &options)?;
        let mut end = Self::of(device, netns).await?;
        end.links.set_mac(end.index, port.mac).await?;
        end.links.set_mtu(end.index, u32::from(port.mtu)).await?;
        end.links.set_queue_len(end.index, QUEUE_LEN).await?;
        if let Attach::Host { master: Some(master) } = &port.attach {
            end.enslave(master.as_str()).await?;
        }
        end.dress(port).await?;
        Ok((end, queues.into_iter().map(Queue::Tap).collect()))
    }

    async fn veth(port: &Port, netns: Netns) -> Result<(Self, Vec<Queue>), CableError> {
        let own = Netns::open(&Place::Current)?;
        let links = places::open(&own).await?;
        let vanished =
            || CableError::Vanished { device: port.device.to_string(), place: netns.to_string() };
        let ours = port.near_device().ok_or_else(vanished)?;
        let device = port.device.as_str();
        let made =
            links.make_veth(ours.as_str(), &netns, device, u32::from(port.mtu), port.mac).await?;
        let dressed = async {
            let mut end = Self::of(device, netns).await?;
            end.dress(port).await?;
            let socket = PacketSocket::open(&own, ours.as_str())?;
            Ok::<_, CableError>((end, socket))
        };
        match dressed.await {
            Ok((mut end, socket)) => {
                end.near = Some((links, made.index));
                Ok((end, vec![Queue::Packet(socket)]))
            }
            Err(error) => {
                // The first error is the one to tell.
                let _ = links.delete(made.index).await;
                Err(error)
            }
        }
    }

    async fn found(device: &str, netns: Netns) -> Result<(Self, Vec<Queue>), CableError> {
        let socket = PacketSocket::open(&netns, device)?;
        let mut end = Self::of(device, netns).await?;
        (end.found, end.index) = (true, socket.index());
        Ok((end, vec![Queue::Packet(socket)]))
    }

    /// The device called `device` in `netns`, as it is.
    async fn of(device: &str, netns: Netns) -> Result<Self, CableError> {
        let links = places::open(&netns).await?;
        let vanished = || CableError::Vanished { device: device.into(), place: netns.to_string() };
        let link = links.find(device).await?.ok_or_else(vanished)?;
        Ok(Self { netns, links, index: link.index, nsid: None, near: None, found: false })
    }

    /// Gives the device its addresses and switches it on.
    async fn dress(&mut self, port: &Port) -> Result<(), CableError> {
        if port.attach.netns().is_some() {
            self.links.loopback_up().await?;
        }
        for net in &port.address {
            self.links.add_address(self.index, *net).await?;
        }
        if port.super_frame != SUPER_FRAME {
            self.links.set_gso_max_size(self.index, port.super_frame).await?;
        }
        self.links.set_up(self.index).await?;
        if let Some(gateway) = port.gateway {
            self.links.set_default_route(gateway, self.index).await?;
        }
        if port.attach.netns().is_some() {
            let own = Netns::open(&Place::Current)?;
            self.nsid = Some(places::open(&own).await?.assign_nsid(&self.netns).await?);
        }
        Ok(())
    }

    async fn enslave(&self, master: &str) -> Result<(), CableError> {
        let bridge = self.links.find(master).await?;
        let bridge = bridge.ok_or_else(|| CableError::NoMaster { master: master.into() })?;
        if bridge.kind.as_deref() != Some("bridge") {
            return Err(CableError::NotABridge { master: master.into() });
        }
        Ok(self.links.set_master(self.index, Some(bridge.index)).await?)
    }

    /// Changes addresses, gateway, MAC address and MTU in place. A device that was found keeps its own.
    pub(crate) async fn alter(&mut self, old: &Port, new: &Port) -> Result<(), CableError> {
        if self.found {
            return Ok(());
        }
        if old.mac != new.mac {
            self.links.set_mac(self.index, new.mac).await?;
        }
        if old.mtu != new.mtu {
            self.links.set_mtu(self.index, u32::from(new.mtu)).await?;
            if let Some((links, index)) = &self.near {
                links.set_mtu(*index, u32::from(new.mtu)).await?;
            }
        }
        if old.super_frame != new.super_frame {
            self.links.set_gso_max_size(self.index, new.super_frame).await?;
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

    /// Whether a device that was found, or the near end of a pair, is still there. A TAP's queues tell that themselves.
    pub(crate) async fn is_there(&self) -> bool {
        let (links, index) = match &self.near {
            Some((links, index)) => (links, *index),
            None if self.found => (&self.links, self.index),
            None => return true,
        };
        // An error says nothing about the device.
        links.exists(index).await.unwrap_or(true)
    }

    /// Deletes what does not go with its queues.
    pub(crate) async fn remove(self) {
        if let Some((links, index)) = self.near
            && let Err(error) = links.delete(index).await
            && !error.is_missing_device()
        {
            tracing::warn!("a veth pair cannot be deleted: {error}");
        }
    }
}
