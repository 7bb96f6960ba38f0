//! The far end of a port: a TAP or veth pair made in its namespace and given its address, or a
//! device that was there. What was made goes with the port.

use std::net::Ipv4Addr;
use std::sync::Arc;

use os::links::{LinkError, Links};
use os::netns::{Netns, NetnsError, Place};
use os::packet_socket::{PacketSocket, PacketSocketError};
use os::tap::{self, TapError};
use packet::{Ipv4Net, Mac};

use super::places::Site;
use crate::dataplane::Queue;
use labfile::machine::Drift;
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
    /// Whether the lab asks for what this machine is not, has not, or has otherwise; else something
    /// failed here.
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

/// Packets that may wait in a queue of a TAP to be read. A worker that has to share its processor
/// does not run for some milliseconds at a time, in which small packets come by the thousand; the
/// kernel's default is 1000. Of many more the oldest would have left the processor's caches.
const QUEUE_LEN: u32 = 2048;

/// A far end that is up. A TAP goes with its queues; a veth pair with [`FarEnd::remove`].
#[derive(Debug)]
pub(crate) struct FarEnd {
    pub(crate) netns: Netns,
    links: Arc<Links>,
    pub(crate) index: u32,
    /// The namespace's number as seen from ours.
    pub(crate) nsid: Option<i32>,
    /// The near end of a veth pair, in our namespace.
    pub(crate) near: Option<(Arc<Links>, u32)>,
    /// The Linux bridge that it was made a port of.
    pub(crate) master: Option<u32>,
    /// Whether it was there before us, and is nobody's to change.
    found: bool,
}

impl FarEnd {
    /// Makes the device at `site` with `queues` queues, and gives it all that the lab says; or
    /// opens one that is there. On an error what was made is gone again.
    pub(crate) async fn make(
        port: &Port,
        site: Site,
        queues: usize,
    ) -> Result<(Self, Vec<Queue>), CableError> {
        match &port.attach {
            Attach::Netns(_) | Attach::Host { .. } => Self::tap(port, site, queues).await,
            Attach::Veth(_) => Self::veth(port, site).await,
            Attach::Interface(device) => Self::found(device.as_str(), site).await,
        }
    }

    async fn tap(port: &Port, site: Site, queues: usize) -> Result<(Self, Vec<Queue>), CableError> {
        let device = port.device.as_str();
        let options = tap::Options { name: device, queues, offload: port.offload };
        let queues = tap::open(&site.netns, &options)?;
        let own = Arc::clone(&site.own);
        let mut end = Self::of(device, site).await?;
        end.links.set_mac(end.index, port.mac).await?;
        end.links.set_mtu(end.index, u32::from(port.mtu)).await?;
        end.links.set_queue_len(end.index, QUEUE_LEN).await?;
        if let Attach::Host { master: Some(master) } = &port.attach {
            end.enslave(master.as_str()).await?;
        }
        end.dress(port, &own).await?;
        Ok((end, queues.into_iter().map(Queue::Tap).collect()))
    }

    async fn veth(port: &Port, site: Site) -> Result<(Self, Vec<Queue>), CableError> {
        let (links, netns) = (Arc::clone(&site.own), site.netns.clone());
        let vanished =
            || CableError::Vanished { device: port.device.to_string(), place: netns.to_string() };
        let ours = port.near_device().ok_or_else(vanished)?;
        let device = port.device.as_str();
        let made =
            links.make_veth(ours.as_str(), &netns, device, u32::from(port.mtu), port.mac).await?;
        let dressed = async {
            let mut end = Self::of(device, site).await?;
            end.dress(port, &links).await?;
            let socket = PacketSocket::open(&Netns::open(&Place::Current)?, ours.as_str())?;
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

    async fn found(device: &str, site: Site) -> Result<(Self, Vec<Queue>), CableError> {
        let socket = PacketSocket::open(&site.netns, device)?;
        let mut end = Self::of(device, site).await?;
        (end.found, end.index) = (true, socket.index());
        Ok((end, vec![Queue::Packet(socket)]))
    }

    /// The device called `device` at `site`, as it is.
    async fn of(device: &str, site: Site) -> Result<Self, CableError> {
        let Site { netns, links, .. } = site;
        let vanished = || CableError::Vanished { device: device.into(), place: netns.to_string() };
        let index = links.find(device).await?.ok_or_else(vanished)?.index;
        Ok(Self { netns, links, index, nsid: None, near: None, master: None, found: false })
    }

    /// Gives the device its addresses and switches it on.
    async fn dress(&mut self, port: &Port, own: &Links) -> Result<(), CableError> {
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
            self.nsid = Some(own.assign_nsid(&self.netns).await?);
        }
        Ok(())
    }

    /// Makes it a port of a Linux bridge.
    pub(crate) async fn enslave(&mut self, master: &str) -> Result<(), CableError> {
        let bridge = self.links.find(master).await?;
        let bridge = bridge.ok_or_else(|| CableError::NoMaster { master: master.into() })?;
        if bridge.kind.as_deref() != Some("bridge") {
            return Err(CableError::NotABridge { master: master.into() });
        }
        self.master = Some(bridge.index);
        Ok(self.links.set_master(self.index, Some(bridge.index)).await?)
    }

    /// Makes one thing of the device what the lab says again.
    pub(crate) async fn mend(&mut self, drift: &Drift) -> Result<(), CableError> {
        let (links, index) = (&self.links, self.index);
        match drift {
            Drift::Name(_, name) => links.set_name(index, name.as_str()).await?,
            Drift::Mac(_, mac) => links.set_mac(index, *mac).await?,
            Drift::Mtu(_, mtu) => self.set_mtu(u32::from(*mtu)).await?,
            Drift::SuperFrame(_, bytes) => links.set_gso_max_size(index, *bytes).await?,
            Drift::Address(net) => links.add_address(index, *net).await?,
            Drift::Down => links.set_up(index).await?,
            Drift::NearDown => self.switch_near(true).await?,
            Drift::Gateway(_, gateway) => links.set_default_route(*gateway, index).await?,
            Drift::Master(_, master) => self.enslave(master.as_str()).await?,
        }
        Ok(())
    }

    /// Makes one thing of the device again what somebody else had made it, for a change that
    /// failed.
    pub(crate) async fn put_back(&mut self, drift: &Drift) -> Result<(), CableError> {
        let (links, index) = (&self.links, self.index);
        match drift {
            Drift::Name(name, _) => links.set_name(index, name).await?,
            Drift::Mac(mac, _) => links.set_mac(index, *mac).await?,
            Drift::Mtu(mtu, _) => self.set_mtu(*mtu).await?,
            Drift::SuperFrame(bytes, _) => links.set_gso_max_size(index, *bytes).await?,
            Drift::Address(net) => links.delete_address(index, *net).await?,
            Drift::Down => links.set_down(index).await?,
            Drift::NearDown => self.switch_near(false).await?,
            Drift::Gateway(Some(gateway), _) => links.set_default_route(*gateway, index).await?,
            Drift::Gateway(None, _) => links.delete_default_route().await?,
            Drift::Master(Some(master), _) => self.enslave(master).await?,
            Drift::Master(None, _) => links.set_master(index, None).await?,
        }
        Ok(())
    }

    async fn set_mtu(&self, mtu: u32) -> Result<(), CableError> {
        self.links.set_mtu(self.index, mtu).await?;
        if let Some((links, index)) = &self.near {
            links.set_mtu(*index, mtu).await?;
        }
        Ok(())
    }

    /// Switches the near end of a veth pair on or off.
    async fn switch_near(&self, on: bool) -> Result<(), CableError> {
        match &self.near {
            Some((links, index)) if on => Ok(links.set_up(*index).await?),
            Some((links, index)) => Ok(links.set_down(*index).await?),
            None => Ok(()),
        }
    }

    /// Changes addresses, gateway, MAC address and MTU in place. A device that was found keeps its
    /// own.
    pub(crate) async fn alter(&mut self, old: &Port, new: &Port) -> Result<(), CableError> {
        if self.found {
            return Ok(());
        }
        if old.mac != new.mac {
            self.links.set_mac(self.index, new.mac).await?;
        }
        if old.mtu != new.mtu {
            self.set_mtu(u32::from(new.mtu)).await?;
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

    /// Deletes what does not go with its queues. Where somebody has moved one end of a veth pair
    /// away, the other takes it along.
    pub(crate) async fn remove(self) {
        let Some((near, index)) = self.near else { return };
        for (links, index) in [(&near, index), (&self.links, self.index)] {
            match links.exists(index).await {
                Ok(false) => {}
                Ok(true) | Err(_) => {
                    if let Err(error) = links.delete(index).await {
                        tracing::warn!("a veth pair cannot be deleted: {error}");
                    }
                    return;
                }
            }
        }
    }
}
