//! Whether anything about one namespace's devices has changed, as the kernel announces it.
//!
//! Announcements wait in the kernel, in a socket's buffer of fixed size, until somebody asks:
//! whatever was changed before that is in the answer, and nothing runs in between. They tell that
//! something has changed; how it is now is read with [`Links`](super::Links). To miss nothing,
//! watch first and read then.

use std::collections::BTreeSet;
use std::io;

use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};

use super::LinkError;
use super::error::Failure;
use crate::netns::Netns;

/// What was announced since somebody asked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// A device, an IPv4 address or, where it is watched, the default route may not be as it was.
    pub is_changed: bool,
    /// Devices that were moved to another namespace, by the indices that they had.
    pub moved: BTreeSet<u32>,
}

/// The announcements of one namespace from [`Watch::open`] on.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
}

impl Watch {
    /// Watches the devices of `netns` and their IPv4 addresses, and the default route with
    /// `routes`.
    pub fn open(netns: &Netns, routes: bool) -> Result<Self, LinkError> {
        let opened = netns.run(|| {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.set_non_blocking(true)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr];
            for group in groups.into_iter().chain(routes.then_some(MulticastGroup::Ipv4Route)) {
                socket.add_membership(group as u32)?;
            }
            Ok(socket)
        });
        let socket = opened.and_then(|result| result).map_err(|error| {
            let failure = Failure::NoSocket(error);
            LinkError::new("watch the devices".into(), &netns.to_string(), failure)
        })?;
        Ok(Self { socket })
    }

    /// What was announced since the last call. Never waits.
    pub fn news(&mut self) -> News {
        let mut news = News::default();
        for _ in 0..MOST {
            match self.socket.recv_from_full() {
                // Only the kernel is believed.
                Ok((notices, sender)) if sender.port_number() == KERNEL => {
                    read(&notices, &mut news)
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return news,
                // The buffer was full, so that some are lost; what is still in it comes next.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => news.is_changed = true,
                Err(_) => break,
            }
        }
        news.is_changed = true;
        news
    }
}

/// Datagrams that one call reads: more than the buffer holds, so that only those who announce
/// without end are cut short.
const MOST: usize = 4096;

/// The kernel's own address on a netlink socket (netlink(7)).
const KERNEL: u32 = 0;

/// Reads one datagram: notices end to end, each padded to four bytes.
fn read(notices: &[u8], news: &mut News) {
    let mut rest = notices;
    while let Some(length) = rest.first_chunk().map(|length| u32::from_ne_bytes(*length)) {
        let Ok(notice) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) else {
            // Something happened, and there is no telling what.
            news.is_changed = true;
            return;
        };
        hear(&notice.payload, news);
        let length = (length as usize).next_multiple_of(4).max(4);
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn hear(payload: &NetlinkPayload<RouteNetlinkMessage>, news: &mut News) {
    let NetlinkPayload::InnerMessage(message) = payload else { return };
    match message {
        // A guest may run a routing daemon: of its routes only the default one counts.
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
            news.is_changed |= route.header.destination_prefix_length == 0;
        }
        RouteNetlinkMessage::DelLink(link) => {
            news.is_changed = true;
            let is_moved = |it: &LinkAttribute| matches!(it, LinkAttribute::NewNetnsId(_));
            if link.attributes.iter().any(is_moved) {
                news.moved.insert(link.header.index);
            }
        }
        _ => news.is_changed = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_cut_short_or_of_no_length_are_a_change_and_end() {
        let after = |notices: &[u8]| {
            let mut news = News::default();
            read(notices, &mut news);
            news.is_changed
        };
        assert!(!after(&[]));
        for notices in [&[0; 64][..], &[0xff; 64], &[20, 0, 0, 0, 16, 0]] {
            assert!(after(notices), "{notices:?}");
        }
    }
}
