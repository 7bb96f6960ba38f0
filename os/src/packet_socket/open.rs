//! Opening a packet socket on an interface.
//!
//! The order matters. The socket is made for no protocol, so that nothing from any interface is
//! queued; bound to the interface, still for no protocol, it tells what kind of interface that is;
//! it gets its options; and only the second bind, for every protocol, lets frames in.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, SndBuf, SndBufForce};
use nix::sys::socket::{SetSockOpt, setsockopt};
use packet::Mac;
use socket2::{Domain, Socket, Type};

use super::{PacketSocket, PacketSocketError, syscall};
use crate::netns::Netns;

impl PacketSocket {
    /// Opens `interface` in `netns`, up or down. It must be an Ethernet interface. Several sockets
    /// may be open on one interface; each gets every frame.
    pub fn open(netns: &Netns, interface: &str) -> Result<Self, PacketSocketError> {
        let wish = Wish { name: interface, netns };
        let opened = netns.run(|| wish.open());
        opened.unwrap_or_else(|reason| Err(wish.refused("enter the namespace", reason)))
    }
}

struct Wish<'a> {
    name: &'a str,
    netns: &'a Netns,
}

impl Wish<'_> {
    fn open(&self) -> Result<PacketSocket, PacketSocketError> {
        let index = if_nametoindex(self.name).map_err(|errno| self.finding(errno))?;
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)
            .map_err(|reason| self.making(reason))?;
        syscall::bind(socket.as_fd(), index, NO_PROTOCOL).map_err(|reason| self.binding(reason))?;
        let bound = syscall::bound(socket.as_fd())
            .map_err(|reason| self.refused("look at the interface", reason))?;
        // One that leaves in between is of no kind; the next step finds that out.
        if bound.index.is_some() && bound.hardware != libc::ARPHRD_ETHER {
            return Err(PacketSocketError::NotEthernet {
                name: self.name.into(),
                netns: self.netns.to_string(),
            });
        }
        self.configure(&socket, index)?;
        syscall::bind(socket.as_fd(), index, libc::ETH_P_ALL as u16)
            .map_err(|reason| self.binding(reason))?;
        Ok(PacketSocket { socket, index, mac: Mac(bound.mac) })
    }

    fn configure(&self, socket: &Socket, index: u32) -> Result<(), PacketSocketError> {
        for (option, step) in [
            (libc::PACKET_VNET_HDR, "switch offload on"),
            (libc::PACKET_AUXDATA, "ask for VLAN tags"),
            (libc::PACKET_IGNORE_OUTGOING, "leave outgoing frames out"),
        ] {
            syscall::switch_on(socket.as_fd(), option)
                .map_err(|reason| self.refused(step, reason))?;
        }
        syscall::receive_all(socket.as_fd(), index).map_err(|reason| self.binding(reason))?;
        enlarge(socket, RcvBufForce, RcvBuf, RECEIVE_BUFFER)
            .and_then(|()| enlarge(socket, SndBufForce, SndBuf, SEND_BUFFER))
            .map_err(|errno| self.refused("enlarge the buffers", errno.into()))
    }

    fn finding(&self, errno: Errno) -> PacketSocketError {
        match errno {
            Errno::ENODEV | Errno::ENXIO => self.missing(),
            errno => self.refused("look for it", errno.into()),
        }
    }

    fn making(&self, reason: io::Error) -> PacketSocketError {
        match reason.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                PacketSocketError::Denied { name: self.name.into(), netns: self.netns.to_string() }
            }
            _ => self.refused("make a packet socket", reason),
        }
    }

    /// The interface may go between any two steps.
    fn binding(&self, reason: io::Error) -> PacketSocketError {
        match reason.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => self.missing(),
            _ => self.refused("bind a packet socket to it", reason),
        }
    }

    fn missing(&self) -> PacketSocketError {
        PacketSocketError::NoSuchInterface { name: self.name.into(), netns: self.netns.to_string() }
    }

    fn refused(&self, step: &'static str, reason: io::Error) -> PacketSocketError {
        PacketSocketError::Refused {
            step,
            name: self.name.into(),
            netns: self.netns.to_string(),
            reason,
        }
    }
}

/// Bound for no protocol, a packet socket receives nothing.
const NO_PROTOCOL: u16 = 0;

/// Bytes of frames that wait to be read. The kernel doubles it and counts its own bookkeeping in,
/// so that about a hundred super-frames fit, more than the 6 MiB window of one Linux TCP stream. At
/// worst 16 MiB a port.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Bytes of frames that wait in the interface's queueing discipline; the usual 208 KiB are three
/// super-frames, and further ones would be lost. At worst 4 MiB a port.
const SEND_BUFFER: usize = 2 << 20;

/// Beyond the system's limit if we may, else up to it.
fn enlarge<F, W>(socket: &Socket, force: F, within: W, bytes: usize) -> nix::Result<()>
where
    F: SetSockOpt<Val = usize>,
    W: SetSockOpt<Val = usize>,
{
    match setsockopt(socket, force, &bytes) {
        Err(Errno::EPERM) => setsockopt(socket, within, &bytes),
        result => result,
    }
}
