//! News of one namespace's devices, as the kernel announces them.
//!
//! Events wait in the kernel, in a socket buffer of fixed size, and nowhere else: whoever does not ask for a long time
//! loses some, and is told so. To know every device, watch first and list then.

use std::collections::VecDeque;

use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};

use super::error::Failure;
use super::{Link, LinkError, link};
use crate::netns::Netns;

/// What became of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is new, or something about it changed (its name too): this is how it is now. Nothing need differ from what
    /// was known.
    Changed(Link),
    /// It was deleted, or moved to another namespace: this is how it was.
    Deleted(Link),
    /// Events were lost, because they were not asked for in time: list the devices to know how they are.
    Missed,
}

/// The events of one namespace, in order, from [`watch`] on.
pub struct LinkEvents {
    socket: TokioSocket,
    /// What one datagram brought besides the event that was told; the kernel sends notices one by one.
    waiting: VecDeque<LinkEvent>,
}

/// Starts to watch the devices of `netns`, on the current tokio runtime, which must have its I/O driver enabled.
pub async fn watch(netns: &Netns) -> Result<LinkEvents, LinkError> {
    let failed = |error| {
        LinkError::new("watch the devices".into(), &netns.to_string(), Failure::NoSocket(error))
    };
    let runtime = tokio::runtime::Handle::try_current()
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let opened = netns.run(|| {
        // The socket registers with the runtime while it is made, on a thread that is not the runtime's.
        let _runtime = runtime.enter();
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind(&SocketAddr::new(0, 0))?;
        socket.socket_mut().add_membership(MulticastGroup::Link as u32)?;
        Ok(socket)
    });
    let socket = opened.and_then(|result| result).map_err(failed)?;
    Ok(LinkEvents { socket, waiting: VecDeque::new() })
}

impl LinkEvents {
    /// The next event, waited for; `None` when the kernel will tell no more. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            match self.socket.recv_from_full().await {
                // Only the kernel is believed, whose port is 0.
                Ok((notices, sender)) if sender.port_number() == KERNEL => {
                    self.waiting.extend(events(&notices));
                }
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return Some(LinkEvent::Missed);
                }
                Err(_) => return None,
            }
        }
    }
}

impl std::fmt::Debug for LinkEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkEvents").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

/// The kernel's own address on a netlink socket (netlink(7)).
const KERNEL: u32 = 0;

/// The events in one datagram: notices end to end, each padded to four bytes.
fn events(notices: &[u8]) -> Vec<LinkEvent> {
    let mut events = Vec::new();
    let mut rest = notices;
    while let Some(length) = rest.first_chunk().map(|length| u32::from_ne_bytes(*length)) {
        let Ok(notice) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) else {
            // Something happened, and there is no telling what.
            events.push(LinkEvent::Missed);
            break;
        };
        events.extend(event(&notice.payload));
        let length = (length as usize).next_multiple_of(4).max(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    events
}

fn event(payload: &NetlinkPayload<RouteNetlinkMessage>) -> Option<LinkEvent> {
    match payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message)) => {
            about_a_device(message).then(|| LinkEvent::Changed(link(message)))
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(message)) => {
            about_a_device(message).then(|| LinkEvent::Deleted(link(message)))
        }
        // The group carries nothing else.
        _ => None,
    }
}

/// A bridge announces that a device became, or ceased to be, its port as if that were made or deleted.
fn about_a_device(message: &LinkMessage) -> bool {
    message.header.interface_family == AddressFamily::Unspec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_cut_short_or_of_no_length_are_missed_and_end() {
        assert_eq!(events(&[]), []);
        for notices in [&[0; 64][..], &[0xff; 64], &[20, 0, 0, 0, 16, 0]] {
            assert_eq!(events(notices), [LinkEvent::Missed], "{notices:?}");
        }
    }
}
