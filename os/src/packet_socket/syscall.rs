//! The system calls of packet sockets that the crates in use do not wrap, each as a safe function
//! over a borrowed descriptor. They know the kernel's structures and numbers; what to ask for, and
//! in which order, is their callers' business.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

/// What one receive brought.
pub(super) struct Arrival {
    /// Bytes written.
    pub(super) count: usize,
    /// Whether there were more than fitted.
    pub(super) cut_off: bool,
    /// The tag that the kernel took out of the bytes.
    pub(super) tag: Option<StrippedTag>,
}

/// A tag outside its frame.
#[derive(Copy, Clone)]
pub(super) struct StrippedTag {
    /// The tag protocol identifier: 0x8100 or 0x88a8.
    pub(super) protocol: u16,
    /// Priority, drop eligibility and VLAN identifier.
    pub(super) control: u16,
}

/// Receives one frame, with its virtio header if that is switched on, and its tag if
/// `PACKET_AUXDATA` is.
pub(super) fn receive(socket: BorrowedFd<'_>, space: &mut [u8]) -> io::Result<Arrival> {
    let mut control = [0u64; CONTROL_WORDS];
    let mut room = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
    // SAFETY: a `msghdr` is pointers and integers, for which zeros are values.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut room;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: `message` names one iovec over `space` and a control buffer over `control`, each with
    // its own length; both are ours alone and outlive the call, which writes no further than
    // those lengths.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let count = Errno::result(count)?;
    let cut_off = message.msg_flags & libc::MSG_TRUNC != 0;
    Ok(Arrival { count: count.unsigned_abs(), cut_off, tag: stripped_tag(&message) })
}

/// Looks for a `PACKET_AUXDATA` in the control messages that `recvmsg` left in `message`.
fn stripped_tag(message: &libc::msghdr) -> Option<StrippedTag> {
    // SAFETY: `msg_control` points to the caller's live control buffer, aligned for `cmsghdr`
    // because it is made of `u64`, and `msg_controllen` is the part of it that `recvmsg`
    // filled.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return null or a pointer to a whole `cmsghdr` in that
    // part.
    while let Some(header) = unsafe { next.as_ref() } {
        #[allow(clippy::unnecessary_cast, reason = "with musl it is of 32 bits")]
        let long_enough = header.cmsg_len as usize >= AUXDATA_LEN;
        let auxdata =
            (header.cmsg_level, header.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA);
        if auxdata && long_enough {
            // SAFETY: the kernel wrote `cmsg_len` bytes from the header on, which cover the header
            // and a `tpacket_auxdata`; that is all integers, and it is read without a
            // demand on its alignment.
            let found =
                unsafe { libc::CMSG_DATA(next).cast::<libc::tpacket_auxdata>().read_unaligned() };
            return tag_of(&found);
        }
        // SAFETY: `next` came from CMSG_FIRSTHDR or CMSG_NXTHDR over the same message.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
    None
}

fn tag_of(found: &libc::tpacket_auxdata) -> Option<StrippedTag> {
    if found.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    // Kernels before 3.14 do not tell the protocol; there it was always this one.
    let told = found.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    let protocol = if told { found.tp_vlan_tpid } else { libc::ETH_P_8021Q as u16 };
    Some(StrippedTag { protocol, control: found.tp_vlan_tci })
}

/// Binds to the interface numbered `index`, for frames of `protocol`.
pub(super) fn bind(socket: BorrowedFd<'_>, index: u32, protocol: u16) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_protocol: protocol.to_be(),
        sll_ifindex: index.cast_signed(),
        ..LINK_ADDRESS
    };
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` is a whole `sockaddr_ll`, alive during the call, and `length` is its size;
    // the kernel only reads it.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(result)?;
    Ok(())
}

/// The interface that a packet socket is bound to.
pub(super) struct Bound {
    /// Its number; `None` when it has left the namespace (the kernel says -1) or there never was
    /// one.
    pub(super) index: Option<u32>,
    /// What kind of hardware it is or pretends to be: `ARPHRD_*`.
    pub(super) hardware: u16,
    /// The first six bytes of its address, zeros when it has none.
    pub(super) mac: [u8; 6],
}

/// What the socket is bound to now. (`getsockname` of `nix` refuses the answer, which is shorter
/// than the structure: it ends with the address.)
pub(super) fn bound(socket: BorrowedFd<'_>) -> io::Result<Bound> {
    let mut address = LINK_ADDRESS;
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` is a whole `sockaddr_ll`, `length` its size, and both are ours alone during
    // the call, which writes no more than `length` bytes of integers.
    let result = unsafe {
        libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length)
    };
    Errno::result(result)?;
    let [a, b, c, d, e, f, ..] = address.sll_addr;
    Ok(Bound {
        index: u32::try_from(address.sll_ifindex).ok().filter(|&index| index != 0),
        hardware: address.sll_hatype,
        mac: [a, b, c, d, e, f],
    })
}

/// An address of nothing.
const LINK_ADDRESS: libc::sockaddr_ll = libc::sockaddr_ll {
    sll_family: libc::AF_PACKET as u16,
    sll_protocol: 0,
    sll_ifindex: 0,
    sll_hatype: 0,
    sll_pkttype: 0,
    sll_halen: 0,
    sll_addr: [0; 8],
};

/// Switches on a packet option that is a flag.
pub(super) fn switch_on(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    set_option(socket, option, &on)
}

/// Makes the interface receive frames for every station for as long as the socket is open.
pub(super) fn receive_all(socket: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: index.cast_signed(),
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(socket, libc::PACKET_ADD_MEMBERSHIP, &membership)
}

/// How many frames found no room in the socket's buffer since the last call.
pub(super) fn take_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut length = size_of_val(&stats) as libc::socklen_t;
    // SAFETY: `stats` is a whole `tpacket_stats`, `length` its size, and both are ours alone during
    // the call, which writes no more than `length` bytes of integers.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut length,
        )
    };
    Errno::result(result)?;
    Ok(stats.tp_drops)
}

/// The name of the interface numbered `index`, in the namespace of the socket and not of the
/// thread.
pub(super) fn name_of(socket: BorrowedFd<'_>, index: u32) -> io::Result<String> {
    let mut request = interface_request();
    request.ifr_ifru.ifru_ifindex = index.cast_signed();
    // SAFETY: the descriptor is open while it is borrowed; SIOCGIFNAME reads and writes an ifreq,
    // ours alone.
    unsafe { ioctl::interface_name(socket.as_raw_fd(), &raw mut request) }?;
    let bytes: Vec<u8> =
        request.ifr_name.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The MTU of the interface called `name`, in the namespace of the socket.
pub(super) fn mtu_of(socket: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    let mut request = interface_request();
    // The last place keeps the closing zero.
    for (place, byte) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    // SAFETY: the descriptor is open while it is borrowed; SIOCGIFMTU reads and writes an ifreq,
    // ours alone.
    unsafe { ioctl::interface_mtu(socket.as_raw_fd(), &raw mut request) }?;
    // SAFETY: SIOCGIFMTU has written this field of the union, and any bits are an integer.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    Ok(mtu.unsigned_abs())
}

/// A value that the kernel may read byte by byte.
///
/// # Safety
/// Every byte of it is part of an integer: no padding, no pointer.
unsafe trait Bytes: Copy {}

// SAFETY: it is one integer.
unsafe impl Bytes for libc::c_int {}
// SAFETY: integers of 4, 2, 2 and 8 times 1 byte, whose sizes add up to the whole.
unsafe impl Bytes for libc::packet_mreq {}
const _: () = assert!(size_of::<libc::packet_mreq>() == 4 + 2 + 2 + 8);

/// Sets a packet option.
fn set_option<T: Bytes>(socket: BorrowedFd<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of_val(value) as libc::socklen_t;
    let value = (&raw const *value).cast();
    // SAFETY: `value` points to `length` bytes, all of them set, borrowed during the call; the
    // kernel only reads them.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, value, length) };
    Errno::result(result)?;
    Ok(())
}

fn interface_request() -> libc::ifreq {
    // SAFETY: an `ifreq` is integers and a union with pointers among its members, for all of which
    // zeros are values.
    unsafe { std::mem::zeroed() }
}

/// Room for one control message with a `tpacket_auxdata`, the only one that is asked for, in words
/// of its alignment.
const CONTROL_WORDS: usize = 8;
/// `CMSG_LEN` of it.
// SAFETY: CMSG_LEN and CMSG_SPACE only calculate.
const AUXDATA_LEN: usize =
    unsafe { libc::CMSG_LEN(size_of::<libc::tpacket_auxdata>() as libc::c_uint) } as usize;
const _: () = assert!(AUXDATA_LEN <= CONTROL_WORDS * 8 && align_of::<libc::cmsghdr>() <= 8);

/// The requests of netdevice(7).
mod ioctl {
    nix::ioctl_readwrite_bad!(
        /// `SIOCGIFNAME`
        interface_name,
        libc::SIOCGIFNAME,
        libc::ifreq
    );
    nix::ioctl_readwrite_bad!(
        /// `SIOCGIFMTU`
        interface_mtu,
        libc::SIOCGIFMTU,
        libc::ifreq
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auxdata(status: u32, protocol: u16) -> libc::tpacket_auxdata {
        libc::tpacket_auxdata {
            tp_status: status,
            tp_len: 64,
            tp_snaplen: 64,
            tp_mac: 0,
            tp_net: 14,
            tp_vlan_tci: 0x600a,
            tp_vlan_tpid: protocol,
        }
    }

    #[test]
    fn a_tag_counts_when_the_kernel_says_so() {
        let seen = |status, protocol| {
            tag_of(&auxdata(status, protocol)).map(|tag| (tag.protocol, tag.control))
        };
        assert_eq!(seen(libc::TP_STATUS_USER, 0x8100), None);
        let valid = libc::TP_STATUS_VLAN_VALID;
        assert_eq!(seen(valid, 0), Some((0x8100, 0x600a)));
        assert_eq!(seen(valid | libc::TP_STATUS_VLAN_TPID_VALID, 0x88a8), Some((0x88a8, 0x600a)));
    }
}
