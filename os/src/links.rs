//! Devices, addresses and routes of one namespace, over netlink.
//!
//! A [`Links`] is a netlink socket made inside the namespace, which it then speaks for, from
//! whichever thread. Its methods say what should be so, and are content when it is so already:
//! setting an address that is there or deleting one that is not are not errors. Every request has a
//! deadline, after which it fails.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::TryStreamExt;
use packet::Mac;
use rtnetlink::packet_route::link::{
    InfoData, InfoMacVlan, InfoMacVtap, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    MacVlanMode,
};
use rtnetlink::sys::AsyncSocket;
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::netns::{Netns, Whereabouts};

mod address;
mod bridge;
mod error;
mod nsid;
mod route;
mod veth;
mod watch;

use error::Failure;
pub use error::LinkError;
pub use watch::{News, Watch};

/// A way to see and change the devices of one namespace. Dropping it ends its background task.
#[derive(Debug)]
pub struct Links {
    handle: Handle,
    netns: Whereabouts,
    task: JoinHandle<()>,
}

/// A device as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace: from 1, not used again soon after the device is deleted.
    pub index: u32,
    /// Its name in its namespace.
    pub name: String,
    /// Its Ethernet address; zeros when it has none.
    pub mac: Mac,
    /// The largest IP packet it sends, in bytes.
    pub mtu: u32,
    /// How many packets may wait in each of its queues.
    pub queue_len: u32,
    /// The largest super-frame that it hands over, from the Ethernet header on: `gso_max_size`.
    pub super_frame: u32,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it is switched on and has a far end: on a veth, the other end is up; on a TAP, a
    /// queue is open. It follows an instant after the far end, and what is sent on a veth
    /// before is lost without a word.
    pub running: bool,
    /// What it is, as in `ip link add type KIND`: `tun`, `veth`, `bridge`; `None` for hardware and
    /// loopback.
    pub kind: Option<String>,
    /// The index of the bridge or bond that it is a port of.
    pub master: Option<u32>,
    /// The index of the device of this namespace that it stands on, as a macvlan or a VLAN does; a
    /// veth's other end.
    pub lower: Option<u32>,
    /// Whether it takes frames for its own address alone, also where it is asked for all: a
    /// macvlan, in every mode but passthru.
    pub own_address_alone: bool,
}

impl Links {
    /// A netlink socket in `netns`, served by a task on the current tokio runtime, which must have
    /// its I/O and its time driver enabled.
    pub async fn open(netns: &Netns) -> io::Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let (connection, handle) = netns.run(|| {
            // The socket registers with the runtime while it is made, on a thread that is not the
            // runtime's.
            let _runtime = runtime.enter();
            let (mut connection, handle, _) = rtnetlink::new_connection()?;
            // Words beside the number, in errors.
            connection.socket_mut().socket_mut().set_ext_ack(true)?;
            Ok::<_, io::Error>((connection, handle))
        })??;
        let task = runtime.spawn(connection);
        Ok(Self { handle, netns: netns.whereabouts(), task })
    }

    /// The device called `name`, if there is one.
    pub async fn find(&self, name: &str) -> Result<Option<Link>, LinkError> {
        let mut found = self.handle.link().get().match_name(name).execute();
        match within_deadline(found.try_next()).await {
            Ok(message) => Ok(message.as_ref().map(link)),
            Err(failure) if failure.errno() == Some(libc::ENODEV) => Ok(None),
            Err(failure) => Err(self.error(format!("look for device `{name}`"), failure)),
        }
    }

    /// Whether there is a device with this number.
    pub async fn exists(&self, index: u32) -> Result<bool, LinkError> {
        let mut found = self.handle.link().get().match_index(index).execute();
        match within_deadline(found.try_next()).await {
            Ok(message) => Ok(message.is_some()),
            Err(failure) if failure.errno() == Some(libc::ENODEV) => Ok(false),
            Err(failure) => Err(self.error(format!("look for device {index}"), failure)),
        }
    }

    /// Every device, in the order of their indices.
    pub async fn list(&self) -> Result<Vec<Link>, LinkError> {
        let found = self.handle.link().get().execute();
        let messages: Vec<LinkMessage> = within_deadline(found.try_collect())
            .await
            .map_err(|failure| self.error("list the devices".into(), failure))?;
        let mut links: Vec<Link> = messages.iter().map(link).collect();
        links.sort_unstable_by_key(|link| link.index);
        Ok(links)
    }

    /// Switches a device on.
    pub async fn set_up(&self, index: u32) -> Result<(), LinkError> {
        self.set("switch on", index, change(index).up()).await
    }

    /// Switches a device off, which takes its routes away.
    pub async fn set_down(&self, index: u32) -> Result<(), LinkError> {
        self.set("switch off", index, change(index).down()).await
    }

    /// Sets the size of the largest IP packet; a TAP device takes 68 to 65,521.
    pub async fn set_mtu(&self, index: u32, mtu: u32) -> Result<(), LinkError> {
        self.set(&format!("set the MTU to {mtu} on"), index, change(index).mtu(mtu)).await
    }

    /// Renames a device, also one that is up.
    pub async fn set_name(&self, index: u32, name: &str) -> Result<(), LinkError> {
        let operation = format!("give the name `{name}` to");
        let renamed = self.set(&operation, index, change(index).name(name)).await;
        match renamed {
            // Linux before 6.2 renames only what is down, and keeps its addresses meanwhile.
            Err(error) if error.errno() == Some(libc::EBUSY) => {
                let through = |(gateway, device): &(Ipv4Addr, u32)| {
                    *device == index && !gateway.is_unspecified()
                };
                let default = self.default_route().await?.filter(through);
                self.set_down(index).await?;
                let renamed = self.set(&operation, index, change(index).name(name)).await;
                self.set_up(index).await?;
                // The kernel has taken it away with the device.
                if let Some((gateway, _)) = default {
                    self.set_default_route(gateway, index).await?;
                }
                renamed
            }
            renamed => renamed,
        }
    }

    /// Sets the Ethernet address, which must be a station's.
    pub async fn set_mac(&self, index: u32, mac: Mac) -> Result<(), LinkError> {
        let message = change(index).address(mac.0.to_vec());
        self.set(&format!("set the address {mac} on"), index, message).await
    }

    /// Sets how many packets may wait in each queue: those that a TAP's reader has not yet read.
    pub async fn set_queue_len(&self, index: u32, packets: u32) -> Result<(), LinkError> {
        let message = change(index).append_extra_attribute(LinkAttribute::TxQueueLen(packets));
        self.set(&format!("set the queue to {packets} packets on"), index, message).await
    }

    /// Limits the super-frames that a device hands over to `bytes` from the Ethernet header on, for
    /// IPv4 and for IPv6: 65,536 is the kernel's default. TCP then sends in smaller ones; other
    /// longer ones are cut by the kernel.
    pub async fn set_gso_max_size(&self, index: u32, bytes: u32) -> Result<(), LinkError> {
        let message = change(index)
            .append_extra_attribute(LinkAttribute::GsoMaxSize(bytes))
            .append_extra_attribute(LinkAttribute::GsoIpv4MaxSize(bytes));
        self.set(&format!("limit super-frames to {bytes} bytes on"), index, message).await
    }

    /// Makes a device a port of the bridge `master`, or nobody's port.
    pub async fn set_master(&self, index: u32, master: Option<u32>) -> Result<(), LinkError> {
        let message = match master {
            Some(master) => change(index).controller(master),
            None => change(index).nocontroller(),
        };
        self.set("change the master of", index, message).await
    }

    /// Deletes a device; nothing happens when it has gone already.
    pub async fn delete(&self, index: u32) -> Result<(), LinkError> {
        match within_deadline(self.handle.link().del(index).execute()).await {
            Err(failure) if failure.errno() != Some(libc::ENODEV) => {
                Err(self.device_error("delete", index, failure).await)
            }
            _ => Ok(()),
        }
    }

    /// Switches the loopback device on, so that the namespace can talk to itself.
    pub async fn loopback_up(&self) -> Result<(), LinkError> {
        self.set_up(LOOPBACK).await
    }

    async fn set(
        &self,
        operation: &str,
        index: u32,
        message: LinkMessageBuilder<LinkUnspec>,
    ) -> Result<(), LinkError> {
        match within_deadline(self.handle.link().set(message.build()).execute()).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.device_error(operation, index, failure).await),
        }
    }

    fn error(&self, operation: String, failure: Failure) -> LinkError {
        LinkError::new(operation, &self.netns.shown, failure)
    }

    /// An error about a device, which the user knows by name.
    async fn device_error(&self, operation: &str, index: u32, failure: Failure) -> LinkError {
        let mut found = self.handle.link().get().match_index(index).execute();
        let device = match within_deadline(found.try_next()).await {
            Ok(Some(message)) => format!("device `{}`", link(&message).name),
            Ok(None) | Err(_) => format!("the device with index {index}"),
        };
        self.error(format!("{operation} {device}"), failure)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The first device of every namespace.
const LOOPBACK: u32 = 1;

/// How long the kernel may take to answer. It answers in microseconds unless other tools hold its
/// lock for long.
const DEADLINE: Duration = Duration::from_secs(10);

/// Waits for an answer, but not for ever.
async fn within_deadline<T>(
    answer: impl Future<Output = Result<T, rtnetlink::Error>>,
) -> Result<T, Failure> {
    match timeout(DEADLINE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Failure::Refused(error)),
        Err(_) => Err(Failure::Silence),
    }
}

fn change(index: u32) -> LinkMessageBuilder<LinkUnspec> {
    LinkUnspec::new_with_index(index)
}

fn link(message: &LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mac: Mac::ZERO,
        mtu: 0,
        queue_len: 0,
        super_frame: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        running: message.header.flags.contains(LinkFlags::Running),
        kind: None,
        master: None,
        lower: None,
        own_address_alone: false,
    };
    let mut is_elsewhere = false;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(bytes) => {
                link.mac = bytes.first_chunk().map_or(Mac::ZERO, |bytes| Mac(*bytes));
            }
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::TxQueueLen(packets) => link.queue_len = *packets,
            LinkAttribute::GsoMaxSize(bytes) => link.super_frame = *bytes,
            LinkAttribute::Controller(master) => link.master = Some(*master).filter(|&it| it != 0),
            LinkAttribute::LinkInfo(infos) => {
                link.kind = infos.iter().find_map(kind);
                link.own_address_alone = infos.iter().any(takes_own_alone);
            }
            LinkAttribute::Link(lower) => link.lower = Some(*lower).filter(|&it| it != 0),
            LinkAttribute::LinkNetNsId(_) => is_elsewhere = true,
            // The kernel tells some sixty things more.
            _ => {}
        }
    }
    if is_elsewhere {
        link.lower = None;
    }
    link
}

fn takes_own_alone(info: &LinkInfo) -> bool {
    match info {
        LinkInfo::Data(InfoData::MacVlan(settings)) => {
            !settings.contains(&InfoMacVlan::Mode(MacVlanMode::Passthrough))
        }
        LinkInfo::Data(InfoData::MacVtap(settings)) => {
            !settings.contains(&InfoMacVtap::Mode(MacVlanMode::Passthrough))
        }
        _ => false,
    }
}

fn kind(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}
