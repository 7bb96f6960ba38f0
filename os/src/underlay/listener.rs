//! The receiving side: sockets that share one port, one a worker.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use packet::{Frame, Pool};
use socket2::{Domain, Protocol, Socket, Type};

use super::mmsg::{self, Arrival};
use super::{Holder, UnderlayError, is_passing, option};
use crate::blocking;

/// One socket of those that share a port, non-blocking. The kernel gives every datagram to one of
/// them, all of a far source port to the same one.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// How many lost datagrams have been told of.
    told: AtomicU32,
}

impl Listener {
    fn of(socket: Socket) -> Self {
        Self { socket, told: AtomicU32::new(0) }
    }
}

/// What one receive found: one datagram, or several of one flow that the kernel has joined.
#[derive(Debug)]
pub struct Datagrams {
    /// The UDP payloads, one behind the other.
    pub frame: Frame,
    /// Bytes of each, at least 1; the last may be shorter.
    pub size: usize,
    /// Who sent them.
    pub from: SocketAddrV4,
    /// Outer DSCP and ECN, the same for all.
    pub tos: u8,
    /// The frame's buffer was too small: the last datagrams are missing or cut off. Cannot happen
    /// with buffers of [`packet::frame::BUFFER_LEN`].
    pub truncated: bool,
}

/// Where the next datagrams are received. One may serve many listeners.
#[derive(Debug, Default)]
pub struct Slots([Option<Frame>; BATCH]);

/// The most receives in one call.
pub const BATCH: usize = 16;

/// More than one a worker is of no use.
pub const MAX_LISTENERS: usize = 256;

impl Slots {
    /// Without buffers: they come from the pool when they are needed.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Listener {
    /// Opens `count` sockets (1 to [`MAX_LISTENERS`]) on `port` of `local`, 0.0.0.0 for every
    /// address, in the calling thread's namespace. When anybody else has the port, even if
    /// willing to share it, the error tells who.
    pub fn open(local: Ipv4Addr, port: u16, count: usize) -> Result<Vec<Self>, UnderlayError> {
        if !(1..=MAX_LISTENERS).contains(&count) {
            return Err(UnderlayError::BadCount { count, most: MAX_LISTENERS });
        }
        let address = SocketAddrV4::new(local, port);
        let refused = |error: io::Error| match error.raw_os_error() {
            Some(libc::EADDRINUSE) => {
                UnderlayError::PortTaken { address, holder: blocking(|| Holder::of(address)) }
            }
            _ => UnderlayError::binding(local, port, error),
        };
        // The first is bound while it shares with nobody, which fails where somebody is; only then
        // is it opened to the others.
        let first = socket().map_err(refused)?;
        first.bind(&SocketAddr::V4(address).into()).map_err(refused)?;
        first.set_reuse_port(true).map_err(refused)?;
        // Port 0 has become a number by now.
        let address = first.local_addr().map_err(refused)?;
        let mut listeners = vec![Self::of(first)];
        while listeners.len() < count {
            let socket = socket().map_err(refused)?;
            socket.set_reuse_port(true).map_err(refused)?;
            socket.bind(&address).map_err(refused)?;
            listeners.push(Self::of(socket));
        }
        Ok(listeners)
    }

    /// Receives what is waiting, up to [`BATCH`] times, in one system call and, with frames in the
    /// pool, without allocating. How many times `each` was called; 0 when nothing is waiting.
    pub fn receive(
        &self,
        slots: &mut Slots,
        pool: &mut Pool,
        mut each: impl FnMut(Datagrams),
    ) -> io::Result<usize> {
        let mut arrivals = [Arrival::NONE; BATCH];
        let mut spaces = slots
            .0
            .each_mut()
            .map(|slot| IoSliceMut::new(slot.get_or_insert_with(|| pool.take()).receive_space(0)));
        let count = self.fill(&mut spaces, &mut arrivals)?;
        for (slot, arrival) in slots.0.iter_mut().zip(&arrivals).take(count) {
            let Some(mut frame) = slot.take() else { continue };
            frame.received(0, arrival.len);
            let size = arrival.segment.unwrap_or(arrival.len).clamp(1, arrival.len.max(1));
            let Arrival { from, tos, truncated, .. } = *arrival;
            each(Datagrams { frame, size, from, tos, truncated });
        }
        Ok(count)
    }

    /// How many datagrams the kernel has thrown away at this socket because nobody read them in
    /// time; wraps around.
    pub fn lost(&self) -> io::Result<u32> {
        let [.., drops] = getsockopt(&self.socket, option::MemoryInfo)?;
        Ok(drops)
    }

    /// How many it has thrown away since this was last asked. One may ask at a time.
    pub fn take_lost(&self) -> io::Result<u32> {
        let lost = self.lost()?;
        Ok(lost.wrapping_sub(self.told.swap(lost, Ordering::Relaxed)))
    }

    fn fill(
        &self,
        spaces: &mut [IoSliceMut<'_>; BATCH],
        arrivals: &mut [Arrival; BATCH],
    ) -> io::Result<usize> {
        for _ in 0..PATIENCE {
            match mmsg::receive(self.socket.as_fd(), spaces, arrivals) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) if is_passing(&error) => {}
                result => return result,
            }
        }
        Ok(0)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// How many pieces of old news are passed over before the poller is asked again.
const PATIENCE: usize = 4;

/// 4 MiB, which the kernel doubles for its bookkeeping: 10 ms of 3 Gb/s may wait for the worker.
const RECEIVE_BUFFER: usize = 4 << 20;

fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    setsockopt(&socket, sockopt::UdpGroSegment, &true)?;
    socket.set_recv_tos_v4(true)?;
    // Beyond the machine's limit where that is allowed, else up to it.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    Ok(socket)
}
