//! A packet socket: an interface that exists already (a veth end, a network card) as a port of the
//! switch.
//!
//! # Theory of operation
//! The socket (packet(7)) takes what arrives on its interface, whomever it is for, and sends what
//! it is given as if the host had. The host goes on using the interface: it sees the same frames.
//! What the host itself sends out there does not come back to us. MTU, offload and the other
//! settings of the interface are left alone; promiscuous reception ends with the socket.
//!
//! Every frame has a virtio-net header ahead of it, as on a [`tap`](crate::tap): the kernel hands
//! over partial checksums and super-frames as they came, and takes them likewise. Where an outgoing
//! super-frame exceeds the interface's own limit (`gso_max_size`), the kernel cuts it. A
//! super-frame of a tunnel that the guest runs itself comes with a header that says nothing of the
//! tunnel, and cannot be given back ([`packet::segment::inner_offload`]): whoever sends it cuts it
//! first.
//!
//! The kernel takes the outermost tag out of a frame before we see it and tells it beside the
//! bytes. An 802.1Q tag stays there, as [`Frame::tag`]; an 802.1ad tag goes back into the bytes,
//! for the switch knows it as a payload.
//!
//! Frames leave through the interface's queueing discipline. `PACKET_QDISC_BYPASS` would save it,
//! and with it the delays, losses and rates (`tc`, netem) that a lab sets on the interface.
//!
//! # Down, up, deleted
//! | event | next read | later reads | writes | [`PacketSocket::still_there`] |
//! |---|---|---|---|---|
//! | the interface goes down | ENETDOWN, once | what was queued, then nothing | ENETDOWN | `true` |
//! | it comes up again | frames | frames | pass | `true` |
//! | it is deleted, or moved to another namespace | ENETDOWN, once | what was queued, then nothing | ENXIO | `false` |
//! | it is deleted while it is down | nothing | nothing | ENXIO | `false` |
//! | it is renamed | frames | frames | pass | `true` |
//!
//! Until the one ENETDOWN is read, the poller reports the socket as `gone`, which here means "read
//! me". A deletion takes an interface down first, so an ENETDOWN that is read at once may still
//! look like a mere "down", and the last row is silent: whoever must know has a
//! [`Watch`](crate::links::Watch) too. An interface that comes back under the same name is another
//! interface, for another socket.
//!
//! When the far end of a veth comes up, the kernel switches our queue on an instant later; what is
//! written before is lost without an error. [`Link::running`](crate::links::Link::running) tells
//! when that is over.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use packet::{Frame, Mac, Tag, segment, vnet};
use socket2::Socket;

use crate::tap::Received;

mod error;
mod open;
mod syscall;

pub use error::PacketSocketError;
use syscall::StrippedTag;

/// An interface, read and written one Ethernet frame a call, non-blocking. Dropping it leaves the
/// interface as it was.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
    index: u32,
    mac: Mac,
}

impl PacketSocket {
    /// Takes the next frame off the interface into `frame`, in one `recvmsg(2)` and without
    /// allocating. What `frame` held is lost, also when nothing was waiting. Its buffer must
    /// have room for a super-frame ([`packet::frame::BUFFER_LEN`]); `InvalidInput` when it has
    /// no room for a header at all. Frames that are to be cut in a way that no virtio header
    /// can say (SCTP) are malformed, and empty: the kernel does not hand them over. So are
    /// super-frames of a tunnel that is not known here: a veth leaves the packet inside whole, and
    /// the header tells its span and kind as if there were no tunnel.
    pub fn read(&self, frame: &mut Frame) -> io::Result<Received> {
        let space = frame.receive_space(vnet::HEADER_LEN);
        if space.len() < LEAST_ROOM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame has no buffer"));
        }
        let arrival = match syscall::receive(self.as_fd(), space) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Empty),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                frame.received(vnet::HEADER_LEN, 0);
                return Ok(Received::Malformed);
            }
            result => result?,
        };
        let header = space.first_chunk().copied();
        frame.received(vnet::HEADER_LEN, arrival.count);
        if arrival.cut_off {
            return Ok(Received::Malformed);
        }
        let Some(offload) = header.and_then(|header| vnet::parse(&header, frame.bytes())) else {
            return Ok(Received::Malformed);
        };
        frame.set_offload(offload);
        if !segment::may_be_cut(frame) {
            return Ok(Received::Malformed);
        }
        match arrival.tag {
            Some(tag) if !put_back(tag, frame) => Ok(Received::Malformed),
            Some(_) | None => Ok(Received::Frame),
        }
    }

    /// Sends `frame` out of the interface in one `send(2)`, without allocating. Its bytes and
    /// offload stay as they are; the headroom ahead of them is overwritten. A tag beside the
    /// bytes is not sent: push it first.
    ///
    /// An error that is neither [`PacketSocket::is_gone`] nor [`PacketSocket::is_down`] concerns
    /// this frame alone: EMSGSIZE, longer than the interface's MTU allows (14 bytes of Ethernet
    /// and one 802.1Q tag come on top; a super-frame may be longer); EINVAL, no frame; ENOBUFS
    /// or `WouldBlock`, the interface's queue is full.
    pub fn write(&self, frame: &mut Frame) -> io::Result<()> {
        let header = vnet::emit(frame);
        let bytes = frame.with_prefix(header.len()).unwrap_or_default();
        let Some(place) = bytes.first_chunk_mut() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame has no headroom"));
        };
        *place = header;
        self.socket.send(bytes).map(drop)
    }

    /// Frames always keep their offload across a packet socket.
    pub const fn offloads(&self) -> bool {
        true
    }

    /// Whether `error`, from a read or a write, says that the interface has left: the socket will
    /// never work again.
    pub fn is_gone(&self, error: &io::Error) -> bool {
        match error.raw_os_error() {
            Some(libc::ENXIO | libc::ENODEV) => true,
            Some(libc::ENETDOWN) => !self.still_there(),
            _ => false,
        }
    }

    /// Whether `error`, from a read or a write, says that the interface is down: the socket works
    /// again once it is up. Says so also of an interface that is being deleted and is not gone
    /// yet.
    pub fn is_down(&self, error: &io::Error) -> bool {
        error.raw_os_error() == Some(libc::ENETDOWN) && self.still_there()
    }

    /// Whether the interface that was opened is still in its namespace, up or down, under whichever
    /// name.
    pub fn still_there(&self) -> bool {
        syscall::bound(self.as_fd()).is_ok_and(|bound| bound.index == Some(self.index))
    }

    /// The interface's number in its namespace.
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// The interface's own Ethernet address, as it was when it was opened.
    pub const fn mac(&self) -> Mac {
        self.mac
    }

    /// The interface's name now: it may have been renamed since. ENODEV when it is gone.
    pub fn interface(&self) -> io::Result<String> {
        syscall::name_of(self.as_fd(), self.index)
    }

    /// The largest IP packet that the interface takes now, in bytes. ENODEV when it is gone.
    pub fn mtu(&self) -> io::Result<u32> {
        syscall::mtu_of(self.as_fd(), &self.interface()?)
    }

    /// How many frames the kernel dropped since this was last asked, because they were not read in
    /// time.
    pub fn take_overruns(&self) -> io::Result<u32> {
        syscall::take_drops(self.as_fd())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A virtio header and an Ethernet header: less room than that is no buffer.
const LEAST_ROOM: usize = vnet::HEADER_LEN + 14;

/// Gives a frame the tag that the kernel took out of it; `false` when it has no room for it.
fn put_back(tag: StrippedTag, frame: &mut Frame) -> bool {
    frame.set_tag(Some(Tag::from_bits(tag.control)));
    if tag.protocol == TPID_8021Q {
        return true;
    }
    if !frame.push_tag() {
        return false;
    }
    if let Some(place) = frame.bytes_mut().get_mut(12..14) {
        place.copy_from_slice(&tag.protocol.to_be_bytes());
    }
    true
}

/// The tag protocol that [`Frame::tag`] stands for (IEEE 802.1Q-2018 table 9-1).
const TPID_8021Q: u16 = 0x8100;

#[cfg(test)]
mod tests {
    use super::*;
    use packet::{Offload, Span};

    fn frame() -> Frame {
        let mut frame = Frame::copied_from(&[7; 60]);
        frame.set_offload(Offload::Checksum(Span { start: 34, offset: 16 }));
        frame
    }

    #[test]
    fn a_customer_tag_stays_beside_the_bytes() {
        let mut frame = frame();
        assert!(put_back(StrippedTag { protocol: 0x8100, control: 0x600a }, &mut frame));
        assert_eq!(frame.tag(), Some(Tag::from_bits(0x600a)));
        assert_eq!(frame.bytes(), [7; 60]);
    }

    #[test]
    fn a_service_tag_goes_back_into_the_bytes_and_the_span_moves_with_it() {
        let mut frame = frame();
        assert!(put_back(StrippedTag { protocol: 0x88a8, control: 0x600a }, &mut frame));
        assert_eq!(frame.tag(), None);
        assert_eq!(
            frame.bytes().get(..18),
            Some(&[&[7; 12][..], &[0x88, 0xa8, 0x60, 0x0a, 7, 7]].concat()[..])
        );
        assert_eq!(frame.len(), 64);
        assert_eq!(frame.offload(), Offload::Checksum(Span { start: 38, offset: 16 }));
    }

    #[test]
    fn a_service_tag_of_a_frame_cut_short_is_refused() {
        let mut frame = Frame::copied_from(&[7; 11]);
        assert!(!put_back(StrippedTag { protocol: 0x88a8, control: 1 }, &mut frame));
    }
}
