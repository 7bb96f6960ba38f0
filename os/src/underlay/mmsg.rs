//! `recvmmsg(2)` and `sendmmsg(2)` with the control messages that tunnels need, as safe functions
//! over slices.
//!
//! Written here because the wrappers at hand cannot do it: they share one list of control messages
//! between all messages sent, and keep the lengths of the last receive for the next. Here every
//! pointer and every length is set anew in each call, to arrays that live in that call's stack
//! frame or that the caller lends.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{offset_of, size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::{NonZeroU8, NonZeroU16};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// One message to send: where to, with what in its IP header, and its bytes in order.
#[derive(Copy, Clone, Debug)]
pub(super) struct Departure<'a> {
    pub(super) to: SocketAddrV4,
    /// `None`: as the socket has it.
    pub(super) ttl: Option<NonZeroU8>,
    /// `None`: as the socket has it.
    pub(super) tos: Option<u8>,
    /// The bytes are several datagrams of this size, the last one maybe shorter.
    pub(super) segment: Option<NonZeroU16>,
    pub(super) parts: &'a [IoSlice<'a>],
}

/// What came into one of the spaces.
#[derive(Copy, Clone, Debug)]
pub(super) struct Arrival {
    /// Bytes written into the space.
    pub(super) len: usize,
    /// The size of each datagram when the kernel joined several.
    pub(super) segment: Option<usize>,
    pub(super) from: SocketAddrV4,
    pub(super) tos: u8,
    /// The space was too small; the rest is lost.
    pub(super) truncated: bool,
}

impl Arrival {
    pub(super) const NONE: Self = Self {
        len: 0,
        segment: None,
        from: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
        tos: 0,
        truncated: false,
    };
}

/// Sends as many of the first [`MOST`] messages as the socket takes, in order, in one system call:
/// how many. The error is the first message's.
pub(super) fn send<'a>(
    socket: BorrowedFd<'_>,
    departures: impl ExactSizeIterator<Item = Departure<'a>>,
) -> io::Result<usize> {
    // 10 KiB of arrays are cleared for a full call, so the common short one has its own size.
    if departures.len() <= FEW {
        send_up_to::<FEW>(socket, departures)
    } else {
        send_up_to::<MOST>(socket, departures)
    }
}

/// The most messages of one [`send`].
pub(super) const MOST: usize = 64;
const FEW: usize = 4;

fn send_up_to<'a, const N: usize>(
    socket: BorrowedFd<'_>,
    departures: impl Iterator<Item = Departure<'a>>,
) -> io::Result<usize> {
    let mut headers = [NO_HEADER; N];
    let mut names = [NO_NAME; N];
    let mut controls = [[Control::NONE; 3]; N];
    let mut count = 0;
    let slots = headers.iter_mut().zip(&mut names).zip(&mut controls);
    for (((header, name), control), departure) in slots.zip(departures) {
        *name = name_of(departure.to);
        let used = emit(&departure, control) * size_of::<Control>();
        let header = &mut header.msg_hdr;
        header.msg_name = ptr::from_mut(name).cast();
        header.msg_namelen = NAME_LEN;
        header.msg_iov = departure.parts.as_ptr().cast_mut().cast();
        header.msg_iovlen = departure.parts.len() as _;
        if used > 0 {
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = used as _;
        }
        count += 1;
    }
    // SAFETY: the descriptor is open while it is borrowed. The first `count` headers (at most N,
    // which the array has) point to an address and to `used` bytes of control messages in
    // arrays of this function, and to slices that are borrowed for 'a, so all outlive the call.
    // IoSlice is documented to be an iovec; the kernel only reads through msg_iov here, so that
    // it was a shared reference is no matter. It writes msg_len of the headers, which are ours.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives up to `N` messages in one system call, one into each space, and describes them in
/// `arrivals`: how many. `WouldBlock` when nothing is waiting.
pub(super) fn receive<const N: usize>(
    socket: BorrowedFd<'_>,
    spaces: &mut [IoSliceMut<'_>; N],
    arrivals: &mut [Arrival; N],
) -> io::Result<usize> {
    let mut headers = [NO_HEADER; N];
    let mut names = [NO_NAME; N];
    let mut controls = [[Control::NONE; 2]; N];
    let slots = headers.iter_mut().zip(&mut names).zip(&mut controls);
    for (((header, name), control), space) in slots.zip(spaces.iter_mut()) {
        let header = &mut header.msg_hdr;
        header.msg_name = ptr::from_mut(name).cast();
        header.msg_namelen = NAME_LEN;
        header.msg_iov = ptr::from_mut(space).cast();
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(control) as _;
    }
    // SAFETY: the descriptor is open while it is borrowed. Each of the N headers points to an
    // address and to control messages in arrays of this function, with their lengths, and to
    // one IoSliceMut, documented to be an iovec, whose bytes are borrowed mutably past the
    // call. All bytes are initialised, and any bytes are valid in them.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            N as _,
            libc::MSG_DONTWAIT as _,
            ptr::null_mut(),
        )
    };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    let came = headers.iter().zip(&names).zip(&controls).take(count);
    for (((header, name), controls), arrival) in came.zip(arrivals) {
        let used = header.msg_hdr.msg_controllen / size_of::<Control>();
        *arrival = Arrival {
            len: header.msg_len as usize,
            from: address_of(name),
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            ..Arrival::NONE
        };
        parse(controls.get(..used).unwrap_or_default(), arrival);
    }
    Ok(count)
}

/// A control message with a value of up to an `int`, padded as `CMSG_SPACE` pads it, so that an
/// array of them is what cmsg(3) walks through.
#[derive(Copy, Clone)]
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    value: [u8; size_of::<usize>()],
}

// SAFETY: the two only compute with their argument.
const _: () = unsafe {
    assert!(size_of::<Control>() == libc::CMSG_SPACE(4) as usize);
    assert!(size_of::<Control>() == libc::CMSG_SPACE(1) as usize);
    assert!(offset_of!(Control, value) == libc::CMSG_LEN(0) as usize);
};

impl Control {
    // SAFETY: integers only, for which zero is a value.
    const NONE: Self = unsafe { zeroed() };

    fn new<const N: usize>(level: i32, kind: i32, value: [u8; N]) -> Self {
        let mut control = Self::NONE;
        control.header.cmsg_len = (offset_of!(Self, value) + N) as _;
        control.header.cmsg_level = level;
        control.header.cmsg_type = kind;
        for (place, byte) in control.value.iter_mut().zip(value) {
            *place = byte;
        }
        control
    }
}

/// How many control messages the message needs, which are then at the front. The kernel takes a TTL
/// as an `int` only, and a segment as a `u16` only.
fn emit(departure: &Departure<'_>, controls: &mut [Control; 3]) -> usize {
    let int = |byte: u8| i32::from(byte).to_ne_bytes();
    let ttl = departure.ttl.map(|it| Control::new(libc::IPPROTO_IP, libc::IP_TTL, int(it.get())));
    let tos = departure.tos.map(|it| Control::new(libc::IPPROTO_IP, libc::IP_TOS, int(it)));
    let size = departure.segment.map(|it| it.get().to_ne_bytes());
    let segment = size.map(|it| Control::new(libc::SOL_UDP, libc::UDP_SEGMENT, it));
    let wanted = [ttl, tos, segment].into_iter().flatten();
    wanted.zip(controls).map(|(control, place)| *place = control).count()
}

/// The kernel gives a TOS as one byte, and the size of joined datagrams as an `int`.
fn parse(controls: &[Control], arrival: &mut Arrival) {
    for Control { header, value } in controls {
        match (header.cmsg_level, header.cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_TOS) => {
                arrival.tos = value.first().copied().unwrap_or_default();
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size = value.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
                arrival.segment = size.and_then(|size| usize::try_from(size).ok());
            }
            // Nothing else is switched on.
            _ => {}
        }
    }
}

// SAFETY: integers and pointers only, for which zero is a value.
const NO_HEADER: libc::mmsghdr = unsafe { zeroed() };
// SAFETY: integers only, for which zero is a value.
const NO_NAME: libc::sockaddr_in = unsafe { zeroed() };
const NAME_LEN: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

fn name_of(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: address.ip().to_bits().to_be() },
        ..NO_NAME
    }
}

fn address_of(name: &libc::sockaddr_in) -> SocketAddrV4 {
    let address = Ipv4Addr::from_bits(u32::from_be(name.sin_addr.s_addr));
    SocketAddrV4::new(address, u16::from_be(name.sin_port))
}
