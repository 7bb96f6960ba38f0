//! The ioctls of `/dev/net/tun`, each as a safe function over an open file. They know the kernel's
//! structures and numbers; what to ask for, and in which order, is `tap`'s business.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What a queue is to be, and what it turned out to be: flags of linux/if_tun.h.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flags(pub(crate) u16);

impl Flags {
    /// Ethernet frames.
    pub(crate) const TAP: Self = Self(libc::IFF_TAP as u16);
    /// No 4-byte protocol field ahead of each frame.
    pub(crate) const NO_PI: Self = Self(libc::IFF_NO_PI as u16);
    /// A virtio-net header ahead of each frame.
    pub(crate) const VNET_HDR: Self = Self(libc::IFF_VNET_HDR as u16);
    /// More than one queue may be attached.
    pub(crate) const MULTI_QUEUE: Self = Self(libc::IFF_MULTI_QUEUE as u16);
    /// Fail with EBUSY when the name exists, in place of attaching to it.
    pub(crate) const EXCL: Self = Self(0x8000);
    /// Reported only: the device outlives its queues, so it was not made by opening this one.
    pub(crate) const PERSIST: Self = Self(0x0800);

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Makes the file a queue of the device called `name`, making the device when there is none.
pub(crate) fn attach(file: &File, name: &str, flags: Flags) -> io::Result<()> {
    let mut request = Request::new(name, flags)?;
    // SAFETY: the descriptor is open while `file` is borrowed; TUNSETIFF reads and writes an ifreq,
    // whose size `Request` has, and `request` is ours alone through the call.
    unsafe { ioctl::set_interface(file.as_raw_fd(), &mut request) }?;
    Ok(())
}

/// The name and the flags of the device that a queue is attached to. EBADFD when it has gone.
pub(crate) fn attached(file: BorrowedFd<'_>) -> io::Result<(String, Flags)> {
    let mut request = Request::EMPTY;
    // SAFETY: the descriptor is open while `file` is borrowed; TUNGETIFF writes an ifreq, whose
    // size `Request` has, and `request` is ours alone through the call.
    unsafe { ioctl::get_interface(file.as_raw_fd(), &mut request) }?;
    let name = request.name.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok((String::from_utf8_lossy(name).into_owned(), Flags(request.flags)))
}

/// Tells the device which duties its kernel may leave open in frames that we read (`TUN_F_*`).
pub(crate) fn set_offload(file: &File, features: libc::c_uint) -> io::Result<()> {
    let features = libc::c_int::try_from(features).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open while `file` is borrowed; TUNSETOFFLOAD takes its argument by
    // value.
    unsafe { ioctl::set_offload(file.as_raw_fd(), features) }?;
    Ok(())
}

/// The descriptor of a device of `tun-tap`, which lends it as a number alone.
pub(crate) fn descriptor(device: &tun_tap::Iface) -> BorrowedFd<'_> {
    // SAFETY: an `Iface` owns an open file, which it neither closes nor gives away while it is
    // borrowed, as the result is; an open file's descriptor is not -1.
    unsafe { BorrowedFd::borrow_raw(device.as_raw_fd()) }
}

/// `struct ifreq` as TUNSETIFF and TUNGETIFF use it.
#[repr(C)]
pub(crate) struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: u16,
    rest: [u8; 22],
}

const _: () = assert!(size_of::<Request>() == size_of::<libc::ifreq>());

impl Request {
    const EMPTY: Self = Self { name: [0; libc::IFNAMSIZ], flags: 0, rest: [0; 22] };

    /// `EINVAL` when the name and its closing zero do not fit: never a shorter name than was asked
    /// for.
    fn new(name: &str, flags: Flags) -> io::Result<Self> {
        let mut request = Self { flags: flags.0, ..Self::EMPTY };
        let room = request.name.get_mut(..name.len()).filter(|_| name.len() < libc::IFNAMSIZ);
        let room = room.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        room.copy_from_slice(name.as_bytes());
        Ok(request)
    }
}

/// The raw requests of linux/if_tun.h.
mod ioctl {
    use super::Request;

    nix::ioctl_readwrite_bad!(
        /// `TUNSETIFF`
        set_interface,
        libc::TUNSETIFF,
        Request
    );
    nix::ioctl_read_bad!(
        /// `TUNGETIFF`
        get_interface,
        libc::TUNGETIFF,
        Request
    );
    nix::ioctl_write_int_bad!(
        /// `TUNSETOFFLOAD`
        set_offload,
        libc::TUNSETOFFLOAD
    );
}
