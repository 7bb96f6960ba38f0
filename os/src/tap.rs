//! A TAP device: the cable between a namespace and the switch, read and written one Ethernet frame
//! a call.
//!
//! # Theory of operation
//! The device appears in the namespace of the thread that opened `/dev/net/tun`, and lives until
//! its last queue is closed. Each queue is a descriptor of its own; the kernel spreads outgoing
//! flows over them and keeps a flow on one. With offload, every frame has a 10-byte virtio-net
//! header ahead of it, in which the far kernel says what it left undone (a checksum, cutting into
//! segments) and we say what we leave undone. The header that arrives describes bytes that the far
//! end chose, so it is checked against the frame before anyone believes it.
//!
//! The two calls that every frame costs are made by `rustix`, straight: in a program of many threads
//! the C library's `read` and `write` are points where a thread may be cancelled, and mark each way
//! in and out with an atomic exchange.
//!
//! An open queue keeps its namespace alive after the namespace's name is removed. What ends a queue
//! is the deletion of the device (`ip link del`): then [`is_gone`] knows the error, and the poller
//! reports the queue as gone.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use packet::{Frame, Offload, vnet};

use crate::tun_ioctl;

mod error;
mod open;

pub use error::TapError;
pub use open::{MAX_QUEUES, Options, open};

/// One queue of a TAP device, non-blocking. The device goes when its last queue is dropped.
#[derive(Debug)]
pub struct Queue(Backend);

#[derive(Debug)]
enum Backend {
    /// Frames behind virtio-net headers.
    Virtio {
        file: File,
        /// Whether the kernel knows super-frames of datagrams.
        datagrams: bool,
    },
    /// Bare frames.
    Plain(tun_tap::Iface),
}

/// What a read found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A frame, with its offload set.
    Frame,
    /// A frame whose virtio header contradicts it, or that did not fit: its bytes are not to be
    /// trusted. The frame holds what came, as complete, for whoever wants to show it.
    Malformed,
    /// Nothing is waiting.
    Empty,
}

impl Queue {
    /// Takes the next frame out of the queue into `frame`, in one `read(2)` and without allocating.
    /// What `frame` held is lost, also when nothing was waiting. Its buffer must have room for
    /// a super-frame ([`packet::frame::BUFFER_LEN`]); `InvalidInput` when it has no room for a
    /// header at all.
    pub fn read(&self, frame: &mut Frame) -> io::Result<Received> {
        let space = frame.receive_space(self.prefix());
        let room = space.len();
        if room < LEAST_ROOM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame has no buffer"));
        }
        let result = match &self.0 {
            Backend::Virtio { file, .. } => {
                rustix::io::read(file, &mut *space).map_err(io::Error::from)
            }
            Backend::Plain(device) => device.recv(space),
        };
        let count = match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Empty),
            result => result?,
        };
        let header = space.first_chunk::<{ vnet::HEADER_LEN }>().copied();
        frame.received(self.prefix(), count);
        // The kernel cuts off what does not fit without a word, so a full buffer may hold half a
        // frame.
        if count >= room {
            return Ok(Received::Malformed);
        }
        let offload = match (&self.0, header) {
            (Backend::Plain(_), _) => Some(Offload::Complete),
            (Backend::Virtio { .. }, Some(header)) if count >= header.len() => {
                vnet::parse(&header, frame.bytes())
            }
            (Backend::Virtio { .. }, _) => None,
        };
        let Some(offload) = offload else {
            return Ok(Received::Malformed);
        };
        frame.set_offload(offload);
        Ok(Received::Frame)
    }

    /// Hands `frame` to the far end in one `write(2)`, without allocating. Its bytes and offload
    /// stay as they are; the headroom ahead of them is overwritten. A queue without offload
    /// takes frames that are [`Offload::Complete`] only, and writes others as they are. An
    /// error that is neither [`is_gone`] nor [`is_down`] concerns this frame alone: the far
    /// kernel would not have it.
    pub fn write(&self, frame: &mut Frame) -> io::Result<()> {
        let file = match &self.0 {
            Backend::Plain(device) => return device.send(frame.bytes()).map(drop),
            Backend::Virtio { file, .. } => file,
        };
        let header = vnet::emit(frame);
        let bytes = frame.with_prefix(header.len()).unwrap_or_default();
        let Some(place) = bytes.first_chunk_mut() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame has no headroom"));
        };
        *place = header;
        rustix::io::write(file, bytes)?;
        Ok(())
    }

    /// Whether frames keep their offload across this queue; otherwise they must be complete, and
    /// arrive so.
    pub const fn offloads(&self) -> bool {
        matches!(self.0, Backend::Virtio { .. })
    }

    /// Whether super-frames of datagrams may be written to it, too: not to a kernel before Linux
    /// 6.2.
    pub const fn takes_datagrams(&self) -> bool {
        matches!(self.0, Backend::Virtio { datagrams: true, .. })
    }

    /// The device's name now: it may have been renamed since. EBADFD when the device has gone.
    pub fn device(&self) -> io::Result<String> {
        tun_ioctl::attached(self.as_fd()).map(|(name, _)| name)
    }

    const fn prefix(&self) -> usize {
        match self.0 {
            Backend::Virtio { .. } => vnet::HEADER_LEN,
            Backend::Plain(_) => 0,
        }
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Backend::Virtio { file, .. } => file.as_fd(),
            Backend::Plain(device) => tun_ioctl::descriptor(device),
        }
    }
}

/// Whether `error`, from a read or a write, says that the device has been deleted: the queue will
/// never work again.
pub fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADFD)
}

/// Whether `error`, from a write, says that the device is down: the frame is lost, later ones may
/// pass.
pub fn is_down(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

/// A virtio header and an Ethernet header: less room than that is no buffer.
const LEAST_ROOM: usize = vnet::HEADER_LEN + 14;
