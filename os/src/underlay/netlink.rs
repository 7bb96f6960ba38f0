//! Two questions to the kernel over netlink, asked and answered at once, for callers that are not
//! async: which devices there are, and which route leads to an address. What changes things is
//! [`crate::links`]' business.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The devices of the calling thread's namespace.
pub(super) fn links() -> io::Result<Vec<LinkMessage>> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let mut links = Vec::new();
    ask(request, NLM_F_REQUEST | NLM_F_DUMP, |answer| {
        if let RouteNetlinkMessage::NewLink(link) = answer {
            links.push(link);
        }
    })?;
    Ok(links)
}

/// The route that a packet from `source`, an address of ours, to `remote` would take.
pub(super) fn route(source: Ipv4Addr, remote: Ipv4Addr) -> io::Result<Option<RouteMessage>> {
    let query = RouteMessageBuilder::<Ipv4Addr>::new()
        .source_prefix(source, 32)
        .destination_prefix(remote, 32)
        .build();
    let mut route = None;
    ask(RouteNetlinkMessage::GetRoute(query), NLM_F_REQUEST, |answer| {
        if let RouteNetlinkMessage::NewRoute(found) = answer {
            route = Some(found);
        }
    })?;
    Ok(route)
}

/// Sends a request and hands on what comes back, until the kernel says that it is done or, without
/// a dump, once.
fn ask(
    request: RouteNetlinkMessage,
    flags: u16,
    mut each: impl FnMut(RouteNetlinkMessage),
) -> io::Result<()> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(DEADLINE.as_secs() as _, 0))?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut request = NetlinkMessage::from(request);
    request.header.flags = flags;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    for _ in 0..MOST_ANSWERS {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .map_err(io::Error::other)?;
            let length = usize::try_from(message.header.length).unwrap_or(rest.len());
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(answer) => each(answer),
                _ => {}
            }
            // Padded to four bytes; a length that does not move forward would never end.
            rest = rest.get(length.next_multiple_of(4).max(4)..).unwrap_or_default();
        }
        if flags & NLM_F_DUMP != NLM_F_DUMP {
            return Ok(());
        }
    }
    Err(io::Error::other("the kernel's answer has no end"))
}

/// How long the kernel may take for each part of an answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A part holds some ten devices at least: more parts than that are more devices than a machine can
/// have.
const MOST_ANSWERS: usize = 100_000;
