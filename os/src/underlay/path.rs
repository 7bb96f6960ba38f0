//! The way to a far tunnel endpoint, as the kernel would go it now.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use nix::net::if_::if_indextoname;
use nix::sys::socket::{getsockopt, sockopt};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteType};

use super::{UnderlayError, netlink};
use crate::blocking;

/// How a packet leaves for a far endpoint. True when it was asked for: routes change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The address that it leaves with.
    pub source: Ipv4Addr,
    /// The largest IP packet that gets there whole, in bytes, as far as the kernel has learned; at
    /// first the device's or the route's.
    pub mtu: u32,
    /// The device that it leaves by.
    pub device: String,
}

/// Looks up the way to `remote`, from `local` if given, in the calling thread's namespace. Sends
/// nothing.
pub fn path(remote: Ipv4Addr, local: Option<Ipv4Addr>) -> Result<Path, UnderlayError> {
    blocking(|| ask(remote, local))
}

fn ask(remote: Ipv4Addr, local: Option<Ipv4Addr>) -> Result<Path, UnderlayError> {
    let from = local.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let socket =
        UdpSocket::bind((from, 0)).map_err(|error| UnderlayError::binding(from, 0, error))?;
    // Connecting a UDP socket only fixes its route; the port stands for any.
    socket
        .connect((remote, DISCARD))
        .map_err(|reason| UnderlayError::NoRoute { remote, reason })?;
    let refused =
        |reason| UnderlayError::Refused { step: format!("find the way to {remote}"), reason };
    let source = own(&socket).map_err(refused)?;
    let mtu = getsockopt(&socket, sockopt::IpMtu).map_err(|errno| refused(errno.into()))?;
    let route = netlink::route(source, remote).map_err(refused)?;
    if source == remote || route.as_ref().is_some_and(leads_home) {
        return Err(UnderlayError::OwnAddress { remote });
    }
    let device = route.as_ref().and_then(device).unwrap_or_default();
    Ok(Path { source, mtu: mtu.unsigned_abs(), device })
}

/// RFC 863.
const DISCARD: u16 = 9;

fn own(socket: &UdpSocket) -> io::Result<Ipv4Addr> {
    match socket.local_addr()? {
        SocketAddr::V4(address) => Ok(*SocketAddrV4::ip(&address)),
        SocketAddr::V6(_) => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

/// Addresses of this machine have routes of their own, whichever device they are on.
fn leads_home(route: &RouteMessage) -> bool {
    route.header.kind == RouteType::Local
}

fn device(route: &RouteMessage) -> Option<String> {
    let index = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })?;
    if_indextoname(index).ok()?.into_string().ok()
}
